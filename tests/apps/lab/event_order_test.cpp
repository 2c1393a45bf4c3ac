// What a UE tells of a peer comes in its order: no data before the link that carried them. With losses the first record
// that proves a link to its responder is often one of data.
#include <gtest/gtest.h>

#include "mac/default_pools.h"
#include "tests/mac/sim_air.h"

namespace prose::mac::test {
namespace {

TEST(event_order, data_never_come_before_their_link) {
  int links = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    sim_air air({.loss = 0.8, .seed = seed});
    auto& mary = air.add("mary", default_ue_config(phy::transmission_mode::tm2, 25));
    auto& john = air.add("john", default_ue_config(phy::transmission_mode::tm2, 25));
    air.permit(mary, john);
    const std::vector<std::uint8_t> octets(20, 7);
    for (int i = 0; i < 250; ++i) {
      air.run(100);
      mary.mac().send(mary.id_of(john), security::sdu_type::ip, octets);
      john.mac().send(john.id_of(mary), security::sdu_type::ip, octets);
    }
    for (const auto* n : {&mary, &john}) {
      links += n->established.empty() ? 0 : 1;
      EXPECT_EQ(n->data_before_link, 0) << n->name() << ", seed " << seed;
    }
  }
  EXPECT_GT(links, 40);
}

}  // namespace
}  // namespace prose::mac::test
