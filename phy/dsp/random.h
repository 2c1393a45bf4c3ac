// A small seeded generator for simulations: streams that depend on nothing but the seed, so that results repeat on
// every machine and with every number of threads. Not for keys.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>

#include "phy/types/cf32.h"

namespace prose::phy {

/// SplitMix64's finaliser: a hash of 64 bits.
constexpr std::uint64_t hash64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/// xoshiro256++ (Blackman, Vigna).
class simulation_rng {
public:
  explicit simulation_rng(std::uint64_t seed) {
    for (auto& s : state_) s = seed = hash64(seed);
  }
  std::uint64_t next() {
    const auto rotl = [](std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); };
    const std::uint64_t out = rotl(state_[0] + state_[3], 23) + state_[0], t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return out;
  }
  /// 0 <= x < 1.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// 0 <= x < n.
  int below(int n) { return static_cast<int>(uniform() * n); }
  /// Circular complex Gaussian of unit power (Box and Muller).
  cf32 gaussian() {
    const auto u = static_cast<float>(static_cast<double>((next() >> 11) + 1) * 0x1p-53);  // never 0
    const float r = std::sqrt(-std::log(u)), angle = 2 * std::numbers::pi_v<float> * static_cast<float>(uniform());
    return {r * std::cos(angle), r * std::sin(angle)};
  }
  void add_noise(std::span<cf32> samples, float power) {
    const float a = std::sqrt(power);
    for (auto& v : samples) v += a * gaussian();
  }
  void bits(std::span<std::uint8_t> out) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % 64 == 0) word = next();
      out[i] = static_cast<std::uint8_t>((word >> (i % 64)) & 1U);
    }
  }

private:
  std::uint64_t state_[4];
};

}  // namespace prose::phy
