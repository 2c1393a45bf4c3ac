// Nothing of John's host that Mary's packets elicit depends on his link with Peter, and nothing that Peter sees on
// Mary. With the check named taken out, something does.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/noninterference/addresses.h"
#include "tests/noninterference/taken_out.h"

using prose::taken_out;
using prose::noninterference::compare_addresses;

namespace {

class noninterference_addresses : public testing::TestWithParam<bool> {
protected:
  ~noninterference_addresses() override { taken_out = ""; }
};
class noninterference_addresses_control : public testing::TestWithParam<const char*> {
protected:
  ~noninterference_addresses_control() override { taken_out = ""; }
};

}  // namespace

TEST_P(noninterference_addresses, are_the_same_with_peter_and_without) {
  const auto c = compare_addresses(GetParam());
  EXPECT_EQ(c.difference, "");
  std::printf("%zu packets of Mary's, %zu taken, %zu events of hers, %zu of Peter's\n", c.packets, c.taken,
              c.on_her_link, c.on_peters_link);
  EXPECT_GT(c.packets, 1000U);
  EXPECT_GE(c.taken, 8U);
  EXPECT_GT(c.on_her_link, c.taken);
  EXPECT_GE(c.on_peters_link, 10U);
}
INSTANTIATE_TEST_SUITE_P(either_first, noninterference_addresses, testing::Bool());

TEST_P(noninterference_addresses_control, is_found) {
  EXPECT_EQ(compare_addresses(true).difference, "") << "the product, in this very program";
  taken_out = GetParam();
  const auto c = compare_addresses(true);
  EXPECT_NE(c.difference, "") << GetParam();
  std::printf("without '%s': %s\n", GetParam(), c.difference.substr(0, 250).c_str());
}
INSTANTIATE_TEST_SUITE_P(each, noninterference_addresses_control,
                         testing::Values("an address comes from the pair's secret", "source of a link's packets",
                                         "one pair of IPv4 addresses on every link"),
                         [](const auto& i) { return "check_" + std::to_string(i.index); });
