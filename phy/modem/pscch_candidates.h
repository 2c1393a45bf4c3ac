// What may be a PSCCH at a place, judged by reference symbols alone, each path in a DFT window where its delay lies.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "phy/modem/grid_cache.h"
#include "phy/modem/pscch_search.h"
#include "phy/modem/receive_window.h"
#include "phy/types/carrier.h"

namespace prose::phy {

/// One path of a cyclic shift that may be a PSCCH.
struct pscch_candidate {
  int cyclic_shift = 0;
  int place = 0;     ///< its phase slope: candidates of one place are one path (pscch_search::place_of)
  float metric = 0;  ///< pscch_search::peak, measured in this window of this grid:
  int window = 0;    ///< samples
  double cfo_hz = 0;
};

class pscch_candidates {
public:
  explicit pscch_candidates(const carrier_config& c);
  int n_prb() const { return search_.n_prb(); }

  /// The subframe, and the offset of its strongest transmitter, or 0.
  struct subframe {
    grid_cache& grids;
    std::span<const subframe_samples> samples;
    double base_cfo_hz;
  };
  /// What may be a PSCCH at this PRB, the strongest first. Two transmitters may have chosen the same resource with
  /// different shifts. Valid until the next call.
  std::span<const pscch_candidate> at(const subframe& sf, int first_prb) noexcept;
  /// The best path, whatever its metric, of any shift or of this one.
  pscch_candidate best_at(const subframe& sf, int first_prb, std::optional<int> cyclic_shift) noexcept;

private:
  struct found {
    pscch_search::peaks peaks;
    double cfo_hz;
  };
  found find(const subframe& sf, int first_prb, float at_least) const noexcept;
  pscch_candidate candidate(const found& f, int shift) const;
  bool look_closer(const subframe& sf, int first_prb, int shift, int bin, pscch_candidate& c) const noexcept;

  carrier_config carrier_;
  pscch_search search_;
  receive_window window_;
  std::array<pscch_candidate, pscch_search::max_shifts> candidates_{};
};

}  // namespace prose::phy
