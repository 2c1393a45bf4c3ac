// Checks of discovery that no other test missed when they were taken out one at a time (tests/adversary/mutants): each
// has one here.
#include <gtest/gtest.h>

#include <set>

#include "common/octet_order.h"
#include "security/link.h"
#include "tests/security/security_world.h"
#include "tests/security/single_checks.h"

namespace prose::security::test {
namespace {

TEST_F(single_checks, a_slot_that_takes_no_requests_any_more_is_no_address) {
  const auto& keys = bob.security->peers().find(std::string_view("alice"))->ours;
  (void)heard(alice, bob);
  const auto id = rendezvous_l2_id(keys, world.slot());
  EXPECT_TRUE(bob.owns(id, world.now + 8000));
  EXPECT_FALSE(bob.owns(id, world.now + 8001)) << "even where no tick has come";
}

TEST_F(single_checks, the_place_of_a_true_query_among_the_dummies_changes) {
  const auto& keys = alice.security->peers().find(std::string_view("bob"))->theirs;
  const std::vector<peer_id> wanted{alice.id_of(bob)};
  std::set<std::ptrdiff_t> places;
  for (int i = 0; i < 40; ++i) {
    world.now += 1000;
    world.set_slots();
    const auto sent = alice.security->discovery().queries(wanted, world.now);
    const auto at = std::find(sent.begin(), sent.end(), make_discovery(discovery_type::query, keys, world.slot()));
    ASSERT_NE(at, sent.end());
    places.insert(at - sent.begin());
  }
  EXPECT_EQ(places.size(), 4U);
}

TEST_F(single_checks, rendezvous_ids_and_codes_differ_by_slot_and_kind) {
  const auto& k = alice.security->peers().find(std::string_view("bob"))->ours;
  std::set<l2_id> ids;
  octet_set codes;
  for (slot_t t = 1; t <= 20; ++t) {
    ids.insert(rendezvous_l2_id(k, t));
    for (const auto type : {discovery_type::announcement, discovery_type::query, discovery_type::response}) {
      const auto pdu = make_discovery(type, k, t);
      codes.insert({pdu.begin() + 1, pdu.begin() + 24});
    }
  }
  EXPECT_EQ(ids.size(), 20U);
  EXPECT_EQ(codes.size(), 60U) << "an announcement tells nobody how to answer or to ask";
}

TEST_F(single_checks, a_query_beyond_the_boot_mark_waits_for_it) {
  // Alice's clock is five slots ahead: her query is of a slot after Bob's mark, but his answer would be of one before
  // it.
  ue_config config;
  config.discovery.answer_queries = true;
  ue again("bob", 905, bob.security->peers().own_private(), config, 1003);
  again.knows(alice);
  again.set_slot(1000, world.now);
  alice.set_slot(1005, world.now);
  const std::vector<peer_id> wanted{alice.id_of(bob)};
  int answered = 0;
  const auto ask = [&] {
    for (const auto& q : alice.security->discovery().queries(wanted, world.now))
      answered += again.security->discovery().receive(q, world.now).has_value();
  };
  ask();
  EXPECT_EQ(answered, 0);
  again.set_slot(1004, world.now);
  ask();
  EXPECT_EQ(answered, 1) << "after the mark he does";
}

TEST_F(single_checks, a_learnt_clock_offset_is_forgotten_after_a_long_silence) {
  auto& d = bob.security->discovery();
  d.learn_offset(bob.id_of(alice), world.slot(), world.slot());
  const auto& keys = alice.security->peers().find(std::string_view("bob"))->ours;
  const auto from_ahead = [&] { return make_discovery(discovery_type::announcement, keys, world.slot() + 10); };
  EXPECT_FALSE(d.receive(from_ahead(), world.now)) << "outside the narrow window";
  for (int i = 0; i < 3; ++i) {
    world.now += 50'000;
    bob.set_slot(world.slot(), world.now);
  }
  EXPECT_TRUE(d.receive(from_ahead(), world.now)) << "her clock may have been set anew";
}

}  // namespace
}  // namespace prose::security::test
