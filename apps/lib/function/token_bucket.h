// A rate limit: so many a second, and twice as many at once.
#pragma once

#include <algorithm>
#include <chrono>

namespace prose::function {

class token_bucket {
public:
  using time_point = std::chrono::steady_clock::time_point;
  /// Below one a second at least one still fits, or nothing would ever pass.
  static double capacity(double rate) { return std::max(1.0, 2 * rate); }
  bool take(double rate, time_point now) {
    tokens_ = level(rate, now);
    at_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  bool full(double rate, time_point now) const { return level(rate, now) >= capacity(rate); }

private:
  double level(double rate, time_point now) const {
    if (tokens_ < 0) return capacity(rate);
    return std::min(capacity(rate), tokens_ + rate * std::chrono::duration<double>(now - at_).count());
  }
  double tokens_ = -1;  // full
  time_point at_{};
};

}  // namespace prose::function
