// The burst that prose-iq measure sends, found and measured in captures that are made here.
#include "apps/iq/test_burst.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

namespace prose::apps {
namespace {

using phy::cf32;

constexpr double rate_hz = 7.68e6;
constexpr float sent_dbfs = -12;

class test_burst_capture : public testing::Test {
protected:
  test_burst_capture() : finder(burst_finder::make(test_burst::make(rate_hz, sent_dbfs).value()).value()) {}

  /// n samples of noise.
  std::vector<cf32> noise(std::size_t n, double dbfs) {
    std::normal_distribution<float> one(0.0F, static_cast<float>(std::pow(10, dbfs / 20) / std::numbers::sqrt2));
    std::vector<cf32> x(n);
    for (auto& s : x) s = {one(random), one(random)};
    return x;
  }
  static void add(std::vector<cf32>& x, std::span<const cf32> sent, std::size_t at, double cfo_hz, float gain_db = 0) {
    const float gain = std::pow(10.0F, gain_db / 20);
    for (std::size_t n = 0; n < sent.size(); ++n)
      x[at + n] +=
          gain * sent[n] * cf32(std::polar(1.0, 2 * std::numbers::pi * cfo_hz * static_cast<double>(n) / rate_hz));
  }
  std::mt19937 random{1};
  burst_finder finder;
};

TEST_F(test_burst_capture, is_measured_at_offsets_beyond_what_a_modem_takes) {
  for (const double cfo_hz : {0.0, -6500.0, 23600.0, -49000.0}) {
    auto x = noise(60000, -50);
    add(x, finder.burst().samples, 20007, cfo_hz);
    const auto place = finder.find_first(x);
    ASSERT_TRUE(place) << cfo_hz;
    const auto m = finder.measure(x, *place);
    EXPECT_TRUE(m.decoded) << cfo_hz;
    EXPECT_NEAR(m.place.sample, 20007, 0.05) << cfo_hz;
    EXPECT_NEAR(m.place.cfo_hz, cfo_hz, 5) << cfo_hz;
    EXPECT_NEAR(m.power_dbfs, sent_dbfs, 0.2);
    // 38 dB in the samples, of which the 300 used of 512 subcarriers hold their share of the noise.
    EXPECT_NEAR(m.snr_db, 38 + 10 * std::log10(512.0 / 300), 1.0) << cfo_hz;
    EXPECT_EQ(m.n_clipped, 0);
  }
}

TEST_F(test_burst_capture, is_not_found_in_noise_nor_in_another_signal) {
  auto x = noise(200000, -50);
  EXPECT_FALSE(finder.find_first(x));
  add(x, noise(7680, -12), 100000, 0);
  EXPECT_FALSE(finder.find_first(x));
  EXPECT_FALSE(finder.find_first(std::vector<cf32>(100)));
  EXPECT_FALSE(finder.find_near(x, 199990, 16));
}

/// Series with bursts lost, of which every burst must be known for what it is.
TEST_F(test_burst_capture, a_series_tells_which_of_its_bursts_are_lost) {
  constexpr int n = 7;
  constexpr std::int64_t period = 76800, slack = 153600, subframe = 7680;  // as prose-iq measure has them: 10 and 20 ms
  constexpr double tolerance = 1;                                          // before measure() looks closer
  const auto starts = series_starts(slack, period, n);
  const auto quiet = noise(static_cast<std::size_t>(starts.back() + slack + 2 * subframe), -40);
  for (const auto& lost : std::vector<std::vector<int>>{{}, {0}, {0, 1}, {0, 1, 2, 3}, {2}, {6}, {1, 3, 5}})
    for (const std::int64_t off : {std::int64_t{-5001}, 100 - slack, slack - 100}) {
      auto x = quiet;
      const auto is_lost = [&](int i) { return std::find(lost.begin(), lost.end(), i) != lost.end(); };
      for (int i = 0; i < n; ++i)
        if (!is_lost(i)) add(x, finder.burst().samples, static_cast<std::size_t>(starts[i] + off), 700);
      const auto found = finder.find_series(x, starts, slack);
      ASSERT_EQ(found.size(), starts.size());
      for (int i = 0; i < n; ++i) {
        ASSERT_EQ(found[i].has_value(), !is_lost(i)) << i << ' ' << off << ' ' << testing::PrintToString(lost);
        if (!found[i]) continue;
        EXPECT_NEAR(found[i]->sample, static_cast<double>(starts[i] + off), tolerance) << i << ' ' << off;
      }
    }
  for (const auto& place : finder.find_series(quiet, starts, slack)) EXPECT_FALSE(place);
}

TEST_F(test_burst_capture, clipping_is_counted) {
  auto x = noise(30000, -50);
  add(x, finder.burst().samples, 10000, 300, 12);
  for (auto& s : x) s = {std::clamp(s.real(), -1.0F, 1.0F), std::clamp(s.imag(), -1.0F, 1.0F)};
  const auto place = finder.find_first(x);
  ASSERT_TRUE(place);
  EXPECT_GT(finder.measure(x, *place).n_clipped, 100);
}

TEST_F(test_burst_capture, evm_is_what_was_added_to_symbols) {
  std::vector<cf32> symbols(4000, cf32(std::sqrt(0.5F), -std::sqrt(0.5F)));
  const auto error = noise(symbols.size(), -20);
  for (std::size_t i = 0; i < symbols.size(); ++i) symbols[i] += error[i];
  EXPECT_NEAR(evm_of(symbols), 0.1, 0.005);
  EXPECT_EQ(evm_of({}), 1.0);
}

TEST_F(test_burst_capture, a_receiver_is_deaf_for_as_long_as_it_is) {
  constexpr std::size_t piece = 64, at = 5000;
  constexpr double cfo_hz = -2345;
  const auto sent = endless(finder.burst(), 15360);
  for (const std::size_t deaf : {std::size_t{0}, std::size_t{768}, std::size_t{2304}}) {  // 2304: 300 us, an X310
    auto x = noise(30000, -50);
    add(x, sent, at, cfo_hz, -20);
    std::fill_n(x.begin() + at, deaf, cf32{});
    const auto strength = strength_of(x, {sent, cfo_hz, rate_hz, piece}, at + 9, 64);
    EXPECT_EQ(heard_from(strength), deaf / piece) << deaf;
  }
  // Never heard: no piece at the end may count as heard.
  const auto strength = strength_of(noise(30000, -50), {sent, cfo_hz, rate_hz, piece}, at, 4);
  EXPECT_GT(heard_from(strength), strength.size() / 2);
}

TEST(test_burst, rates_that_are_no_carrier_s_are_refused) {
  for (const double hz : {1.92e6, 3.84e6, 7.68e6, 15.36e6, 23.04e6, 30.72e6})
    EXPECT_TRUE(test_burst::make(hz, -12)) << hz;
  for (const double hz : {0.0, 1e6, 16e6, 61.44e6}) EXPECT_FALSE(test_burst::make(hz, -12)) << hz;
}

}  // namespace
}  // namespace prose::apps
