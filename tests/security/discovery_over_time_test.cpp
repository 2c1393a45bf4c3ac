// Discovery as permissions, clocks and boots change.
#include <gtest/gtest.h>

#include "tests/security/discovery_fixture.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

TEST_F(discovery, a_withdrawn_permission_ends_discovery) {
  at(1000);
  const auto before = announced(*peter);
  std::vector<l2_id> ids;
  peter->security->append_own_l2_ids(now, ids);
  ASSERT_EQ(ids.size(), 1U);
  ASSERT_TRUE(peter->security->remove_peer(peter->id_of(*john), now, peter->pending));
  ids.clear();
  peter->security->append_own_l2_ids(now, ids);
  EXPECT_TRUE(ids.empty());
  at(1001);
  EXPECT_EQ(announced(*peter).size(), 16U);
  EXPECT_TRUE(heard(*john, announced(*peter)).empty());
  EXPECT_TRUE(heard(*peter, announced(*john)).empty());
  EXPECT_EQ(peter->security->discovery().monitor_table_size(), 0U);
}

TEST_F(discovery, a_renewed_permission_makes_no_used_code_good) {
  at(1000);
  const auto regrant = [&](ue& u, const ue& other) {
    ASSERT_TRUE(u.security->remove_peer(u.id_of(other), now, u.pending));
    u.knows(other);
  };
  const auto johns = announced(*john);
  ASSERT_EQ(heard(*peter, johns).size(), 1U);
  const std::vector<peer_id> wanted{john->id_of(*peter)};
  const auto queries = john->security->discovery().queries(wanted, now);
  const auto answers = [&](const std::vector<discovery_pdu>& list) {
    int n = 0;
    for (const auto& q : list) n += hear(*peter, q) ? 1 : 0;
    return n;
  };
  ASSERT_EQ(answers(queries), 1);
  const auto rendezvous = [&] {
    std::vector<l2_id> ids;
    peter->security->append_own_l2_ids(now, ids);
    return ids.size();
  };
  announced(*peter);
  EXPECT_EQ(rendezvous(), 1U);
  for (int i = 0; i < 3; ++i) {
    regrant(*peter, *john);
    EXPECT_TRUE(heard(*peter, johns).empty());
    EXPECT_EQ(answers(queries), 0);
    announced(*peter);
    EXPECT_EQ(rendezvous(), 0U) << "which requests this slot has taken is forgotten, so it takes none";
  }
  john->set_slot(1001, now);
  EXPECT_EQ(answers(john->security->discovery().queries(wanted, now)), 1) << "a new query is answered";
  EXPECT_EQ(rendezvous(), 0U) << "in a slot that takes no request";
  at(1002);
  EXPECT_TRUE(heard(*peter, johns).empty());
  EXPECT_EQ(answers(queries), 0);
  EXPECT_EQ(heard(*peter, announced(*john)).size(), 1U) << "the next slot's is good";
  EXPECT_EQ(answers(john->security->discovery().queries(wanted, now)), 1);
  EXPECT_EQ(rendezvous(), 1U);
}

TEST_F(discovery, monitor_table_keeps_its_size_as_time_passes) {
  at(1000);
  const auto n = john->security->discovery().monitor_table_size();
  EXPECT_EQ(n, 2U * 33U * 2U) << "two peers, 33 slots, announcements and queries";
  for (slot_t t = 1001; t < 1200; ++t) {
    at(t);
    EXPECT_EQ(john->security->discovery().monitor_table_size(), n);
    EXPECT_LE(john->security->discovery().rendezvous_table_size(), 2U * 10U);
    announced(*john);
  }
}

TEST_F(discovery, after_a_boot_no_slot_up_to_the_mark_is_used) {
  at(1000);
  const auto peters = announced(*peter);
  const std::vector<peer_id> wanted{peter->id_of(*john)};
  const auto queries = peter->security->discovery().queries(wanted, now);
  ue again("john", 46, john->security->peers().own_private(), config, 1030);  // what John's disk said
  again.knows(*peter);
  auto& d = again.security->discovery();
  for (slot_t t = 1001; t <= 1030; ++t) {
    again.set_slot(t, time_ms{t} * 1000);
    EXPECT_TRUE(d.announcements(now).empty());
    const std::vector<peer_id> asked{again.id_of(*peter)};
    EXPECT_TRUE(d.queries(asked, now).empty());
    for (const auto& x : peters) EXPECT_FALSE(d.receive(x, now));
    for (const auto& q : queries) EXPECT_FALSE(d.receive(q, now));
  }
  again.set_slot(1031, now);
  EXPECT_EQ(d.announcements(now).size(), 16U);
}

