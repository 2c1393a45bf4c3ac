// Device time: ticks of the radio, local subframes and seconds.
#pragma once

#include <cmath>
#include <cstdint>

#include "security/types.h"

namespace prose::apps {

/// Local subframe 0 starts at tick 0 until synchronisation shifts it. A tick is one sample period.
class device_clock {
public:
  void set_carrier(int samples_per_subframe, double sample_rate_hz) {
    samples_per_subframe_ = samples_per_subframe;
    sample_rate_hz_ = sample_rate_hz;
  }
  void start_at(std::int64_t subframe) { subframe_ = subframe; }
  void next_subframe() { ++subframe_; }
  void shift(double samples) { origin_ += samples; }
  /// The radio's time leapt: local subframes go on as if it had not.
  void follow_jump(std::int64_t ticks) {
    origin_ += static_cast<double>(ticks);
    jumped_ += static_cast<double>(ticks);
  }

  int samples_per_subframe() const { return samples_per_subframe_; }
  /// The subframe that is processed next.
  std::int64_t subframe() const { return subframe_; }
  std::int64_t first_tick(std::int64_t subframe) const { return std::llround(start(subframe)); }
  /// 0 before the carrier is set.
  double seconds_at(std::int64_t subframe) const {
    return sample_rate_hz_ <= 0 ? 0.0 : start(subframe) / sample_rate_hz_;
  }
  double seconds() const { return seconds_at(subframe_); }
  /// Without the leaps of the radio's time: timers go on.
  security::time_ms milliseconds() const {
    const double leapt = sample_rate_hz_ <= 0 ? 0.0 : jumped_ / sample_rate_hz_;
    return static_cast<security::time_ms>(std::llround((seconds() - leapt) * 1000));
  }

private:
  double start(std::int64_t subframe) const { return origin_ + static_cast<double>(subframe) * samples_per_subframe_; }

  int samples_per_subframe_ = 0;
  double sample_rate_hz_ = 0;
  double origin_ = 0;  // tick of local subframe 0
  double jumped_ = 0;  // ticks
  std::int64_t subframe_ = 0;
};

}  // namespace prose::apps
