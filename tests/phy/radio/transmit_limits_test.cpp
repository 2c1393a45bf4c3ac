// Limits of a band: the duty cycle holds in every window, and what they do not allow is refused or not sent.
#include "phy/radio/transmit_limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "phy/radio/burst_sender.h"
#include "tests/phy/air/hub_process.h"
#include "tests/phy/radio/open_radio.h"

namespace prose::phy {
namespace {

using test::hub_process;
using test::open_radio;

// --- the meter -------------------------------------------------------------------------------------------------------

struct span_of_time {
  std::int64_t from, to;
};

std::int64_t sent_within(const std::vector<span_of_time>& sent, std::int64_t from, std::int64_t to) {
  std::int64_t sum = 0;
  for (const auto& s : sent) sum += std::max<std::int64_t>(0, std::min(s.to, to) - std::max(s.from, from));
  return sum;
}

TEST(duty_meter, no_window_has_more_than_its_share) {
  constexpr double rate_hz = 1000, window_s = 6;
  constexpr std::int64_t window = 6000;
  for (const double share : {0.0, 0.01, 0.1, 0.5, 1.0})
    for (unsigned seed = 0; seed < 20; ++seed) {
      std::mt19937 rng(seed);
      duty_meter meter(share, window_s, rate_hz);
      std::vector<span_of_time> sent;
      std::int64_t at = -3000;
      for (int k = 0; k < 400; ++k) {
        const auto n = static_cast<std::int64_t>(1 + rng() % (seed % 2 == 0 ? 30 : 900));
        if (meter.take(at, n)) sent.push_back({at, at + n});
        at += n + static_cast<std::int64_t>(rng() % 100 == 0 ? rng() % 20000 : rng() % 60);
      }
      // The most lies in a window that begins or ends where a burst does.
      for (const auto& s : sent)
        for (const std::int64_t from : {s.from, s.to - window})
          ASSERT_LE(sent_within(sent, from, from + window), share * window) << share << " " << seed;
    }
}

TEST(duty_meter, nearly_the_whole_share_can_be_used) {
  constexpr double share = 0.1;
  duty_meter meter(share, 6, 1000);
  std::int64_t sent = 0;
  for (std::int64_t at = 0; at < 600'000; at += 10) sent += meter.take(at, 10) ? 10 : 0;
  // A window of 60 slots is counted with up to one slot more.
  EXPECT_GE(static_cast<double>(sent), 600'000 * share * 60 / 62);
  EXPECT_LE(static_cast<double>(sent), 600'000 * share);
}

TEST(duty_meter, a_refused_burst_costs_nothing_and_old_ones_end) {
  duty_meter meter(0.1, 6, 1000);
  EXPECT_FALSE(meter.take(0, 601));
  EXPECT_TRUE(meter.take(0, 600));
  EXPECT_FALSE(meter.take(5999, 1));
  EXPECT_TRUE(meter.take(1'000'000'000'000, 600));
}

TEST(duty_meter, time_that_leaps_back_gives_no_new_share_and_takes_none) {
  duty_meter meter(0.1, 6, 1000);
  EXPECT_TRUE(meter.take(1'000'000, 600));
  EXPECT_FALSE(meter.take(0, 1));
  EXPECT_FALSE(meter.take(5500, 1));
  EXPECT_TRUE(meter.take(6200, 600));
  EXPECT_FALSE(meter.take(6700, 1));
  EXPECT_TRUE(meter.take(12500, 600));
}

TEST(duty_meter, a_leap_that_is_told_gives_no_new_share_and_takes_none) {
  for (const std::int64_t leap : {-1'000'000, -3'000, 3'000, 1'000'000}) {
    duty_meter meter(0.1, 6, 1000);
    EXPECT_TRUE(meter.take(2'000'000, 600));
    meter.follow_leap(leap);
    EXPECT_FALSE(meter.take(2'005'500 + leap, 1)) << leap;
    EXPECT_TRUE(meter.take(2'006'200 + leap, 600)) << leap;
    EXPECT_FALSE(meter.take(2'006'900 + leap, 1)) << leap;
  }
}

// --- the bands -------------------------------------------------------------------------------------------------------

transmit_limits two_bands() {
  transmit_limits l;
  l.bands = {{.name = "low", .from_hz = 2.4e9, .to_hz = 2.48e9, .max_duty_cycle = 0.1, .window_s = 1},
             {.name = "high", .from_hz = 5.8e9, .to_hz = 5.9e9, .max_power_dbm = 10}};
  return l;
}

std::string refusal_of(const transmit_limits& l, double center_hz, double occupied_hz, double gain_db) {
  const auto band = l.band_for(center_hz, occupied_hz, gain_db);
  return band ? "" : band.error().message;
}

TEST(transmit_limits, the_whole_carrier_lies_in_one_band) {
  const auto l = two_bands();
  EXPECT_EQ(l.band_for(2.44e9, 9e6, 90).value()->name, "low");
  EXPECT_EQ(l.band_for(2.4045e9, 9e6, 90).value()->name, "low");
  EXPECT_NE(
      refusal_of(l, 2.4044e9, 9e6, 0).find("in no band of tx_limits; accepted: low (2400000000 to 2480000000), high"),
      std::string::npos);
  EXPECT_NE(refusal_of(l, 2.4756e9, 9e6, 0), "");
  EXPECT_NE(refusal_of(l, 3e9, 9e6, 0), "");
  EXPECT_FALSE(transmit_limits{}.band_for(3e9, 9e6, 0).value());
}

TEST(transmit_limits, power_is_the_measured_one_plus_the_gain) {
  auto l = two_bands();
  EXPECT_NE(refusal_of(l, 5.85e9, 9e6, 0).find("power_dbm_at_gain_0 is not given"), std::string::npos);
  l.power_dbm_at_gain_0 = -20;
  EXPECT_EQ(refusal_of(l, 5.85e9, 9e6, 30), "");
  EXPECT_EQ(refusal_of(l, 5.85e9, 9e6, 30.5),
            "tx_gain_db 30.5: 10.5 dBm in high; accepted: at most 30, which is 10 dBm");
}

// --- a radio ---------------------------------------------------------------------------------------------------------

constexpr double rate_hz = 1.92e6;
constexpr std::int64_t subframe = 1920;

radio_config limited(const std::string& device) {
  auto c = test::config_of(device, rate_hz);
  c.center_freq_hz = 2.44e9;
  c.limits = two_bands();
  return c;
}

TEST(radio_limits, opening_and_setting_refuse_what_they_do_not_allow) {
  const hub_process hub;
  auto c = limited(hub.device("mary"));
  c.center_freq_hz = 5.9e9;
  const auto refused = radio::open(c);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("in no band of tx_limits"), std::string::npos) << refused.error().message;
  c.transmits = false;
  EXPECT_TRUE(radio::open(c)) << "reception is not limited";
  c.transmits = true;
  c.center_freq_hz = 5.85e9;
  c.limits.power_dbm_at_gain_0 = 0;
  const auto mary = open_radio(c);
  ASSERT_TRUE(mary);
  EXPECT_FALSE(mary->set_tx_gain_db(10.5));
  EXPECT_TRUE(mary->set_tx_gain_db(10));
  EXPECT_FALSE(mary->set_center_freq_hz(2.44e9)) << "another band, another duty cycle";
  EXPECT_TRUE(mary->set_center_freq_hz(5.851e9));
  EXPECT_EQ(mary->duty_limit(), "");
}

/// Of 400 subframes every second one is asked for; 10 % of a second, less what the meter rounds up, is sent.
TEST(radio_limits, bursts_beyond_the_duty_cycle_are_not_on_the_air) {
  const hub_process hub;
  const auto mary = open_radio(limited(hub.device("mary")));
  const auto john = open_radio(test::config_of(hub.device("john"), rate_hz));
  ASSERT_TRUE(mary && john);
  EXPECT_EQ(mary->duty_limit(), "a duty cycle of 0.1 within 1 s: low");
  ASSERT_TRUE(john->set_center_freq_hz(2.44e9));
  const std::int64_t start = mary->now_tick().value() + static_cast<std::int64_t>(2 * rate_hz);
  ASSERT_TRUE(mary->start(start));
  ASSERT_TRUE(john->start(start));
  constexpr int n_subframes = 400;
  constexpr std::uint64_t n_allowed = 100;
  std::uint64_t heard = 0, n_sent = 0, n_withheld = 0;
  std::jthread listener([&] {
    std::vector<cf32> in(subframe);
    for (int k = 0; k < n_subframes + 4; ++k) {
      ASSERT_TRUE(john->read(in));
      for (const cf32 v : in) heard += std::abs(v) > 0.1F ? 1 : 0;
    }
  });
  {
    burst_sender sender(*mary, subframe);
    const std::vector<cf32> burst(subframe, cf32{0.5F, 0.0F});
    std::vector<cf32> in(subframe);
    for (int k = 0; k < n_subframes; ++k) {
      ASSERT_TRUE(sender.wait_until_begun());
      ASSERT_TRUE(mary->read(in));
      if (k % 2 != 0) continue;
      const auto s = sender.send(start + (k + 4) * subframe, burst);
      ASSERT_TRUE(s);
      (*s == transmit_status::sent ? n_sent : n_withheld) += 1;
    }
    ASSERT_TRUE(sender.finish());
    for (int k = 0; k < 4; ++k) ASSERT_TRUE(mary->read(in));
  }
  listener.join();
  EXPECT_EQ(n_sent, n_allowed);
  EXPECT_EQ(n_withheld, n_subframes / 2 - n_allowed);
  EXPECT_EQ(heard, n_sent * subframe);
  const auto counted = mary->counters();
  EXPECT_EQ(counted.withheld, n_withheld);
  EXPECT_EQ(counted.bursts_sent, n_sent);
  EXPECT_EQ(counted.lates, 0U);
}

TEST(radio_limits, a_radio_that_cannot_tune_stays_where_it_was) {
  const hub_process hub;
  const auto mary = open_radio(test::config_of(hub.device("mary"), rate_hz));
  const auto john = open_radio(test::config_of(hub.device("john"), rate_hz));
  ASSERT_TRUE(mary && john);
  const auto refused = mary->set_center_freq_hz(7e9);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("center_freq_hz 7000000000: the device tunes to 6"), std::string::npos)
      << refused.error().message;
  const std::int64_t start = mary->now_tick().value() + static_cast<std::int64_t>(2 * rate_hz);
  ASSERT_TRUE(mary->start(start));
  ASSERT_TRUE(john->start(start));
  const std::vector<cf32> burst(subframe, cf32{0.5F, 0.0F});
  const auto sent = mary->transmit(start + 4 * subframe, burst);
  ASSERT_TRUE(sent);
  EXPECT_EQ(*sent, transmit_status::sent);
  const auto heard_in = [](radio& r) {
    std::size_t heard = 0;
    std::vector<cf32> in(subframe);
    for (int k = 0; k < 8; ++k) {
      EXPECT_TRUE(r.read(in));
      for (const cf32 v : in) heard += std::abs(v) > 0.1F ? 1 : 0;
    }
    return heard;
  };
  std::jthread reader([&] { heard_in(*mary); });
  EXPECT_EQ(heard_in(*john), subframe);
}

TEST(radio_limits, a_leap_of_the_radios_time_gives_no_new_share) {
  const hub_process hub("faults:\n  - {node: mary, kind: clock_step, after_s: 0.1, step_ms: 3600000}");
  const auto mary = open_radio(limited(hub.device("mary")));
  ASSERT_TRUE(mary);
  std::vector<cf32> in(subframe);
  const auto start = mary->start();
  ASSERT_TRUE(start);
  const std::vector<cf32> all(100 * subframe, cf32{0.5F, 0.0F});
  const auto first = mary->transmit(*start + 10 * subframe, std::span(all).first(90 * subframe));
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, transmit_status::sent);
  std::int64_t now = 0;
  while (mary->counters().time_jumps == 0) {
    const auto s = mary->read(in);
    ASSERT_TRUE(s) << s.error().message;
    now = s->first_tick;
  }
  EXPECT_EQ(mary->admit(now + 100 * subframe, 20 * subframe), transmit_status::withheld);
  EXPECT_EQ(mary->admit(now + 2000 * subframe, 20 * subframe), transmit_status::sent);
}

TEST(radio_limits, a_burst_in_pieces_ends_where_the_duty_cycle_does) {
  const hub_process hub;
  const auto mary = open_radio(limited(hub.device("mary")));
  ASSERT_TRUE(mary);
  const std::vector<cf32> piece(10 * subframe, cf32{0.5F, 0.0F});
  const std::int64_t start = mary->now_tick().value() + static_cast<std::int64_t>(2 * rate_hz);
  int n_sent = 0;
  for (auto kind = burst_piece::first;; kind = burst_piece::middle) {
    const auto s = mary->transmit(start, piece, kind);
    ASSERT_TRUE(s) << s.error().message;
    if (*s == transmit_status::withheld) break;
    ++n_sent;
  }
  EXPECT_EQ(n_sent, 10);
  const auto next = mary->transmit(start + 10 * 10 * subframe, piece);
  ASSERT_TRUE(next);
  EXPECT_EQ(*next, transmit_status::withheld);
  EXPECT_EQ(mary->counters().withheld, 2U);
  const auto later = mary->transmit(start + static_cast<std::int64_t>(2 * rate_hz), piece);
  ASSERT_TRUE(later);
  EXPECT_EQ(*later, transmit_status::sent);
}

}  // namespace
}  // namespace prose::phy
