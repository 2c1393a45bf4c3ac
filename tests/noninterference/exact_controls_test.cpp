// With a mend taken out, the two worlds differ. Each control is the product without one check of
// tests/adversary/mutants/checks.py, in copies of its files (take_out.py), or a use of it that the program no longer
// makes.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/noninterference/taken_out.h"
#include "tests/noninterference/worlds.h"

using namespace prose;
using namespace prose::noninterference;

namespace {

constexpr worlds_config tm2{.tm = phy::transmission_mode::tm2, .slss = false, .seed = 11};
constexpr worlds_config tm4{.tm = phy::transmission_mode::tm4, .slss = false, .seed = 12};
constexpr worlds_config asking{.tm = phy::transmission_mode::tm2, .model_b = true, .slss = false, .seed = 13};

class noninterference_exact_control : public testing::Test {
protected:
  ~noninterference_exact_control() override { taken_out = ""; }
  static void expect_found_without(const char* check, const worlds_config& config) {
    taken_out = "";
    EXPECT_EQ(compare(config).difference, "") << "the product, in this very program";
    taken_out = check;
    const auto c = compare(config);
    EXPECT_NE(c.difference, "") << check;
    std::printf("without '%s': after %zu equal transmissions: %s\n", check, c.compared,
                c.difference.substr(0, 250).c_str());
  }
};

}  // namespace

TEST_F(noninterference_exact_control, kd_sess_id_halves_that_avoid_others) {
  expect_found_without("KD-sess ID: halves of other links are not avoided", tm2);
}
TEST_F(noninterference_exact_control, one_stream_for_all_peers_tm2) { expect_found_without("one stream a peer", tm2); }
TEST_F(noninterference_exact_control, one_stream_for_all_peers_tm4) { expect_found_without("one stream a peer", tm4); }
TEST_F(noninterference_exact_control, a_budget_that_all_peers_share_is_found) {
  expect_found_without("each peer has a budget of its own", tm2);
}
TEST_F(noninterference_exact_control, announcements_moved_by_responses) {
  expect_found_without("responses have places of their own", asking);
}
TEST_F(noninterference_exact_control, entries_moved_by_the_number_of_peers) {
  expect_found_without("entries are placed by seat", tm4);
}

TEST_F(noninterference_exact_control, asking_only_for_unlinked_peers) {
  auto weak = asking;
  weak.asks_only_without_link = true;
  EXPECT_NE(compare(weak).difference, "");
}
