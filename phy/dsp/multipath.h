// The multipath fading channels of TS 36.101 annex B.2: tapped delay lines, each tap Rayleigh with the classical
// (Jakes) spectrum.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "phy/dsp/random.h"
#include "phy/types/cf32.h"

namespace prose::phy {

struct fading_model {
  std::string_view name;
  std::string_view profile;  ///< EPA, EVA; empty: no fading
  double max_doppler_hz = 0;
};
/// awgn, epa5, eva70, eva180.
std::optional<fading_model> fading_model_from(std::string_view name);
inline constexpr std::array<std::string_view, 4> fading_model_names{"awgn", "epa5", "eva70", "eva180"};

/// One receive path. Mean gain 1. draw() begins a new, independent realisation; nothing is allocated after
/// construction.
class multipath_channel {
public:
  multipath_channel(const fading_model& model, double sample_rate_hz);
  void draw(simulation_rng& rng);
  /// out[n] = sum of the delayed taps of `in` (zeros before it) at time first_sample + n; sizes equal, no overlap. Adds
  /// a delay of delay_samples(), which the fractional taps need.
  void apply(std::span<const cf32> in, std::int64_t first_sample, std::span<cf32> out) const;
  int delay_samples() const { return fading_ ? half_kernel - 1 : 0; }

  /// The gain of a tap at a time; for tests.
  cf32 tap_gain(std::size_t tap, double t_s) const;
  std::size_t n_taps() const { return taps_.size(); }

private:
  static constexpr int n_waves = 16;
  static constexpr int half_kernel = 8;  ///< samples on each side of the interpolator that makes fractional delays
  struct wave {
    double rate_hz = 0, phase = 0;
  };
  struct tap {
    double delay_samples = 0, amplitude = 0;
    std::vector<float> kernel;  ///< the fractional delay as filter taps of length n_filter_
    std::array<wave, n_waves> waves;
  };
  bool fading_ = false;
  double rate_hz_, doppler_hz_ = 0;
  std::vector<tap> taps_;
  std::size_t n_filter_ = 0;
  mutable std::vector<cf32> filter_;
};

}  // namespace prose::phy
