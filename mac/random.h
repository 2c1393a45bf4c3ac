// The randomness of scheduling decisions: reproducible from a seed that the program draws once. Not for keys.
#pragma once

#include <cstdint>

namespace prose::mac {

/// SplitMix64 (Steele, Lea, Flood 2014).
class scheduling_random {
 public:
  explicit scheduling_random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, bound), bound >= 1. The bias below 2^-32 does not matter here.
  int below(int bound) { return static_cast<int>((next() >> 32) * static_cast<std::uint64_t>(bound) >> 32); }
  bool chance(double p) { return static_cast<double>(next() >> 11) * 0x1p-53 < p; }

 private:
  std::uint64_t state_;
};

}  // namespace prose::mac
