#include "apps/lib/common/sample_power.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace prose::apps {
namespace {

// Sums in double of one sample after the other.
sample_power plainly(std::span<const phy::cf32> samples) {
  sample_power m;
  for (const auto& v : samples) {
    const double p = static_cast<double>(v.real()) * v.real() + static_cast<double>(v.imag()) * v.imag();
    ++m.n;
    if (!std::isfinite(v.real()) || !std::isfinite(v.imag())) {
      ++m.non_finite;
      continue;
    }
    m.sum += p;
    m.peak = std::max(m.peak, p);
  }
  return m;
}

void expect_equal(std::span<const phy::cf32> samples) {
  sample_power m;
  m.add(samples);
  const auto want = plainly(samples);
  EXPECT_EQ(m.n, want.n);
  EXPECT_EQ(m.non_finite, want.non_finite);
  EXPECT_NEAR(m.sum, want.sum, 1e-5 * want.sum);
  EXPECT_NEAR(m.peak, want.peak, 1e-6 * want.peak);
}

std::vector<phy::cf32> noise(std::size_t n, float amplitude) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::normal_distribution<float> normal(0, amplitude);
  std::vector<phy::cf32> x(n);
  for (auto& v : x) v = {normal(random), normal(random)};
  return x;
}

TEST(sample_power, any_number_of_samples) {
  for (const std::size_t n : {0, 1, 7, 8, 9, 1023, 1024, 1025, 7680, 100'003}) expect_equal(noise(n, 0.1F));
}

TEST(sample_power, the_peak_may_stand_anywhere) {
  for (std::size_t at = 0; at < 1030; ++at) {
    auto x = noise(1030, 0.1F);
    x[at] = {at % 2 == 0 ? 3.0F : 0.1F, at % 2 == 0 ? 0.1F : -3.0F};
    expect_equal(x);
  }
}

TEST(sample_power, what_is_not_finite_is_counted_and_has_no_power) {
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const phy::cf32 bad :
       {phy::cf32(nan, 0), phy::cf32(0, nan), phy::cf32(inf, 1), phy::cf32(1, -inf), phy::cf32(inf, nan)})
    for (const std::size_t at : {0U, 5U, 1023U, 1024U, 2049U}) {
      auto x = noise(2050, 0.1F);
      x[at] = bad;
      expect_equal(x);
    }
}

TEST(sample_power, what_overflows_a_float_is_finite_still) {
  auto x = noise(100, 1e19F);
  x[50] = {3e38F, -3e38F};
  expect_equal(x);
}

}  // namespace
}  // namespace prose::apps
