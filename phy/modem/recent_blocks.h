// The transport blocks that were reported last, to mark repetitions.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace prose::phy {

class recent_blocks {
public:
  /// Returns true if the same bits are among the last blocks; else adds them. Compares 64-bit hashes (after FNV-1a).
  bool seen(std::span<const std::uint8_t> bits) {
    std::uint64_t h = 1469598103934665603ULL ^ bits.size();
    for (const std::uint8_t b : bits) h = (h ^ b) * 1099511628211ULL;
    for (const std::uint64_t old : last_)
      if (old == h) return true;
    last_[next_++ % last_.size()] = h;
    return false;
  }

private:
  std::array<std::uint64_t, 32> last_{};
  std::size_t next_ = 0;
};

}  // namespace prose::phy
