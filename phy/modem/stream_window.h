// The latest samples of every antenna, numbered by tick.
#pragma once

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/types/cf32.h"

namespace prose::phy {

/// Holds half of `capacity` samples; the other half is room for the zeros that pad() puts behind the last one.
/// Allocates once.
class stream_window {
public:
  stream_window(int n_antennas, std::size_t capacity)
      : samples_(n_antennas, std::vector<cf32>(capacity)), capacity_(capacity / 2) {}

  /// Nothing was ever put in.
  bool empty() const { return !started_; }
  std::int64_t first_tick() const { return first_tick_; }
  std::int64_t end_tick() const { return first_tick_ + static_cast<std::int64_t>(end_ - begin_); }

  void restart(std::int64_t tick) {
    started_ = true;
    first_tick_ = tick;
    begin_ = end_ = 0;
  }

  void clear() {
    restart(0);
    started_ = false;
  }

  /// Takes as many samples as there is room for, from sample `from` on, and returns how many. NaN, Inf and absurd
  /// values become zero and are counted.
  std::size_t append(std::span<const std::span<const cf32>> in, std::size_t from, std::uint64_t& n_bad) {
    if (end_ == capacity_ && begin_ > 0) {
      for (auto& x : samples_) std::copy(x.begin() + begin_, x.begin() + end_, x.begin());
      end_ -= begin_;
      begin_ = 0;
    }
    const std::size_t n = std::min(in[0].size() - from, capacity_ - end_);
    assert(n > 0);
    for (std::size_t a = 0; a < samples_.size(); ++a) {
      cf32* out = samples_[a].data() + end_;
      const cf32* x = in[a].data() + from;
      std::copy_n(x, n, out);
      if (!all_good(out, n)) n_bad += remove_bad(out, n);
    }
    end_ += n;
    return n;
  }

  /// Puts zeros behind the last sample, so that windows may reach beyond it.
  void pad() {
    for (auto& x : samples_) std::fill(x.begin() + end_, x.end(), cf32{});
  }

  void drop_before(std::int64_t tick) {
    if (tick <= first_tick_) return;
    const auto n = std::min(static_cast<std::size_t>(tick - first_tick_), end_ - begin_);
    begin_ += n;
    first_tick_ += static_cast<std::int64_t>(n);
  }

  std::span<const cf32> at(int antenna, std::int64_t tick, std::size_t n) const {
    assert(tick >= first_tick_);
    const auto offset = begin_ + static_cast<std::size_t>(tick - first_tick_);
    assert(offset + n <= samples_[0].size());
    return {samples_[antenna].data() + offset, n};
  }

private:
  static constexpr float absurd = 1e6F;
  // Of both parts of each; without a branch, so that the compiler makes vectors of it. Comparisons with NaN are false.
  static bool all_good(const cf32* x, std::size_t n) {
    const auto* parts = reinterpret_cast<const float*>(x);
    std::int32_t n_good = 0;
    for (std::size_t i = 0; i < 2 * n; ++i) n_good += std::abs(parts[i]) < absurd ? 1 : 0;
    return static_cast<std::size_t>(n_good) == 2 * n;
  }
  static std::size_t remove_bad(cf32* x, std::size_t n) {
    std::size_t n_bad = 0;
    for (cf32& v : std::span(x, n))
      if (!(std::abs(v.real()) < absurd && std::abs(v.imag()) < absurd)) {
        v = {};
        ++n_bad;
      }
    return n_bad;
  }

  std::vector<std::vector<cf32>> samples_;
  std::size_t capacity_;  ///< of samples; the other half is for padding
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::int64_t first_tick_ = 0;
  bool started_ = false;
};

}  // namespace prose::phy
