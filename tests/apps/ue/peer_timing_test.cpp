#include "apps/ue/peer_timing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace prose::apps {
namespace {

/// A peer whose delay is `late_us` at 0 s and moves by `us_per_s`; readings once a second, scattered by `noise_us`.
struct drifting {
  double late_us, us_per_s, noise_us;
  peer_timing timing{phy::cyclic_prefix::normal};
  std::mt19937 random{1};
  double t_s = 0;
  std::optional<peer_timing::trend> next() {
    timing.add(t_s, late_us + us_per_s * t_s + std::normal_distribution<>(0, noise_us)(random));
    ++t_s;
    return timing.news();
  }
};

TEST(peer_timing, a_peer_at_the_right_time_is_no_news) {
  drifting d{0.3, 0, 0.1};
  for (int i = 0; i < 10000; ++i) EXPECT_FALSE(d.next());
  EXPECT_NEAR(d.timing.now()->late_us, 0.3, 0.6);
}

TEST(peer_timing, a_drift_is_told_before_half_of_the_prefix_where_it_ends_soon) {
  drifting d{0, 0.05, 0.02};  // 0.05 ppm: 19.3 us after 387 s
  std::optional<peer_timing::trend> first;
  while (!first) first = d.next();
  ASSERT_TRUE(first->us_per_minute && first->lost_in_minutes);
  EXPECT_LT(d.t_s, 20);
  EXPECT_NEAR(*first->us_per_minute, 3, 0.6);
  EXPECT_NEAR(*first->lost_in_minutes, (19.33 - first->late_us) / *first->us_per_minute, 0.01);
  EXPECT_EQ(words_of({2.34, 0.525, 8.4}), "comes 2.3 us late, 0.53 us a minute later: lost in 8 min");
}

TEST(peer_timing, each_quarter_of_the_prefix_is_told_once) {
  drifting d{0, 0.05, 0.02};
  int told = 0;
  double last = 0;
  while (d.t_s < 380)
    if (const auto t = d.next()) {
      if (told > 1) {
        EXPECT_GE(std::abs(t->late_us - last), 1.16);
      }
      last = t->late_us, ++told;
    }
  EXPECT_GE(told, 12);  // 19 us in steps of 1.2
  EXPECT_LE(told, 17);
}

TEST(peer_timing, early_peers_are_lost_at_the_early_end) {
  drifting d{0, -0.01, 0.0002};
  std::optional<peer_timing::trend> t;
  while (!t) t = d.next();
  EXPECT_NEAR(*t->lost_in_minutes, (5.33 + t->late_us) / 0.6, 0.2);
  EXPECT_EQ(words_of({-2.34, -0.6, std::nullopt}), "comes 2.3 us early, 0.60 us a minute earlier");
}

TEST(peer_timing, a_far_peer_that_stays_is_told_once) {
  drifting d{7, 0, 0.05};
  EXPECT_TRUE(d.next());
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(d.next());
}

TEST(peer_timing, scatter_is_no_drift) {
  drifting d{0, 0, 0.5};
  int claimed = 0;
  for (int i = 0; i < 2000; ++i) {
    d.next();
    claimed += d.timing.now()->us_per_minute.has_value();
  }
  EXPECT_LT(claimed, 20);
}

TEST(peer_timing, a_drift_that_has_ended_is_forgotten) {
  drifting d{0, 0.02, 0.001};
  while (d.t_s < 100) d.next();
  ASSERT_TRUE(d.timing.now()->us_per_minute);
  d.late_us = 2, d.us_per_s = 0;
  while (d.t_s < 230) d.next();
  EXPECT_FALSE(d.timing.now()->us_per_minute);
}

TEST(peer_timing, a_clock_set_back_begins_anew) {
  drifting d{0, 0.05, 0.02};
  for (int i = 0; i < 20; ++i) d.next();
  ASSERT_TRUE(d.timing.now()->us_per_minute);
  d.t_s = 10;  // so long after the first reading that the old ones would give a drift
  d.next();
  EXPECT_FALSE(d.timing.now()->us_per_minute);
}

}  // namespace
}  // namespace prose::apps
