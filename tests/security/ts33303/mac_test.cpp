// UEs of profile ts33303 with the real MAC on a simulated air: discovery, link, data, keep-alives, rekeying, release.
#include <gtest/gtest.h>

#include <map>

#include "mac/default_pools.h"
#include "tests/mac/diskless_ts33303.h"
#include "tests/mac/sim_air.h"

using namespace prose;
using namespace prose::mac;
using namespace prose::mac::test;
namespace std33303 = prose::security::ts33303;

namespace {

/// Of nodes a and b, whoever asks.
std33303::shared_kd kd_of(int a, int b) {
  const auto low = static_cast<std::uint8_t>(std::min(a, b)), high = static_cast<std::uint8_t>(std::max(a, b));
  return {0x51000000U | std::uint32_t{low} << 8 | high,
          std33303::kd_key::make([&](auto out) { out[0] = low, out[1] = high, out[2] = 1; })};
}

struct scene {
  sim_air air;
  std::map<int, std33303::direct_links*> links;
  sim_node& mary;
  sim_node& john;
  sim_node& peter;
  scene(const ue_config& c, const air_config& a)
      : air(a), mary(add("mary", c)), john(add("john", c)), peter(add("peter", c)) {
    air.permit(mary, john);
    air.permit(john, peter);
  }
  sim_node& add(const std::string& name, const ue_config& c) {
    return air.add(name, c, {}, {}, [this](int node, security::ue_security& s) {
      std::map<std::string, std33303::shared_kd, std::less<>> kds;
      for (int other = 0; other < 3; ++other)
        if (other != node) kds.emplace("n" + std::to_string(other), kd_of(node, other));
      auto made = std::make_unique<std33303::direct_links>(
          std33303::direct_link_config{}, *std33303::kd_table::make(std::move(kds)), s.peers(), s.discovery());
      links[node] = made.get();
      return std::make_unique<diskless_ts33303>(s, std::move(made));
    });
  }
  bool linked(sim_node& a, sim_node& b) {
    return links[a.index()]->link_with(a.id_of(b)) && links[b.index()]->link_with(b.id_of(a));
  }
  bool both_links() {
    return air.run_until([&] { return linked(mary, john) && linked(john, peter); }, 30'000);
  }
};

struct mode {
  phy::transmission_mode tm;
  double loss;
};
class ts33303_mac : public testing::TestWithParam<mode> {};

TEST_P(ts33303_mac, discover_link_talk_rekey_and_part) {
  air_config a;
  a.loss = GetParam().loss;
  a.seed = 11;
  scene s(default_ue_config(GetParam().tm, 25), a);
  ASSERT_TRUE(s.both_links());
  EXPECT_FALSE(s.links[0]->link_with(s.mary.id_of(s.peter)));
  for (int i = 0; i < 60; ++i) {
    const std::vector<std::uint8_t> text(200, static_cast<std::uint8_t>(i));
    ASSERT_TRUE(s.mary.mac().send(s.mary.id_of(s.john), security::sdu_type::ip, text));
    ASSERT_TRUE(s.john.mac().send(s.john.id_of(s.mary), security::sdu_type::ip, text));
    ASSERT_TRUE(s.john.mac().send(s.john.id_of(s.peter), security::sdu_type::ip, text));
    if (i == 20) {
      EXPECT_TRUE(s.mary.mac().rekey(s.mary.id_of(s.john)));
    }
    s.air.run(200);
  }
  EXPECT_TRUE(s.air.run_until([&] { return s.mary.rekeys[1] == 1 && s.john.rekeys[0] == 1; }, 12'000));
  const std::size_t least = a.loss > 0 ? 35 : 45;  // there is no ARQ: half-duplex and collisions cost some
  EXPECT_GE(s.mary.received[1].size(), least);
  EXPECT_GE(s.john.received[0].size(), least);
  EXPECT_GE(s.peter.received[1].size(), least);
  EXPECT_TRUE(s.mary.lost.empty() && s.peter.lost.empty() && s.john.lost.empty()) << s.john.lost_because;
  s.air.run(45'000);  // idle
  EXPECT_TRUE(s.mary.lost.empty() && s.peter.lost.empty() && s.john.lost.empty()) << s.john.lost_because;
  EXPECT_TRUE(s.john.mac().release(s.john.id_of(s.peter)));
  EXPECT_TRUE(s.air.run_until([&] { return s.peter.lost[1] == 1; }, 5'000));
}
INSTANTIATE_TEST_SUITE_P(all, ts33303_mac,
                         testing::Values(mode{phy::transmission_mode::tm2, 0}, mode{phy::transmission_mode::tm2, 0.2},
                                         mode{phy::transmission_mode::tm4, 0}));

}  // namespace
