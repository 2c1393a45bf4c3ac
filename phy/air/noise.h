// Receiver noise that depends on nothing but the seed, the receiver's name and the sample index, so that runs repeat.
#pragma once

#include <cstdint>
#include <string_view>

#include "phy/air/kernels.h"

namespace prose::phy::air {

std::uint64_t hash_name(std::string_view name);

/// White Gaussian noise. A block of 64 samples is the sum of two stretches of a pool of 32768 true Gaussian samples,
/// whose places are a hash of the block's index: 2^24 different blocks at the cost of two loads, and the tails are
/// Gaussian.
class noise_source {
public:
  noise_source(std::uint64_t seed, std::string_view receiver);
  /// Writes (does not add) groups of 8 samples from absolute index `first`, a multiple of 8. power is E|x|^2.
  void fill(std::int64_t first, int n_groups, float amplitude, float* out) const;

private:
  std::uint64_t key_;
  const float* pool_;
};

}  // namespace prose::phy::air