TEST_F(discovery, a_slot_is_used_for_three_seconds_at_most) {
  at(1000);
  auto& d = peter->security->discovery();
  const std::vector<peer_id> wanted{peter->id_of(*john)};
  const auto johns = announced(*john);
  EXPECT_EQ(d.announcements(now + 3000).size(), 16U);
  EXPECT_TRUE(d.announcements(now + 3001).empty());
  EXPECT_TRUE(d.queries(wanted, now + 3001).empty());
  EXPECT_EQ(d.advance(5000, now + 3001), slot_clock::step_result::refused_jump);
  EXPECT_EQ(d.advance(1000, now + 3001), slot_clock::step_result::unchanged);
  EXPECT_TRUE(d.announcements(now + 3001).empty()) << "neither a refused leap nor the same slot again renews it";
  for (const auto& x : johns) EXPECT_FALSE(d.receive(x, now + 3001));
  int heard_late = 0;
  EXPECT_EQ(d.advance(1004, now + 4000), slot_clock::step_result::advanced);
  for (const auto& x : johns) heard_late += d.receive(x, now + 4000) ? 1 : 0;
  EXPECT_EQ(heard_late, 1) << "not consumed by what was dropped";
  EXPECT_EQ(d.announcements(now + 4000).size(), 16U);
}

TEST_F(discovery, another_encoding_of_a_peers_key_is_no_second_peer) {
  auto alias = peter->security->peers().own_public();
  alias.octets[31] |= 0x80;
  EXPECT_FALSE(john->security->add_peer("alias", alias));
  EXPECT_FALSE(peter->security->add_peer("myself", alias));
}

TEST(slot_clock, never_goes_back_never_leaps_and_never_outruns_the_mark) {
  using r = slot_clock::step_result;
  slot_clock c;
  EXPECT_FALSE(c.may_emit());
  EXPECT_EQ(c.set(1000, 0), r::advanced);
  EXPECT_FALSE(c.may_emit()) << "no mark is stored yet";
  ASSERT_EQ(c.mark_to_store(), 1030U);
  c.mark_stored(1030);
  EXPECT_TRUE(c.may_emit());
  EXPECT_EQ(c.set(999, 0), r::refused_back);
  EXPECT_EQ(c.set(1000, 0), r::unchanged);
  EXPECT_EQ(c.set(1061, 0), r::refused_jump);
  EXPECT_EQ(c.set(1060, 0), r::advanced);
  EXPECT_FALSE(c.may_emit()) << "beyond the stored mark";
  EXPECT_EQ(c.set(1'000'000, 0), r::refused_jump);
  EXPECT_EQ(c.set(1'000'000, 0, true), r::advanced);
  slot_clock end;
  end.set(UINT32_MAX, 0);
  EXPECT_EQ(end.mark_to_store(), UINT32_MAX);
  end.mark_stored(UINT32_MAX);
  EXPECT_EQ(end.mark_to_store(), std::nullopt);
}

TEST(slot_clock, a_return_from_a_long_error_is_no_leap) {
  using r = slot_clock::step_result;
  constexpr time_ms start = 5'000, later = start + 3'600'000;
  slot_clock c(999);
  EXPECT_EQ(c.set(1000, start), r::advanced);
  c.mark_stored(1030);
  // For an hour back or far ahead, and never believed: being refused renews nothing.
  for (time_ms now = start + 1000; now < later; now += 1000) {
    EXPECT_EQ(c.set(400, now), r::refused_back);
    EXPECT_EQ(c.set(1'000'000, now), r::refused_jump);
  }
  EXPECT_EQ(c.set(1000 + 3600 + 61, later), r::refused_jump) << "the room for a step does not grow with the time";
  EXPECT_EQ(c.set(1000 + 3600, later), r::advanced);
  EXPECT_FALSE(c.may_emit()) << "the mark on disk is of before";
  ASSERT_EQ(c.mark_to_store(), 4630U);
  c.mark_stored(4630);
  EXPECT_TRUE(c.may_emit());
  EXPECT_EQ(c.set(4599, later + 10'000), r::refused_back) << "no slot twice";
  EXPECT_EQ(c.set(4661, later), r::refused_jump) << "the time gone by counts once";
  EXPECT_EQ(c.set(4661, later - 3'000'000), r::refused_jump) << "nor does a now that goes back give any";
}

TEST(discovery_edges, slots_at_both_ends_of_the_counter) {
  ue_config config;
  for (const slot_t t : {0U, 1U, UINT32_MAX - 1, UINT32_MAX}) {
    ue a("alice", 51, config), b("bob", 52, config);
    a.knows(b);
    b.knows(a);
    a.set_slot(t, 0);
    b.set_slot(t, 0);
    int n = 0;
    for (const auto& d : a.security->discovery().announcements(0)) n += b.security->discovery().receive(d, 0) ? 1 : 0;
    EXPECT_EQ(n, 1) << t;
  }
}

}  // namespace
}  // namespace prose::security::test
