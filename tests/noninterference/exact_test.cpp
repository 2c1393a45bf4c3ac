// What John sends to Mary or to everybody is the same, octet by octet and subframe by subframe, whether he has a link
// with Peter or not. Seeds are fixed.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/noninterference/worlds.h"

using namespace prose;
using namespace prose::noninterference;

class noninterference_exact : public testing::TestWithParam<worlds_config> {};

TEST_P(noninterference_exact, mary_sees_the_same_with_peter_or_a_fourth_ue) {
  const auto c = compare(GetParam());
  EXPECT_EQ(c.difference, "");
  std::printf(
      "%zu transmissions equal, %zu to Peter, %zu discovery messages gave way, %zu injected; with Mary %d links, %d "
      "rekeyings, %d epochs, %d SDUs; with Peter %d links, %d rekeyings\n",
      c.compared, c.to_peter, c.hidden, c.injected, c.links_with_mary, c.rekeyings_with_mary, c.epochs_with_mary,
      c.heard_by_mary, c.links_with_peter, c.rekeyings_with_peter);
  // That the two had something to differ in.
  EXPECT_EQ(c.links_with_mary, 4);
  EXPECT_EQ(c.links_with_peter, 4);
  EXPECT_GE(c.rekeyings_with_mary, 3);
  EXPECT_GE(c.rekeyings_with_peter, 3);
  EXPECT_GE(c.epochs_with_mary, 1);
  EXPECT_GE(c.heard_by_mary, 30);
  EXPECT_GT(c.to_peter, 150U);
  EXPECT_GT(c.compared, 600U);
  EXPECT_GT(c.injected, 1000U);
}

INSTANTIATE_TEST_SUITE_P(
    two_worlds, noninterference_exact,
    testing::Values(
        worlds_config{.tm = phy::transmission_mode::tm2, .model_b = false, .slss = true, .seed = 1},
        worlds_config{.tm = phy::transmission_mode::tm2,
                      .model_b = true,
                      .slss = false,
                      .peter_first = true,
                      .mary_has_smaller_key = false,
                      .seed = 2},
        worlds_config{
            .tm = phy::transmission_mode::tm4, .model_b = false, .slss = false, .peter_first = true, .seed = 3},
        worlds_config{.tm = phy::transmission_mode::tm4,
                      .model_b = true,
                      .slss = true,
                      .mary_has_smaller_key = false,
                      .seed = 4}),
    [](const auto& p) {
      return std::string(p.param.tm == phy::transmission_mode::tm2 ? "tm2" : "tm4") +
             (p.param.model_b ? "_model_b" : "_model_a");
    });
