// Set-up, records, epochs, rekeying and release between honest UEs, and what each single check is there for.
#include <gtest/gtest.h>

#include "security/link.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

class links : public ::testing::Test {
 protected:
  void SetUp() override {
    john.knows(peter);
    peter.knows(john);
    john.knows(mary);
    mary.knows(john);
    world.ues = {&john, &peter, &mary};
    world.set_slots();
  }
  ue john{"john", 1}, peter{"peter", 2}, mary{"mary", 3};
  air world;
};

TEST_F(links, set_up_gives_both_sides_the_same_session_and_carries_data_both_ways) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  const auto at_john = john.events<link_established>();
  const auto at_peter = peter.events<link_established>();
  ASSERT_EQ(at_john.size(), 1U);
  ASSERT_EQ(at_peter.size(), 1U);
  EXPECT_EQ(at_john[0].kd_sess_id, at_peter[0].kd_sess_id);
  EXPECT_EQ(at_john[0].key_fingerprint, at_peter[0].key_fingerprint);
  EXPECT_EQ(at_john[0].suite_used, suite::aes_256_gcm);
  ASSERT_TRUE(world.send(john, l->first, {1, 2, 3}));
  ASSERT_TRUE(world.send(peter, l->second, {4, 5}));
  ASSERT_EQ(peter.inbox.size(), 1U);
  EXPECT_EQ(peter.inbox[0].data, (std::vector<std::uint8_t>{1, 2, 3}));
  ASSERT_EQ(john.inbox.size(), 1U);
  EXPECT_EQ(john.inbox[0].data, (std::vector<std::uint8_t>{4, 5}));
  EXPECT_TRUE(mary.inbox.empty());
  EXPECT_TRUE(mary.events<link_established>().empty());
}

TEST_F(links, sizes_on_air_are_at_most_65_57_and_24_octets) {
  ASSERT_TRUE(world.link_up(john, peter));
  ASSERT_GE(world.captured.size(), 3U);
  EXPECT_EQ(world.captured[0].octets.size(), 65U);
  EXPECT_EQ(world.captured[0].lcid, 28);
  EXPECT_EQ(world.captured[1].octets.size(), 57U);
  EXPECT_EQ(world.captured[1].lcid, 29);
  EXPECT_EQ(world.captured[2].octets.size(), 24U);
  EXPECT_EQ(world.captured[2].lcid, 29);
}

}  // namespace
}  // namespace prose::security::test
