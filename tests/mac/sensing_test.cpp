// TS 36.213 14.1.1.6, step by step.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "mac/sensing.h"

using namespace prose::mac;

namespace {
struct bench {
  sensing_config config;
  sensing_history history;
  explicit bench(sensing_config c = {}) : config(c), history(c) {}
  void listen(std::int64_t from, std::int64_t to, std::vector<double> rssi = {}) {
    for (auto y = from; y < to; ++y) history.subframe(y, true, rssi);
  }
  std::vector<candidate_resource> ask(const selection_request& q, selection_outcome* o = nullptr) const {
    std::vector<candidate_resource> out;
    const auto r = history.candidates(q, out);
    if (o != nullptr) *o = r;
    return out;
  }
};
bool has(const std::vector<candidate_resource>& v, std::int64_t y, int x) {
  return std::find(v.begin(), v.end(), candidate_resource{y, x}) != v.end();
}
sensing_config three_subchannels() {
  sensing_config c;
  c.n_subchannels = 3;
  return c;
}
}  // namespace

TEST(sensing, silence_leaves_the_whole_window) {
  bench b(three_subchannels());
  b.listen(0, 1000);
  selection_outcome o;
  const auto c = b.ask({.n = 1000, .n_subchannels = 1, .priority = 1, .period_subframes = 100, .c_resel = 50}, &o);
  EXPECT_EQ(o.n_total, 3 * 97);
  EXPECT_EQ(c.size(), 3U * 97U);
  EXPECT_TRUE(has(c, 1004, 0));
  EXPECT_TRUE(has(c, 1100, 2));
  EXPECT_EQ(b.ask({.n = 1000, .n_subchannels = 3, .priority = 1}).size(), 97U);
  EXPECT_TRUE(b.ask({.n = 1000, .n_subchannels = 4, .priority = 1}).empty());
}
TEST(sensing, a_reservation_above_the_threshold_excludes_what_it_overlaps) {
  bench b(three_subchannels());
  b.listen(0, 1000);
  b.history.heard(
      {.y = 950, .first_subchannel = 1, .n_subchannels = 1, .priority = 1, .period_subframes = 100, .rsrp_dbm = -90});
  const auto one = b.ask({.n = 1000, .n_subchannels = 1, .priority = 1, .period_subframes = 100, .c_resel = 50});
  EXPECT_FALSE(has(one, 1050, 1));
  EXPECT_TRUE(has(one, 1050, 0) && has(one, 1050, 2) && has(one, 1051, 1));
  const auto two = b.ask({.n = 1000, .n_subchannels = 2, .priority = 1, .period_subframes = 100, .c_resel = 50});
  EXPECT_FALSE(has(two, 1050, 0) || has(two, 1050, 1));
  EXPECT_EQ(two.size(), 97U * 2U - 2U);
}
TEST(sensing, a_weak_reservation_excludes_nothing) {
  bench b(three_subchannels());
  b.listen(0, 1000);
  b.history.heard({.y = 950, .first_subchannel = 1, .period_subframes = 100, .rsrp_dbm = -111});
  EXPECT_TRUE(has(b.ask({.n = 1000, .period_subframes = 100, .c_resel = 50}), 1050, 1));
}
TEST(sensing, the_threshold_depends_on_both_priorities) {
  auto c = three_subchannels();
  c.threshold_dbm[(3 - 1) * 8 + (5 - 1)] = -80;
  bench b(c);
  b.listen(0, 1000);
  b.history.heard({.y = 950, .first_subchannel = 0, .priority = 5, .period_subframes = 100, .rsrp_dbm = -90});
  EXPECT_TRUE(has(b.ask({.n = 1000, .priority = 3, .period_subframes = 100, .c_resel = 50}), 1050, 0));
  EXPECT_FALSE(has(b.ask({.n = 1000, .priority = 5, .period_subframes = 100, .c_resel = 50}), 1050, 0));
}
TEST(sensing, short_periods_recur_within_the_window) {
  bench b(three_subchannels());
  b.listen(0, 1000);
  b.history.heard({.y = 990, .first_subchannel = 0, .period_subframes = 20, .rsrp_dbm = -60});
  const auto c = b.ask({.n = 1000, .period_subframes = 100, .c_resel = 1});
  for (int y : {1010, 1030, 1050, 1070, 1090}) EXPECT_FALSE(has(c, y, 0)) << y;
  EXPECT_TRUE(has(c, 1020, 0));
  // Older than its own period: only the next occurrence is assumed (Q = 1), which has passed.
  bench old(three_subchannels());
  old.listen(0, 1000);
  old.history.heard({.y = 970, .first_subchannel = 0, .period_subframes = 20, .rsrp_dbm = -60});
  EXPECT_EQ(old.ask({.n = 1000, .period_subframes = 100, .c_resel = 1}).size(), 3U * 97U);
}
TEST(sensing, own_future_transmissions_count) {
  bench b(three_subchannels());
  b.listen(0, 1000);
  // Occupies y = 1550: that is occurrence j = 5 of a candidate at 1050 with period 100.
  b.history.heard({.y = 550, .first_subchannel = 2, .period_subframes = 1000, .rsrp_dbm = -60});
  EXPECT_FALSE(has(b.ask({.n = 1000, .period_subframes = 100, .c_resel = 6}), 1050, 2));
  EXPECT_TRUE(has(b.ask({.n = 1000, .period_subframes = 100, .c_resel = 5}), 1050, 2));
}
TEST(sensing, an_unmonitored_subframe_excludes_all_its_periods) {
  bench b(three_subchannels());
  b.listen(0, 1000);
  b.history.subframe(960, false, {});
  const auto c = b.ask({.n = 1000, .period_subframes = 0, .c_resel = 1});
  // 960 + 50 and 960 + 100; 960 + 20 = 980 is past and 20 does not recur that late (1000 - 960 > 20).
  for (int x = 0; x < 3; ++x) {
    EXPECT_FALSE(has(c, 1010, x));
    EXPECT_FALSE(has(c, 1060, x));
    EXPECT_TRUE(has(c, 1020, x));
  }
}
TEST(sensing, too_few_left_raises_the_threshold_by_3_db) {
  bench b(three_subchannels());
  b.listen(0, 1000);
  for (int y = 900; y < 1000; ++y)
    b.history.heard(
        {.y = y, .first_subchannel = 0, .n_subchannels = 3, .period_subframes = 100, .rsrp_dbm = y % 2 ? -105.5 : -60});
  selection_outcome o;
  const auto c = b.ask({.n = 1000, .period_subframes = 100, .c_resel = 1, .t2 = 103}, &o);
  EXPECT_EQ(o.threshold_raises, 2);  // -110 -> -104
  EXPECT_FALSE(c.empty());
  for (const auto& r : c) EXPECT_TRUE((r.y % 2 == 1) || r.y > 1099) << r.y;
}
TEST(sensing, the_quietest_fifth_remains) {
  bench b(three_subchannels());
  for (int y = 0; y < 1000; ++y) {
    const double busy = y % 100 < 80 ? -70 : -100;
    b.history.subframe(y, true, std::vector<double>{busy, busy, busy});
  }
  selection_outcome o;
  const auto c = b.ask({.n = 1000, .period_subframes = 100, .c_resel = 1}, &o);
  EXPECT_GE(c.size(), 59U);
  EXPECT_LE(c.size(), 63U);
  for (const auto& r : c) EXPECT_GE(r.y % 100, 80);
}
// Step 7: "if the number of candidate single-subframe resources remaining in S_A is smaller than 0.2 M_total" the
// thresholds go up by 3 dB, no further than it takes.
TEST(sensing, the_threshold_stops_where_a_fifth_remains) {
  const auto reserve = [](int n_subframes, auto&& rsrp) {
    bench b(three_subchannels());
    b.listen(0, 996);
    for (int i = 0; i < n_subframes; ++i)
      b.history.heard(
          {.y = 800 + i, .first_subchannel = 0, .n_subchannels = 3, .period_subframes = 200, .rsrp_dbm = rsrp(i)});
    selection_outcome o;
    b.ask({.n = 996, .period_subframes = 100, .c_resel = 1, .t1 = 4, .t2 = 103}, &o);
    EXPECT_EQ(o.n_total, 300);
    return o;
  };
  const auto loud = [](int) { return -60.0; };
  EXPECT_EQ(reserve(80, loud).n_after_exclusion, 60);
  EXPECT_EQ(reserve(80, loud).threshold_raises, 0) << "exactly 20 %";
  EXPECT_EQ(reserve(81, loud).n_after_exclusion, 300);
  EXPECT_EQ(reserve(81, loud).threshold_raises, 17) << "-110 + 17 * 3 = -59 dBm";
  // Half a dB more in each subframe: 3 dB give back six subframes, and four times six are the first that are 20 of 100.
  const auto o = reserve(100, [](int i) { return -110 + 0.5 * (i + 1); });
  EXPECT_EQ(o.threshold_raises, 4);
  EXPECT_EQ(o.n_after_exclusion, 3 * 24);
}
// Steps 8 and 9: E is the linear average of the S-RSSI over the sub-channels of the candidate and over the subframes
// 100 apart; the 20 % of M_total with the smallest are S_B.
TEST(sensing, s_b_is_the_fifth_with_the_smallest_average) {
  // Any order, so that the quietest sums of two or three sub-channels are not where a single one is quietest.
  std::vector<int> levels(300);
  std::iota(levels.begin(), levels.end(), 1);
  std::shuffle(levels.begin(), levels.end(), std::mt19937(1));
  const auto power = [&](std::int64_t y, int m) { return static_cast<double>(levels[y % 100 * 3 + m]); };
  // Every second time three times as much, or a third: the average counts, not the last one nor the decibels.
  const auto factor_at = [](std::int64_t y) { return y / 100 % 2 == 0 ? 3 : 1.0 / 3; };
  const auto average = [&](std::int64_t y, int m) {
    double sum = 0;
    int n = 0;
    for (std::int64_t before = y - 100; before >= 0; before -= 100)
      if (before < 996) sum += factor_at(before), ++n;
    return power(y, m) * sum / n;
  };
  bench b(three_subchannels());
  for (int y = 0; y < 996; ++y) {
    const double factor = factor_at(y);
    std::vector<double> rssi;
    for (int m = 0; m < 3; ++m) rssi.push_back(-90 + 10 * std::log10(power(y, m) * factor));
    b.history.subframe(y, true, rssi);
  }
  for (int l = 1; l <= 3; ++l) {
    std::vector<std::pair<double, candidate_resource>> all;
    for (int y = 1000; y < 1100; ++y)
      for (int x = 0; x + l <= 3; ++x) {
        double sum = 0;
        for (int m = x; m < x + l; ++m) sum += average(y, m);
        all.push_back({sum, {y, x}});
      }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& c) { return a.first < c.first; });
    const auto c = b.ask({.n = 996, .n_subchannels = l, .period_subframes = 100, .c_resel = 1, .t1 = 4, .t2 = 103});
    const std::size_t fifth = all.size() / 5;
    EXPECT_GE(c.size(), fifth) << l;
    EXPECT_LE(c.size(), fifth + 2) << l;  // what is as quiet as the last one
    for (std::size_t i = 0; i < fifth; ++i)
      EXPECT_TRUE(has(c, all[i].second.y, all[i].second.first_subchannel)) << l << ' ' << i;
    for (const auto& r : c) {
      double sum = 0;
      for (int m = r.first_subchannel; m < r.first_subchannel + l; ++m) sum += average(r.y, m);
      EXPECT_LE(sum, all[fifth - 1].first + 1e-3) << l;
    }
  }
}
TEST(sensing, an_announced_second_transmission_is_avoided) {
  bench b(three_subchannels());
  b.listen(0, 1000);
  b.history.heard({.y = 1010, .first_subchannel = 1, .rsrp_dbm = -60});
  const auto c = b.ask({.n = 1000});
  EXPECT_FALSE(has(c, 1010, 1));
  EXPECT_EQ(c.size(), 3U * 97U - 1U);
}
TEST(sensing, a_flood_of_reservations_keeps_memory_and_still_answers) {
  bench b(three_subchannels());
  for (int y = 0; y < 1000; ++y) {
    b.history.subframe(y, true, {});
    for (int i = 0; i < 50; ++i)
      b.history.heard(
          {.y = y, .first_subchannel = i % 3, .priority = 1 + i % 8, .period_subframes = 100, .rsrp_dbm = -50});
  }
  selection_outcome o;
  EXPECT_FALSE(b.ask({.n = 1000, .period_subframes = 100, .c_resel = 150}, &o).empty());
  EXPECT_GT(o.threshold_raises, 10);
  b.history.heard({.y = 999, .first_subchannel = -1});
  b.history.heard({.y = 999, .first_subchannel = 2, .n_subchannels = 2});
  b.history.heard({.y = 999, .priority = 9});
}

TEST(sensing, subframes_outside_the_pool_are_no_candidates) {
  bench b(three_subchannels());
  b.listen(0, 1000);
  std::vector<std::uint8_t> usable(97, 0);
  usable[10] = usable[20] = 1;
  selection_outcome o;
  const auto c = b.ask({.n = 1000, .usable = usable}, &o);
  EXPECT_EQ(o.n_total, 6);
  EXPECT_EQ(c.size(), 6U);
  EXPECT_TRUE(has(c, 1014, 0) && has(c, 1024, 2));
}
