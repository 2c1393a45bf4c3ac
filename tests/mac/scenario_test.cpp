// Mary, John and Peter in simulated time: discovery, links, data, epochs, in both transmission modes.
#include <gtest/gtest.h>

#include <cstdio>

#include "mac/default_pools.h"
#include "tests/mac/sim_air.h"

using namespace prose;
using namespace prose::mac;
using namespace prose::mac::test;

namespace {
struct scene {
  sim_air air;
  sim_node& mary;
  sim_node& john;
  sim_node& peter;
  explicit scene(const ue_config& c, const air_config& a = {}, const security::ue_config& s = {})
      : air(a), mary(air.add("mary", c, s)), john(air.add("john", c, s)), peter(air.add("peter", c, s)) {
    air.permit(mary, john);
    air.permit(john, peter);
  }
  bool linked(sim_node& a, sim_node& b) {
    return a.sec().links().link_with(a.id_of(b)).has_value() && b.sec().links().link_with(b.id_of(a)).has_value();
  }
  bool both_links(std::int64_t within = 20'000) {
    return air.run_until([&] { return linked(mary, john) && linked(john, peter); }, within);
  }
};

struct mode {
  phy::transmission_mode tm;
  int n_prb;
  double loss;
};
std::string case_name(const testing::TestParamInfo<mode>& i) {
  return "tm" + std::to_string(static_cast<int>(i.param.tm)) + "_" + std::to_string(i.param.n_prb) + "prb_loss" +
         std::to_string(static_cast<int>(i.param.loss * 100));
}
class three_ues : public testing::TestWithParam<mode> {};
}  // namespace

TEST_P(three_ues, discover_link_and_talk) {
  const auto p = GetParam();
  air_config a;
  a.loss = p.loss;
  a.seed = 11;
  scene s(default_ue_config(p.tm, p.n_prb), a);
  ASSERT_TRUE(s.both_links());
  const auto t_links = s.air.now;
  s.air.run(5000);
  EXPECT_TRUE(s.mary.discovered == std::set<int>{1} && s.peter.discovered == std::set<int>{1});
  EXPECT_EQ(s.john.discovered, (std::set<int>{0, 2}));
  // 200 SDUs each way on both links.
  const auto pay = [](int from, int to, int i) {
    std::vector<std::uint8_t> d(100 + static_cast<std::size_t>(i) * 5, static_cast<std::uint8_t>(i));
    d[0] = static_cast<std::uint8_t>(from), d[1] = static_cast<std::uint8_t>(to);
    return d;
  };
  struct pair {
    sim_node *a, *b;
  };
  for (int i = 0; i < 200; ++i) {
    for (const auto& [x, y] : {pair{&s.mary, &s.john}, {&s.john, &s.mary}, {&s.john, &s.peter}, {&s.peter, &s.john}}) {
      ASSERT_TRUE(x->mac().send(x->id_of(*y), security::sdu_type::ip, pay(x->index(), y->index(), i)));
      s.air.run(40 + static_cast<std::int64_t>(i) % 7);
    }
  }
  s.air.run(5000);
  for (const auto& [x, y] : {pair{&s.mary, &s.john}, {&s.john, &s.mary}, {&s.john, &s.peter}, {&s.peter, &s.john}}) {
    const auto& got = y->received[x->index()];
    for (const auto& d : got) {
      ASSERT_EQ(d[0], x->index());
      ASSERT_EQ(d[1], y->index());
      ASSERT_EQ(d, pay(d[0], d[1], static_cast<int>((d.size() - 100) / 5)));
    }
    // There is no ARQ on the sidelink: half-duplex and collisions cost some.
    EXPECT_GE(got.size(), p.loss > 0 ? 150U : 170U) << x->name() << " to " << y->name();
    printf("  %s to %s: %zu of 200\n", x->name().c_str(), y->name().c_str(), got.size());
  }
  EXPECT_TRUE(s.mary.received[2].empty() && s.peter.received[0].empty());
  EXPECT_TRUE(s.mary.lost.empty() && s.peter.lost.empty() && s.john.lost.empty());
  printf("  links after %lld subframes; mary %llu subframes sent\n", static_cast<long long>(t_links),
         static_cast<unsigned long long>(s.mary.mac().counters().subframes_sent));
}
INSTANTIATE_TEST_SUITE_P(
    all, three_ues,
    testing::Values(mode{phy::transmission_mode::tm2, 25, 0}, mode{phy::transmission_mode::tm2, 50, 0},
                    mode{phy::transmission_mode::tm2, 25, 0.2}, mode{phy::transmission_mode::tm4, 25, 0},
                    mode{phy::transmission_mode::tm4, 50, 0}, mode{phy::transmission_mode::tm4, 25, 0.2}),
    case_name);
