// Finds sidelink synchronisation signals in samples of unknown timing (TS 36.211 9.7): where a subframe with PSSS and
// SSSS starts, its carrier offset and its N_ID^SL.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "common/result.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"

namespace prose::phy {

struct slss_search_config {
  carrier_config carrier;
  int n_antennas = 1;
  double max_cfo_hz = 6000.0;
  /// PSSS must explain at least this share (0..1) of the energy of its two symbols, in the band of the synchronisation
  /// signals. Noise reaches 0.09 about once in 10^10 trials.
  float psss_threshold = 0.09F;
  /// The same for SSSS, whose channel PSSS gives. Chosen, not derived: at -3 dB about 1 % of the
  /// identities are missed (tests/phy/slss_search_test.cpp).
  float ssss_threshold = 0.13F;
};

struct slss_candidate {
  /// Start of the subframe (of its first prefix), in samples of the window searched; not an integer.
  double start_samples = 0;
  int n_sl_id = 0;
  float cfo_hz = 0;
  float psss_metric = 0;
  float ssss_metric = 0;
};

class slss_search {
public:
  static result<slss_search> make(const slss_search_config& config);
  slss_search(slss_search&&) noexcept;
  slss_search& operator=(slss_search&&) noexcept;
  ~slss_search();

  /// A window needs this many samples to be searched for starts 0 .. samples_per_subframe() - 1.
  std::size_t window_samples() const;

  /// The synchronisation signals whose subframes start in the first samples_per_subframe() samples of the window, best
  /// first, at most max_candidates, apart by two symbols or more. Valid until the next call. No allocation.
  std::span<const slss_candidate> search(std::span<const std::span<const cf32>> antennas) noexcept;
  std::span<const slss_candidate> search(std::span<const cf32> antenna) noexcept;
  static constexpr int max_candidates = 4;

private:
  struct state;
  explicit slss_search(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::phy
