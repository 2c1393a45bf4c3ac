// Where a transmission that comes early or late gets a DFT window of its own.
#pragma once

#include <algorithm>
#include <cmath>

#include "phy/types/carrier.h"

namespace prose::phy {

/// A value that is farther off is no hint.
inline constexpr float largest_hint_samples = 1e4F;

/// All delays are in samples after the start of the subframe that was assumed.
class receive_window {
public:
  explicit receive_window(const carrier_config& c) : prefix_(prefix_samples(c)) {}
  /// The common window does not cover a transmission with this delay.
  bool outside(double delay_samples) const {
    return delay_samples > late_prefixes * prefix_ || delay_samples < -early_prefixes * prefix_;
  }
  /// A transmission for which this delay is known gets a window of its own.
  bool worth_moving(double hint_samples) const { return std::abs(hint_samples) > hint_prefixes * prefix_; }
  /// The place of a window for a transmission with this delay.
  int place_for(double delay_samples) const {
    const double raster = std::max(1.0, raster_prefixes * prefix_);
    const auto limited = std::clamp<double>(delay_samples, -largest_hint_samples, largest_hint_samples);
    return static_cast<int>(std::lround(std::round(limited / raster) * raster));
  }

private:
  // All chosen, not derived.
  static constexpr double hint_prefixes = 0.3;
  static constexpr double late_prefixes = 0.45, early_prefixes = 0.35;
  static constexpr double raster_prefixes = 0.125;  // so that transmitters share windows
  double prefix_;
};

}  // namespace prose::phy
