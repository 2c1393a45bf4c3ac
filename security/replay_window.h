// Which of the last 1024 COUNT values were accepted.
#pragma once

#include <array>
#include <cstdint>

namespace prose::security {

class replay_window {
public:
  static constexpr std::uint32_t size = 1024;

  /// True if count was not accepted before and is not too old to tell. Changes nothing.
  bool fresh(std::uint32_t count) const {
    if (!any_ || count > top_) return true;
    if (top_ - count >= size) return false;
    return (block(count) & bit(count)) == 0;
  }
  /// Records count. Call it only after the record verified and fresh() held.
  void accept(std::uint32_t count) {
    if (!any_ || count > top_) {
      const std::uint32_t from = any_ ? top_ / 64 + 1 : count / 64;
      const std::uint32_t to = count / 64;
      for (std::uint32_t b = from, n = 0; b <= to && n < blocks_.size(); ++b, ++n)
        blocks_[(to - n) % blocks_.size()] = 0;
      if (!any_) blocks_.fill(0);
      top_ = count;
      any_ = true;
    }
    blocks_[(count / 64) % blocks_.size()] |= bit(count);
  }

private:
  static std::uint64_t bit(std::uint32_t count) { return std::uint64_t{1} << (count % 64); }
  std::uint64_t block(std::uint32_t count) const { return blocks_[(count / 64) % blocks_.size()]; }

  std::array<std::uint64_t, size / 64 + 1>
      blocks_{};  // one spare, so that a partly used block never hides a needed one
  std::uint32_t top_ = 0;
  bool any_ = false;
};

}  // namespace prose::security
