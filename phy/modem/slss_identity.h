// Which of the 336 sidelink synchronisation identities an aligned subframe carries (TS 36.211 9.7).
#pragma once

#include <array>
#include <span>

#include "phy/dsp/batch_dft.h"
#include "phy/scfdma/channel_estimator.h"
#include "phy/sync/slss_sequences.h"
#include "phy/types/channels.h"
#include "phy/types/grid.h"

namespace prose::phy {

class slss_identity {
public:
  explicit slss_identity(const carrier_config& c);

  struct match {
    bool detected = false;
    int n_sl_id = 0;
    float psss_metric = 0;  ///< share of the PSSS symbols' energy explained
    float ssss_metric = 0;
    float second_metric = 0;
    float cfo_hz = 0;  ///< unambiguous to +-6.9 kHz
    float timing_samples = 0;
    float snr = 0;
    float power = 0;  ///< mean |h|^2
  };
  /// Searches these delays. What lies outside the window of the grids is seen less well there.
  match find(std::span<const resource_grid> grids, const delay_range& delays) noexcept;

  /// The phases between the two symbols of PSSS and of SSSS, given the identity, the timing slope (cycles a subcarrier)
  /// and the noise variance of each antenna.
  phase_observation phases(std::span<const resource_grid> grids, int n_sl_id, double slope,
                           std::span<const float> noise) const noexcept;

private:
  static constexpr int row = 64;  // slss_length, and zeros to whole vectors
  /// What one path of any delay explains of PSSS.
  struct path {
    int root = 0;      // index into psss_roots
    double slope = 0;  // cycles a subcarrier
    cf32 turn{};       // from the first to the second symbol, what the carrier offset does
    float power = -1;
  };
  struct values {  // of the subcarriers of a symbol; zeros behind the last one
    alignas(64) std::array<float, row> re{};
    alignas(64) std::array<float, row> im{};
  };
  struct folded : values {  // the SSSS symbols of all antennas, the channel removed
    float channel_energy = 0;
  };
  using both_symbols = std::array<values, 2>;
  float psss_energy(std::span<const resource_grid> grids) const noexcept;
  void remove_roots(std::span<const resource_grid> grids) noexcept;
  path best_path(std::span<const resource_grid> grids, const delay_range& delays) noexcept;
  path try_path(std::size_t n_antennas, int root, double slope, const values& phasors) const noexcept;
  void fold(const resource_grid& g, const path& p, folded& f) const noexcept;
  bool identify(const folded& f, int root, match& best) const noexcept;

  carrier_config carrier_;
  slss_symbols symbols_;
  int first_;
  double interval_s_;
  std::array<std::array<cf32, slss_length>, 2> psss_{};
  aligned_vector<float> ssss_;  // [identity][row]
  std::array<std::array<both_symbols, channel_estimator::max_antennas>, 2>
      channel_;  // by root: PSSS as received, the root removed
};

}  // namespace prose::phy
