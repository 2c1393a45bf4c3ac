// Timing and carrier offset of a subframe without SLSS, from its cyclic prefixes. The half-subcarrier shift of SC-FDMA
// (TS 36.211 5.6) makes a prefix the negative of the end of its symbol.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "common/result.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"

namespace prose::phy {

struct prefix_search_config {
  carrier_config carrier;
  int n_antennas = 1;
  /// A start is reported if at least this share (0..1) of the energy under the prefixes repeats. 0: the share that
  /// noise alone exceeds in about one window of 1000.
  float threshold = 0;
};

struct prefix_candidate {
  int start_samples = 0;  ///< of the subframe, in samples of the window searched
  float cfo_hz = 0;       ///< within +-7.5 kHz: a prefix cannot tell whole subcarriers
  float correlation = 0;  ///< 0..1: repeating share of the energy under the prefixes
  float score = 0;        ///< repeating energy; candidates are ordered by it
};

class prefix_search {
public:
  static result<prefix_search> make(const prefix_search_config& config);
  prefix_search(prefix_search&&) noexcept;
  prefix_search& operator=(prefix_search&&) noexcept;
  ~prefix_search();

  /// A window needs this many samples.
  std::size_t window_samples() const;

  /// Possible subframe starts among the first samples_per_subframe() samples of the window, at most max_candidates,
  /// best first, at least half a symbol apart. Neighbouring symbols of a subframe look alike, so a true start comes
  /// with others that are whole symbols away: decoding decides. Valid until the next call. No allocation.
  std::span<const prefix_candidate> search(std::span<const std::span<const cf32>> antennas) noexcept;
  std::span<const prefix_candidate> search(std::span<const cf32> antenna) noexcept;
  static constexpr int max_candidates = 20;

private:
  struct state;
  explicit prefix_search(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::phy
