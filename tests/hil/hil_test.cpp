// Radios over a cable (with attenuators) or on the emulated air. PROSE_HIL_DEVICES="ARGS;ARGS[;ARGS...]" names devices
// that hear each other and share their time (PPS, GPSDO, or one air): timing and decoding go round all of them, the
// rest is between the first two. PROSE_HIL_SECONDS is the length of the soak, an hour by default.
// PROSE_HIL_MOST_OFFSET_US bounds how long after (or before) its tick a burst may arrive: the group delays of the front
// ends. PROSE_HIL_FREQ_HZ, PROSE_HIL_TX_GAIN_DB, PROSE_HIL_RX_GAIN_DB and PROSE_HIL_TIME_SOURCE fit the set-up.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numbers>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "phy/radio/radio.h"
#include "tests/phy/radio/all_channels.h"

namespace prose::phy {
namespace {

std::string text_from(const char* name) {
  const char* v = std::getenv(name);
  return v == nullptr ? "" : v;
}

double number_from(const char* name, double otherwise) {
  const std::string v = text_from(name);
  return v.empty() ? otherwise : std::atof(v.c_str());
}

// Constant amplitude 0.5 and a sharp autocorrelation: Zadoff-Chu of prime length.
std::vector<cf32> marker() {
  constexpr int length = 839;
  std::vector<cf32> v(length);
  for (int n = 0; n < length; ++n)
    v[n] = std::polar(0.5F, static_cast<float>(-std::numbers::pi * (25 * n * (n + 1) % (2 * length)) / length));
  return v;
}

struct found {
  std::int64_t sample = -1;
  double amplitude = 0;
};

found find_marker(std::span<const cf32> x) {
  const auto m = marker();
  found best;
  for (std::size_t at = 0; at + m.size() <= x.size(); ++at) {
    cf32 sum{};
    for (std::size_t i = 0; i < m.size(); ++i) sum += x[at + i] * std::conj(m[i]);
    const double a = std::abs(sum) / static_cast<double>(m.size()) * 2.0;
    if (a > best.amplitude) best = {static_cast<std::int64_t>(at), a};
  }
  return best;
}

constexpr double ahead_s = 1.0;  ///< what begins at a tick is asked for so long before it: the host may be busy

class hil : public testing::Test {
protected:
  void SetUp() override {
    const std::string all = text_from("PROSE_HIL_DEVICES");
    if (all.empty()) GTEST_SKIP() << "PROSE_HIL_DEVICES is not set";
    std::istringstream list(all);
    for (std::string one; std::getline(list, one, ';');)
      if (!one.empty()) args_.push_back(one);
    ASSERT_GE(args_.size(), 2U) << "PROSE_HIL_DEVICES: accepted is ARGS;ARGS, and more of them";
  }
  /// Who sends and who listens: each device once.
  std::vector<std::pair<int, int>> pairs() const {
    std::vector<std::pair<int, int>> all;
    const int n = static_cast<int>(args_.size());
    for (int i = 0; i < n; ++i) all.emplace_back(i, (i + 1) % n);
    return all;
  }
  result<std::unique_ptr<radio>> try_open(int which, double rate_hz, double extra_tx_gain_db = 0.0,
                                          double extra_rx_gain_db = 0.0) {
    radio_config c;
    c.device_args = args_[which];
    c.clock_source = c.time_source = text_from("PROSE_HIL_TIME_SOURCE");
    c.sample_rate_hz = rate_hz;
    c.center_freq_hz = number_from("PROSE_HIL_FREQ_HZ", 2.45e9);
    c.tx_gain_db = number_from("PROSE_HIL_TX_GAIN_DB", 0) + extra_tx_gain_db;
    c.rx_gain_db = number_from("PROSE_HIL_RX_GAIN_DB", 0) + extra_rx_gain_db;
    c.turnaround_s = 0.3e-3;
    c.require_lock = true;
    return radio::open(c);
  }
  std::unique_ptr<radio> open(int which, double rate_hz, double extra_tx_gain_db = 0.0, double extra_rx_gain_db = 0.0) {
    auto r = try_open(which, rate_hz, extra_tx_gain_db, extra_rx_gain_db);
    EXPECT_TRUE(r) << (r ? "" : r.error().message);
    return r ? std::move(*r) : nullptr;
  }
  // All of `rx` from `start` on.
  static std::vector<cf32> capture(radio& rx, std::int64_t start, std::size_t n) {
    std::vector<cf32> x(n);
    EXPECT_TRUE(rx.start(start));
    for (std::size_t have = 0; have < n;) {
      const auto s = rx.read(std::span(x).subspan(have));
      EXPECT_TRUE(s) << (s ? "" : s.error().message);
      if (!s) break;
      EXPECT_FALSE(s->gap_before);
      have += s->n_samples;
    }
    rx.stop();
    return x;
  }
  // Bursts of tx every 2 ms, and where rx finds them relative to their ticks.
  static std::vector<found> exchange(radio& tx, radio& rx, int n_bursts) {
    const double rate = rx.sample_rate_hz();
    const auto period = static_cast<std::int64_t>(rate * 0.002);
    const std::int64_t start = rx.now_tick().value() + static_cast<std::int64_t>(ahead_s * rate);
    const std::int64_t first = start + period;
    for (int i = 0; i < n_bursts; ++i) EXPECT_TRUE(tx.transmit(first + i * period, marker()));
    const auto x = capture(rx, start, static_cast<std::size_t>((n_bursts + 2) * period));
    std::vector<found> all;
    for (int i = 0; i < n_bursts; ++i) {
      auto f = find_marker(std::span<const cf32>(x).subspan((i + 1) * period - 300, 1500));
      f.sample -= 300;
      all.push_back(f);
    }
    return all;
  }
  std::vector<std::string> args_;
};

TEST_F(hil, burst_timing_over_the_cable_at_several_rates) {
  const double most_us = number_from("PROSE_HIL_MOST_OFFSET_US", 50);
  std::vector<std::tuple<double, int, int>> all;
  for (const double rate : {1.92e6, 7.68e6, 15.36e6, 23.04e6, 30.72e6})
    for (const auto& [from, to] : pairs()) all.emplace_back(rate, from, to);
  for (const auto& [rate, from, to] : all) {
    auto opened_tx = try_open(from, rate);
    auto opened_rx = try_open(to, rate);
    if (rate > 15.36e6 && !(opened_tx && opened_rx)) {  // not every device has these with its master clock
      std::printf("rate %.2f Msps: not given: %s\n", rate / 1e6,
                  (opened_tx ? opened_rx : opened_tx).error().message.c_str());
      continue;
    }
    ASSERT_TRUE(opened_tx && opened_rx) << (opened_tx ? opened_rx : opened_tx).error().message;
    const auto& tx = *opened_tx;
    const auto& rx = *opened_rx;
    const auto got = exchange(*tx, *rx, 8);
    for (const found& f : got) {
      EXPECT_GT(f.amplitude, 0.01) << "not heard: check cable and gains";
      EXPECT_NEAR(static_cast<double>(f.sample), static_cast<double>(got[0].sample), 1.0)
          << "bursts move against each other";
    }
    std::printf("rate %.2f Msps, %d to %d: bursts arrive %lld samples after their ticks\n", rate / 1e6, from, to,
                static_cast<long long>(got[0].sample));
    EXPECT_LE(std::abs(static_cast<double>(got[0].sample)), most_us * 1e-6 * rate + 1.0) << "PROSE_HIL_MOST_OFFSET_US";
    EXPECT_EQ(tx->counters().lates, 0U);
  }
}

TEST_F(hil, received_power_follows_the_gain) {
  for (const bool of_tx : {true, false}) {
    double last = 0;
    for (const double gain : {0.0, 3.0, 6.0}) {
      const auto tx = open(0, 1.92e6, of_tx ? gain : 0.0);
      const auto rx = open(1, 1.92e6, 0.0, of_tx ? 0.0 : gain);
      ASSERT_TRUE(tx && rx);
      const auto got = exchange(*tx, *rx, 3);
      if (last > 0) {
        EXPECT_NEAR(20 * std::log10(got[0].amplitude / last), 3.0, 1.0) << (of_tx ? "transmit gain" : "receive gain");
      }
      last = got[0].amplitude;
    }
  }
}

TEST_F(hil, a_device_hears_again_after_its_turnaround) {
  const auto a = open(0, 1.92e6);
  const auto b = open(1, 1.92e6);
  ASSERT_TRUE(a && b);
  const std::int64_t start = a->now_tick().value() + static_cast<std::int64_t>(ahead_s * a->sample_rate_hz());
  const std::int64_t own = start + 1000;
  const std::int64_t answer = own + 839 + a->turnaround_ticks() + 20;
  ASSERT_TRUE(a->transmit(own, marker()));
  ASSERT_TRUE(b->transmit(answer, marker()));
  const auto f = find_marker(capture(*a, start, 6000));
  EXPECT_GT(f.amplitude, 0.01);
  EXPECT_NEAR(static_cast<double>(f.sample + start), static_cast<double>(answer), 100.0);
}

TEST_F(hil, psbch_pssch_and_the_other_channels_are_decoded) {
  std::vector<std::tuple<transmission_mode, int, int>> all;
  for (const auto tm : {transmission_mode::tm2, transmission_mode::tm4})
    for (const auto& [from, to] : pairs()) all.emplace_back(tm, from, to);
  for (const auto& [tm, from, to] : all) {
    const auto tx = open(from, 7.68e6);
    const auto rx = open(to, 7.68e6);
    ASSERT_TRUE(tx && rx);
    constexpr int rounds = 10;
    const auto n = test::exchange_all_channels(*tx, *rx, tm, rounds);
    std::printf("of %d: PSBCH %d, PSCCH %d, PSSCH %d, PSDCH %d\n", rounds, n.psbch, n.pscch, n.pssch, n.psdch);
    EXPECT_EQ(n.wrong, 0);
    for (const int decoded : {n.psbch, n.pscch, n.pssch, n.psdch})
      EXPECT_EQ(decoded, rounds) << "over a cable nothing may be lost";
  }
}

TEST_F(hil, no_overflow_underflow_or_late_for_long) {
  const double seconds = number_from("PROSE_HIL_SECONDS", 3600);
  const double rate = number_from("PROSE_HIL_SOAK_RATE_HZ", 15.36e6);
  const auto a = open(0, rate);
  const auto b = open(1, rate);
  ASSERT_TRUE(a && b);
  const std::int64_t start = a->now_tick().value() + static_cast<std::int64_t>(ahead_s * rate);
  // Both before either reads: an emulated air is as fast as its receivers.
  ASSERT_TRUE(a->start(start) && b->start(start));
  const auto work = [&](radio& r, bool sends) {
    std::vector<cf32> subframe(static_cast<std::size_t>(rate / 1000));
    for (std::int64_t n = 0; n < static_cast<std::int64_t>(seconds * 1000); ++n) {
      const auto s = r.read(subframe);
      ASSERT_TRUE(s) << s.error().message;
      if (sends && n % 4 == 0) {
        ASSERT_TRUE(r.transmit(s->first_tick + static_cast<std::int64_t>(5 * rate / 1000), marker()));
      }
    }
  };
  std::thread other([&] { work(*b, false); });
  work(*a, true);
  other.join();
  for (const radio* r : {a.get(), b.get()}) {
    const auto c = r->counters();
    EXPECT_EQ(c.overflows, 0U);
    EXPECT_EQ(c.underflows, 0U);
    EXPECT_EQ(c.lates, 0U);
    EXPECT_EQ(c.sequence_errors, 0U);
  }
}

}  // namespace
}  // namespace prose::phy
