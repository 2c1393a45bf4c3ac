// Where a tick of device time lies among the samples that were delivered, gaps and all.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

namespace prose::apps {

/// Remembers the last few gaps only; what is asked for is never older than the monitor's window.
class stream_place {
public:
  /// n samples came, the first of them with this tick.
  void add(std::int64_t first_tick, std::int64_t n) {
    if (segments_.empty() || first_tick != next_tick_) {
      segments_.push_back({first_tick, n_samples_});
      if (segments_.size() > max_segments) segments_.pop_front();
    }
    n_samples_ += n;
    next_tick_ = first_tick + n;
  }
  /// Ticks before now are of another count: the radio's time was set.
  void forget() { segments_.clear(); }
  std::int64_t n_samples() const { return n_samples_; }
  std::int64_t next_tick() const { return next_tick_; }

  /// A tick inside a gap gives the first sample after it; one before the start counts backwards from it.
  std::int64_t sample_of(std::int64_t tick) const {
    if (segments_.empty()) return 0;
    auto it = std::upper_bound(segments_.begin(), segments_.end(), tick,
                               [](std::int64_t t, const segment& s) { return t < s.tick; });
    if (it == segments_.begin()) return segments_.front().sample + (tick - segments_.front().tick);
    const std::int64_t sample = (it - 1)->sample + (tick - (it - 1)->tick);
    return it == segments_.end() ? sample : std::min(sample, it->sample);
  }
  std::int64_t tick_of(std::int64_t sample) const {
    if (segments_.empty()) return 0;
    auto it = std::upper_bound(segments_.begin(), segments_.end(), sample,
                               [](std::int64_t s, const segment& g) { return s < g.sample; });
    const segment& s = it == segments_.begin() ? *it : *(it - 1);
    return s.tick + (sample - s.sample);
  }

private:
  struct segment {
    std::int64_t tick, sample;
  };
  static constexpr std::size_t max_segments = 64;
  std::deque<segment> segments_;
  std::int64_t n_samples_ = 0, next_tick_ = 0;
};

}  // namespace prose::apps
