// The abstract air of prose-town, against arithmetic, and small towns of the real MAC and security sublayer.
#include "apps/town/town.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "apps/town/output.h"
#include "mac/default_pools.h"

namespace prose::apps::town {
namespace {

TEST(town_curves, are_read_and_fall) {
  const auto& t = curve_table::built_in();
  for (const int tm : {2, 4})
    for (const auto& [c, prbs] : {std::pair{channel::pscch, 2}, {channel::pssch, 12}}) {
      EXPECT_EQ(t.error_rate(c, tm, prbs, -30), 1);
      EXPECT_EQ(t.error_rate(c, tm, prbs, 40), 0);
      double before = 1;
      for (double snr = -15; snr < 15; snr += 0.1) {
        const double now = t.error_rate(c, tm, prbs, snr);
        EXPECT_LE(now, before);
        before = now;
      }
    }
  EXPECT_EQ(t.error_rate(channel::psdch, 4, 2, 40), 1) << "there is no curve of PSDCH in TM4: it is TM2's";
}

TEST(town_curves, lie_on_straight_lines_between_points) {
  const auto t = curve_table::parse(
      "# x\nchannel,tm,mcs,n_prb,snr_db,trials,errors\npssch,2,14,5,0,10,8\npssch,2,14,5,2,10,4\n"
      "pssch,2,14,12,0,10,10\n");
  ASSERT_TRUE(t) << t.error().message;
  EXPECT_DOUBLE_EQ(t->error_rate(channel::pssch, 2, 4, 1), 0.6);
  EXPECT_DOUBLE_EQ(t->error_rate(channel::pssch, 2, 4, 0.5), 0.7);
  EXPECT_EQ(t->error_rate(channel::pssch, 2, 9, -0.1), 1);
  for (const char* bad : {"", "pssch,2,14,5,0,10\n", "pssch,2,14,5,0,10,11\n", "pssch,2,14,5,0,0,0\n",
                          "pssch,2,14,5,1,10,1\npssch,2,14,5,0,10,1\n"})
    EXPECT_FALSE(curve_table::parse(bad)) << bad;
}

TEST(town_ground, is_the_same_from_both_ends_and_has_no_edge) {
  ground_config c;
  c.side_m = 2000;
  const ground g(c, 300, 7);
  std::size_t pairs = 0;
  for (int i = 0; i < 300; ++i)
    for (const auto& h : g.hearers_of(i)) {
      if (static_cast<int>(h.who) == g.listener()) continue;
      ++pairs;
      bool back = false;
      for (const auto& b : g.hearers_of(static_cast<int>(h.who)))
        back = back || (static_cast<int>(b.who) == i && b.snr == h.snr);
      EXPECT_TRUE(back);
    }
  // Reach: 100 m 10^((20 + 12) / 40) = 631 m. The mean of a uniform town without edges.
  const double reach_km = 0.1 * std::pow(10.0, 32.0 / 40), expected = 299 / 4.0 * M_PI * reach_km * reach_km;
  EXPECT_NEAR(static_cast<double>(pairs) / 300, expected, 0.05 * expected);
}

/// Two UEs and the listener, all at 40 dB or as told.
class small_air : public ::testing::Test {
protected:
  static ground make_ground(int n) {
    ground_config c;
    c.equal = true;
    return {c, n, 1};
  }
  static sent discovery(int from, int prb, std::int64_t at = 38) {
    sent s{from, {}};
    s.t.subframe = at;
    s.t.absolute_subframe = static_cast<int>(at);
    s.t.psdch = mac::psdch_transmission{{prb, 0, prb + 1}, {}};
    return s;
  }
  std::uint64_t heard(const std::vector<sent>& all, int n = 4) {
    const auto g = make_ground(n);
    air a(mac::default_ue_config(phy::transmission_mode::tm2, 25), g, curve_table::built_in(), 1);
    a.subframe(
        38, all, [](void*, int, std::uint8_t) { return true; }, nullptr);
    counted = a.counted();
    return counted.psdch.heard;
  }
  air::totals counted;
};

TEST_F(small_air, one_is_heard_by_all_others) {
  EXPECT_EQ(heard({discovery(0, 3)}), 4U);  // three UEs and the listener
  EXPECT_EQ(counted.receptions, 4U);
}
TEST_F(small_air, who_sends_hears_nothing) {
  EXPECT_EQ(heard({discovery(0, 3), discovery(1, 9)}), 2U * 3);
  EXPECT_EQ(counted.psdch.half_duplex, 2U);
}
TEST_F(small_air, two_on_one_resource_are_lost_and_two_side_by_side_are_not) {
  // At 0 dB the curve leaves one of a hundred.
  EXPECT_LE(heard({discovery(0, 3), discovery(1, 3)}), 1U);
  EXPECT_GE(counted.psdch.collided, 5U);
  EXPECT_EQ(counted.discovery_sent, 1U) << "resources with energy at the listener";
  EXPECT_EQ(counted.psdch.weak, 0U);
}

TEST(town_air, the_stronger_of_two_is_captured) {
  ground_config c;
  c.side_m = 600;
  c.snr_100m_db = 40;
  const auto ue = mac::default_ue_config(phy::transmission_mode::tm2, 25);
  const ground g(c, 40, 3);
  air a(ue, g, curve_table::built_in(), 1);
  std::uint64_t stronger = 0, weaker = 0;
  for (int i = 0; i + 1 < 40; i += 2) {
    std::vector<sent> both;
    for (const int from : {i, i + 1}) {
      sent s{from, {}};
      s.t.subframe = 40 * i + 38;
      s.t.psdch = mac::psdch_transmission{{3, 0, 4}, {}};
      both.push_back(s);
    }
    a.subframe(
        both[0].t.subframe, both, [](void*, int, std::uint8_t) { return true; }, nullptr);
    for (const auto who : a.receivers())
      for (const auto& item : a.of(who).items) {
        float own = 0, other = 0;
        for (const auto& x : both)
          for (const auto& h : g.hearers_of(x.from))
            if (h.who == who) (x.from == item.of->from ? own : other) = h.snr;
        ++(own > other ? stronger : weaker);
      }
  }
  EXPECT_GT(stronger, 200U);
  EXPECT_LT(weaker, stronger / 50);
}

town_config small_town(int ues, int tm) {
  town_config c;
  c.ues = ues;
  c.tm = tm;
  c.seconds = 12;
  c.every_s = 1;
  c.ground.equal = true;
  c.ground.highest_snr_db = 30;
  return c;
}
town_result run(const town_config& c) {
  return *run_town(
      c, [] { return false; }, [](double) {});
}

// A UE sends six announcements in a period of 192 resources, in 16 subframes of 12. One is heard by a UE that does not
// send in its subframe (10 of 16) if none of the n - 2 others has its resource.
TEST(town_discovery, collides_as_often_as_arithmetic_says) {
  for (const int n : {8, 24}) {
    auto c = small_town(n, 2);
    c.every_s = 0;
    c.listener = false;
    const auto f = run(c).figures;
    const auto& d = f.counted.psdch;
    EXPECT_GT(d.collided, 0U);
    const double share = static_cast<double>(f.messages_heard) / static_cast<double>(f.messages_sent) / (n - 1);
    EXPECT_NEAR(share, 10.0 / 16 * std::pow(1 - 6.0 / 192, n - 2), 0.02) << n << " UEs";
  }
}

class every_mode : public ::testing::TestWithParam<int> {};

TEST_P(every_mode, eight_ues_find_each_other_link_and_deliver) {
  const auto r = run(small_town(8, GetParam()));
  const auto& f = r.figures;
  EXPECT_EQ(f.discovered, f.directions);
  EXPECT_GE(f.pairs, 7U);
  EXPECT_EQ(f.linked, f.pairs);
  EXPECT_GT(f.sent, 50U);
  EXPECT_GE(static_cast<double>(f.delivered), 0.9 * static_cast<double>(f.sent));
  EXPECT_LE(f.delivered, f.sent);
  EXPECT_LT(f.discovery_median_ms, 3000);
  ASSERT_TRUE(f.judged);
  EXPECT_NE(f.judged->outcome, verdict_outcome::exposed) << f.judged->reason;
  EXPECT_GT(f.judged->records, 50U);
}

TEST_P(every_mode, who_is_out_of_reach_is_not_found) {
  auto c = small_town(8, GetParam());
  c.ground.highest_snr_db = -11;  // above what counts at all, below every curve
  c.link_snr_db = -20;
  const auto f = run(c).figures;
  EXPECT_GT(f.directions, 0U);
  EXPECT_EQ(f.linked, 0U);
  EXPECT_TRUE(std::isnan(f.discovery_median_ms));
}

TEST_P(every_mode, the_seed_alone_decides) {
  auto c = small_town(6, GetParam());
  c.seconds = 5;
  const auto alone = to_line(c, run(c), false);
  std::vector<std::string> lines(2);
  std::thread other([&] { lines[0] = to_line(c, run(c), false); });
  lines[1] = to_line(c, run(c), false);
  other.join();
  EXPECT_EQ(lines[0], alone);
  EXPECT_EQ(lines[1], alone);
  c.seed = 2;
  EXPECT_NE(to_line(c, run(c), false), alone);
}

INSTANTIATE_TEST_SUITE_P(tm, every_mode, ::testing::Values(2, 4),
                         [](const auto& i) { return "tm" + std::to_string(i.param); });

TEST(town_output, reads_what_it_writes) {
  auto c = small_town(4, 2);
  c.seconds = 3;
  const auto line = to_line(c, run(c), true);
  const auto row = read_line(line);
  ASSERT_TRUE(row) << line;
  EXPECT_EQ(row->town, name_of(c));
  EXPECT_EQ(row->ues, 4);
  EXPECT_EQ(row->figures.at("directions"), 2 * row->figures.at("pairs"));
  EXPECT_GT(row->figures.at("cost.steps"), 0);
  EXPECT_NE(table_of({*row}).find("found %"), std::string::npos);
  for (const char* bad : {"", "{}", "[1]", "{\"town\":1}", "{\"town\":\"x\",\"tm\":2,\"ues\":\"3\"}"})
    EXPECT_FALSE(read_line(bad)) << bad;
}

}  // namespace
}  // namespace prose::apps::town
