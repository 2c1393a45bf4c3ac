// Band-limited interpolation between sample grids: fractional path delays, clock drift, devices of different rates or
// partly overlapping channels.
#pragma once

#include <cstdint>
#include <vector>

#include "phy/types/cf32.h"

namespace prose::phy::air {

/// A windowed-sinc filter in 256 phases with linear interpolation between them. The pass band is where the
/// transmitter's band and the receiver's overlap, so what a receiver cannot hear does not alias into it.
class interpolator {
public:
  /// offset_hz: transmitter's centre minus receiver's.
  interpolator(double tx_rate_hz, double rx_rate_hz, double offset_hz);
  int n_taps() const { return n_taps_; }
  /// The value at `n_taps / 2 - 1 + fraction` samples after window[0]. 0 <= fraction < 1. window holds n_taps samples.
  cf32 at(const cf32* window, double fraction) const;

private:
  static constexpr int n_phases = 256;
  int n_taps_;
  bool real_;
  std::vector<float> re_;  ///< per phase, n_taps pairs [h, h]
  std::vector<float> im_;
};

}  // namespace prose::phy::air
