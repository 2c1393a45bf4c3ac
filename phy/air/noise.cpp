#include "phy/air/noise.h"

#include <cmath>
#include <numbers>
#include <vector>

namespace prose::phy::air {
namespace {

constexpr int stretch = 64;
constexpr std::uint64_t pool_samples = 32768;

// The same for every air: what differs is where blocks are taken from.
const float* gaussian_pool() {
  struct holder {
    alignas(64) std::array<float, 2 * (pool_samples + stretch)> values;
    holder() {
      for (std::uint64_t i = 0; i < pool_samples; ++i) {
        const double u = (static_cast<double>(mix64(2 * i) >> 11) + 0.5) * 0x1p-53;
        const double v = static_cast<double>(mix64(2 * i + 1) >> 11) * 0x1p-53;
        const double r = std::sqrt(-std::log(u));  // E|x|^2 = 1
        values[2 * i] = static_cast<float>(r * std::cos(2 * std::numbers::pi * v));
        values[2 * i + 1] = static_cast<float>(r * std::sin(2 * std::numbers::pi * v));
      }
      // A finite pool has a mean of its own, which every block would repeat: a line at 0 Hz. Taken out, and the power
      // made exact.
      for (std::size_t part = 0; part < 2; ++part) {
        double mean = 0.0;
        double power = 0.0;
        for (std::size_t i = part; i < 2 * pool_samples; i += 2) mean += values[i];
        mean /= static_cast<double>(pool_samples);
        for (std::size_t i = part; i < 2 * pool_samples; i += 2) power += (values[i] - mean) * (values[i] - mean);
        const double scale = std::sqrt(0.5 * static_cast<double>(pool_samples) / power);
        for (std::size_t i = part; i < 2 * pool_samples; i += 2)
          values[i] = static_cast<float>((values[i] - mean) * scale);
      }
      std::memcpy(&values[2 * pool_samples], values.data(), 2 * stretch * sizeof(float));
    }
  };
  static const holder* pool = new holder;  // lives as long as the process: streams may outlast static objects
  return pool->values.data();
}

}  // namespace

std::uint64_t hash_name(std::string_view name) {
  std::uint64_t h = 0xCBF29CE484222325ULL;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return mix64(h);
}

noise_source::noise_source(std::uint64_t seed, std::string_view receiver)
    : key_(mix64(seed) ^ hash_name(receiver)), pool_(gaussian_pool()) {}

void noise_source::fill(std::int64_t first, int n_groups, float amplitude, float* out) const {
  const vec a = splat(amplitude * std::numbers::sqrt2_v<float> * 0.5F);
  constexpr int groups_a_stretch = stretch / group;
  while (n_groups > 0) {
    const std::int64_t index = first / stretch;
    const int g0 = static_cast<int>(first % stretch) / group;
    const int n = std::min(n_groups, groups_a_stretch - g0);
    const std::uint64_t h = mix64(key_ + static_cast<std::uint64_t>(index));
    constexpr std::uint64_t places = pool_samples / group;
    const float* p = pool_ + 2 * group * ((h % places) + static_cast<std::uint64_t>(g0));
    const float* q = pool_ + 2 * group * (((h >> 32) % places) + static_cast<std::uint64_t>(g0));
    for (int g = 0; g < n; ++g, out += 2 * group) store(out, (load(p + 2 * group * g) + load(q + 2 * group * g)) * a);
    first += n * group;
    n_groups -= n;
  }
}

}  // namespace prose::phy::air
