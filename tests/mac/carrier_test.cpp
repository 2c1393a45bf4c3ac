// UEs on the default pools of every bandwidth, and in a pool of two parts.
#include <algorithm>
#include <tuple>

#include "tests/mac/simulation.h"

namespace prose::mac::test {
namespace {

class every_carrier : public testing::TestWithParam<std::tuple<int, phy::transmission_mode>> {};

TEST_P(every_carrier, links_and_carries_data) {
  const auto [n_prb, tm] = GetParam();
  sim_air air(air_config{});
  const auto c = default_ue_config(tm, n_prb);
  auto& x = air.add("a", c);
  auto& y = air.add("b", c);
  air.permit(x, y);
  ASSERT_TRUE(air.run_until([&] { return linked(x, y); }, 30'000));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(x.mac().send(x.id_of(y), security::sdu_type::ip, numbered(i)));
    air.run(200);
  }
  EXPECT_GE(y.received[0].size(), 15U);  // half-duplex and discovery cost some
}
INSTANTIATE_TEST_SUITE_P(all, every_carrier,
                         testing::Combine(testing::ValuesIn(phy::bandwidths_prb),
                                          testing::Values(phy::transmission_mode::tm2, phy::transmission_mode::tm4)));

// An allocation is one run of PRBs (TS 36.211 9.3.6), so none is chosen that the gap would tear apart.
TEST(carrier, nothing_is_sent_across_the_gap_of_a_pool) {
  sim_air air(air_config{});
  auto c = default_ue_config(phy::transmission_mode::tm2, 25);
  c.comm.data->prb = {7, 1, 23};  // 1 to 7 and 17 to 23
  c.tm2.max_prb = 12;
  c.sync.mode = time_mode::gnss;  // no SLSS displaces a transmission
  c.discovery_tx.announce = true;
  int low = 0, high = 0, other = 0;
  air.on_air = [&](int, const subframe_transmission& t) {
    if (!t.pssch) return;
    const int first = t.pssch->config.prb_start, last = first + t.pssch->config.n_prb - 1;
    ++(first >= 1 && last <= 7 ? low : first >= 17 && last <= 23 ? high : other);
  };
  auto& x = air.add("a", c);
  auto& y = air.add("b", c);
  air.permit(x, y);
  ASSERT_TRUE(air.run_until([&] { return linked(x, y); }, 30'000));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(x.mac().send(x.id_of(y), security::sdu_type::ip, numbered(i)));
    air.run(80);
  }
  EXPECT_EQ(other, 0);
  EXPECT_GT(low, 40);
  EXPECT_GT(high, 40);
  // Each block is sent four times; the last may still be under way.
  const auto s = x.mac().counters().scheduler;
  EXPECT_GT(s.blocks, 50U);
  EXPECT_GE(s.pssch + 3, 4 * s.blocks);
}

}  // namespace
}  // namespace prose::mac::test
