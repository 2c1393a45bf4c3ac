// Tapped delay lines EPA and EVA (TS 36.101 Table B.2-1) with the Jakes spectrum, a function of seed, pair and time
// alone.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "phy/air/shm_layout.h"

namespace prose::phy::air {

class fading_channel {
public:
  fading_channel(fading_profile profile, double doppler_hz, std::uint64_t key);
  int n_taps() const { return static_cast<int>(delays_s_.size()); }
  double delay_s(int tap) const { return delays_s_[tap]; }
  /// The complex gain of a tap at time t. The mean power over all taps is 1.
  cf32 gain(int tap, double t_s) const;

private:
  static constexpr int n_waves = 16;
  struct wave {
    double rate_hz;
    double phase_turns;
  };
  std::vector<double> delays_s_;
  std::vector<double> amplitudes_;
  std::vector<std::array<wave, n_waves>> waves_;
};

}  // namespace prose::phy::air
