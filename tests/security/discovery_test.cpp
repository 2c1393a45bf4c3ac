// Discovery, models A and B: recognised by the pair, once, in its window, and by nobody else.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "common/octet_order.h"
#include "security/crypto/hash.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

class discovery : public ::testing::Test {
protected:
  discovery() {
    config.discovery.answer_queries = true;
    john = std::make_unique<ue>("john", 41, config);
    peter = std::make_unique<ue>("peter", 42, config);
    mary = std::make_unique<ue>("mary", 43, config);
    john->knows(*peter);
    peter->knows(*john);
    john->knows(*mary);
    mary->knows(*john);
  }
  void at(slot_t t) {
    now = time_ms{t} * 1000;
    for (auto* u : {john.get(), peter.get(), mary.get()}) u->set_slot(t, now);
  }
  std::vector<discovery_pdu> announced(ue& u) {
    const auto a = u.security->discovery().announcements(now);
    return {a.begin(), a.end()};
  }
  std::optional<discovery_event> hear(ue& u, const discovery_pdu& d) { return u.security->discovery().receive(d, now); }
  std::vector<peer_heard> heard(ue& u, const std::vector<discovery_pdu>& list) {
    std::vector<peer_heard> out;
    for (const auto& d : list)
      if (const auto e = hear(u, d)) out.push_back(std::get<peer_heard>(*e));
    return out;
  }
  ue_config config;
  std::unique_ptr<ue> john, peter, mary;
  time_ms now = 0;
};

TEST_F(discovery, only_permitted_peers_find_the_announcer) {
  at(1000);
  const auto johns = announced(*john);
  EXPECT_EQ(johns.size(), 16U);
  const auto p = heard(*peter, johns), m = heard(*mary, johns);
  ASSERT_EQ(p.size(), 1U);
  ASSERT_EQ(m.size(), 1U);
  EXPECT_EQ(p[0].t, 1000U);
  EXPECT_NE(p[0].rendezvous, m[0].rendezvous);
  EXPECT_TRUE(heard(*mary, announced(*peter)).empty()) << "Mary does not notice Peter";
  EXPECT_EQ(heard(*john, announced(*peter)).size(), 1U);
}

TEST_F(discovery, message_layout_is_type_184_bits_mic_and_counter_lsb) {
  at(0x01020304);
  const peer& p = *john->security->peers().find(std::string_view("peter"));
  const auto d = make_discovery(discovery_type::announcement, p.ours, 0x01020304);
  EXPECT_EQ(d[0], 0x81);
  EXPECT_EQ(d[28], 0x04);
  crypto::digest256 code{};
  const std::array<std::uint8_t, 4> slot{1, 2, 3, 4};
  crypto::hmac(crypto::hash::sha256, p.ours.announce.expose(), {slot}, code);
  EXPECT_TRUE(std::equal(code.begin(), code.begin() + 23, d.begin() + 1));
  std::vector<std::uint8_t> covered(d.begin(), d.begin() + 24);
  covered.insert(covered.end(), slot.begin(), slot.end());
  std::array<std::uint8_t, 4> mic{};
  crypto::aes_cmac(p.ours.mic.expose(), covered, mic);
  EXPECT_TRUE(std::equal(mic.begin(), mic.end(), d.begin() + 24));
}

TEST_F(discovery, a_flipped_bit_is_dropped_and_the_true_one_counts) {
  at(1000);
  for (const auto& d : announced(*john))
    for (std::size_t bit = 0; bit < d.size() * 8; ++bit) {
      auto bad = d;
      bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      ASSERT_FALSE(hear(*peter, bad)) << bit;
    }
  EXPECT_EQ(heard(*peter, announced(*john)).size(), 1U);
}

TEST_F(discovery, each_code_counts_once_and_no_older_one_after_it) {
  at(1000);
  const auto first = announced(*john);
  at(1001);
  const auto second = announced(*john);
  EXPECT_EQ(heard(*peter, second).size(), 1U);
  EXPECT_TRUE(heard(*peter, second).empty());
  EXPECT_TRUE(heard(*peter, first).empty()) << "delayed by the attacker";
}

TEST_F(discovery, window_is_16_slots_and_two_once_the_offset_is_known) {
  at(1000);
  const auto old = announced(*john);
  for (const slot_t later : {1016U, 1017U}) {
    ue fresh("peter", 44, peter->security->peers().own_private(), config);
    fresh.knows(*john);
    fresh.set_slot(later, time_ms{later} * 1000);
    bool any = false;
    for (const auto& d : old) any = any || fresh.security->discovery().receive(d, 0).has_value();
    EXPECT_EQ(any, later == 1016);
  }
  peter->security->discovery().learn_offset(peter->id_of(*john), 1000, 1000);
  for (slot_t t = 1001; t <= 1003; ++t) at(t);
  EXPECT_TRUE(heard(*peter, old).empty()) << "three slots old, window two";
  const auto now_said = announced(*john);
  at(1005);
  EXPECT_EQ(heard(*peter, now_said).size(), 1U) << "two slots old";
}

TEST_F(discovery, a_claimed_offset_moves_only_the_peers_window) {
  at(1000);
  peter->security->discovery().learn_offset(peter->id_of(*john), 1'001'000, 1000);
  const peer& j = *peter->security->peers().find(std::string_view("john"));
  EXPECT_FALSE(hear(*peter, make_discovery(discovery_type::announcement, j.theirs, 1'001'000)));
  EXPECT_FALSE(hear(*peter, make_discovery(discovery_type::announcement, j.theirs, 1019)));
  EXPECT_TRUE(hear(*peter, make_discovery(discovery_type::announcement, j.theirs, 1016)));
}

// Whoever holds back the message that tells the peer's slot must not make the peer unheard of.
TEST_F(discovery, a_late_offset_leaves_the_window_open) {
  at(1000), at(1010);
  auto& d = peter->security->discovery();
  const peer& j = *peter->security->peers().find(std::string_view("john"));
  d.learn_offset(peter->id_of(*john), 1000, 1000);  // ten slots under way at the most: John is 0 to 10 behind
  EXPECT_FALSE(hear(*peter, make_discovery(discovery_type::announcement, j.theirs, 1013)));
  EXPECT_FALSE(hear(*peter, make_discovery(discovery_type::announcement, j.theirs, 997)));
  EXPECT_TRUE(hear(*peter, make_discovery(discovery_type::announcement, j.theirs, 998)));
  EXPECT_TRUE(hear(*peter, make_discovery(discovery_type::announcement, j.theirs, 1010)));
  d.learn_offset(peter->id_of(*john), 1010, 1010);  // of a later link, at once
  d.learn_offset(peter->id_of(*john), 1000, 1000);  // a late copy takes nothing from it
  at(1014);
  EXPECT_FALSE(hear(*peter, make_discovery(discovery_type::announcement, j.theirs, 1011)));
  EXPECT_TRUE(hear(*peter, make_discovery(discovery_type::announcement, j.theirs, 1012)));
}

TEST_F(discovery, entries_do_not_tell_the_number_of_peers) {
  at(1000);
  EXPECT_EQ(announced(*john).size(), announced(*peter).size());
  ue lonely("lonely", 45, config);
  lonely.set_slot(1000, now);
  EXPECT_EQ(lonely.security->discovery().announcements(now).size(), 16U);
  const auto again = announced(*john);
  EXPECT_EQ(announced(*john), again) << "the same within the slot";
  std::set<std::size_t> positions;
  for (slot_t t = 1001; t < 1041; ++t) {
    at(t);
    const auto list = announced(*john);
    const peer& p = *john->security->peers().find(std::string_view("peter"));
    const auto mine = make_discovery(discovery_type::announcement, p.ours, t);
    positions.insert(static_cast<std::size_t>(std::find(list.begin(), list.end(), mine) - list.begin()));
  }
  EXPECT_GT(positions.size(), 8U);
  EXPECT_FALSE(positions.contains(16)) << "always announced";
}

TEST_F(discovery, nothing_repeats_across_slots) {
  octet_set seen;
  for (slot_t t = 1000; t < 1100; ++t) {
    at(t);
    for (const auto& d : announced(*john)) EXPECT_TRUE(seen.insert({d.begin() + 1, d.begin() + 28}).second);
  }
  EXPECT_EQ(seen.size(), 1600U);
}

TEST_F(discovery, codes_look_random_peers_and_dummies_alike) {
  // Ones among 64 000 bits of codes of each kind: within five standard deviations of one half.
  std::size_t ones[2] = {0, 0}, bits[2] = {0, 0};
  const peer& p = *john->security->peers().find(std::string_view("peter"));
  const auto dummy = make_dummy_keys(john->random);
  for (slot_t t = 0; t < 350; ++t)
    for (int kind = 0; kind < 2; ++kind) {
      const auto d = make_discovery(discovery_type::announcement, kind == 0 ? p.ours : dummy, t);
      for (std::size_t i = 1; i < 28; ++i) ones[kind] += static_cast<std::size_t>(__builtin_popcount(d[i]));
      bits[kind] += 27 * 8;
    }
  for (int kind = 0; kind < 2; ++kind) {
    const double n = static_cast<double>(bits[kind]);
    EXPECT_NEAR(static_cast<double>(ones[kind]), n / 2, 5 * std::sqrt(n) / 2);
  }
}

TEST_F(discovery, another_permitted_peer_cannot_announce_as_john) {
  at(1000);
  const peer& at_mary = *mary->security->peers().find(std::string_view("john"));
  for (slot_t t = 980; t < 1020; ++t)
    for (const auto* k : {&at_mary.ours, &at_mary.theirs})
      for (const auto type : {discovery_type::announcement, discovery_type::query, discovery_type::response})
        EXPECT_FALSE(hear(*peter, make_discovery(type, *k, t)));
}

TEST_F(discovery, johns_own_announcement_reflected_to_him_is_nothing) {
  at(1000);
  for (const auto& d : announced(*john)) EXPECT_FALSE(hear(*john, d));
}

TEST_F(discovery, model_b_is_answered_once_with_a_rendezvous) {
  at(1000);
  const std::vector<peer_id> wanted{john->id_of(*peter)};
  const auto queries = john->security->discovery().queries(wanted, now);
  EXPECT_EQ(queries.size(), 4U) << "padded with dummies";
  std::vector<discovery_pdu> responses;
  for (const auto& q : queries) {
    EXPECT_FALSE(hear(*mary, q)) << "it is not for Mary";
    if (const auto e = hear(*peter, q)) responses.push_back(std::get<query_heard>(*e).response);
    EXPECT_FALSE(hear(*peter, q)) << "a replay in the same slot";
    EXPECT_FALSE(hear(*john, q)) << "reflected";
  }
  ASSERT_EQ(responses.size(), 1U);
  EXPECT_FALSE(hear(*mary, responses[0]));
  const auto e = hear(*john, responses[0]);
  ASSERT_TRUE(e);
  EXPECT_EQ(std::get<peer_heard>(*e).kind, discovery_type::response);
  EXPECT_FALSE(hear(*john, responses[0]));
  EXPECT_TRUE(peter->owns(std::get<peer_heard>(*e).rendezvous, now));
  // And the request that follows is answered.
  ASSERT_TRUE(john->security->links().connect(std::get<peer_heard>(*e), now, john->pending));
  const auto m = std::get<send_message>(john->pending.back());
  EXPECT_TRUE(peter->hear({0, m.lcid, m.src, m.dst, m.octets}, now));
}

// The order is drawn over seats, so a peer's place depends on who else is there no more than by whose seat is whose:
// peers keep theirs.
TEST_F(discovery, a_peers_place_does_not_depend_on_who_else_is_there) {
  const auto places = [&](const std::function<void(ue&, slot_t)>& meanwhile) {
    ue one("one", 7, config);
    ue a("a", 301), b("b", 302), c("c", 303);
    one.knows(a), one.knows(b), one.knows(c);
    std::vector<std::ptrdiff_t> out;
    for (slot_t t = 1000; t < 1040; ++t) {
      meanwhile(one, t);
      one.set_slot(t, time_ms{t} * 1000);
      const auto sent = one.security->discovery().announcements(time_ms{t} * 1000);
      const auto code = make_discovery(discovery_type::announcement, one.security->peers().find(one.id_of(b))->ours, t);
      out.push_back(std::find(sent.begin(), sent.end(), code) - sent.begin());
    }
    return out;
  };
  const auto nobody_moves = places([](ue&, slot_t) {});
  EXPECT_GT(std::set<std::ptrdiff_t>(nobody_moves.begin(), nobody_moves.end()).size(), 10U);
  const auto others_come_and_go = places([&, n = 0](ue& u, slot_t t) mutable {
    actions ignored;
    if (t == 1005)
      u.security->remove_peer(u.security->peers().find(std::string_view("a"))->id, time_ms{t} * 1000, ignored);
    if (t == 1010)
      u.security->remove_peer(u.security->peers().find(std::string_view("c"))->id, time_ms{t} * 1000, ignored);
    if (t < 1015 || n == 9) return;
    EXPECT_TRUE(u.security->add_peer("d" + std::to_string(n),
                                     ue("d", 400 + static_cast<std::uint64_t>(n)).security->peers().own_public()));
    ++n;
  });
  EXPECT_EQ(others_come_and_go, nobody_moves);
}

TEST_F(discovery, as_many_queries_go_out_whoever_is_asked_for) {
  constexpr int asked = 7;
  std::vector<std::unique_ptr<ue>> others;
  std::vector<peer_id> wanted;
  for (int i = 0; i < asked; ++i) {
    others.push_back(std::make_unique<ue>("other" + std::to_string(i), 300 + i));
    john->knows(*others.back());
    wanted.push_back(john->id_of(*others.back()));
  }
  auto& d = john->security->discovery();
  std::map<peer_id, int> times;
  slot_t t = 1000;
  for (int round = 0; round < asked; ++round) {
    at(++t);
    const auto sent = d.queries(wanted, now);
    ASSERT_EQ(sent.size(), config.discovery.query_entries);
    for (const peer_id id : wanted)
      times[id] += static_cast<int>(
          std::count(sent.begin(), sent.end(),
                     make_discovery(discovery_type::query, john->security->peers().find(id)->theirs, t)));
    EXPECT_EQ(d.queries({}, now), sent) << "whoever is wanted later in the slot";
    at(++t);
    EXPECT_EQ(d.queries({}, now).size(), config.discovery.query_entries) << "and for nobody";
  }
  for (const peer_id id : wanted) EXPECT_EQ(times[id], 4) << "they take turns";
}

TEST_F(discovery, an_old_query_is_not_answered) {
  at(1000);
  const std::vector<peer_id> wanted{john->id_of(*peter)};
  const auto old = john->security->discovery().queries(wanted, now);
  at(1001);
  const auto fresh = john->security->discovery().queries(wanted, now);
  int answered = 0;
  for (const auto& q : fresh) answered += hear(*peter, q) ? 1 : 0;
  for (const auto& q : old) answered += hear(*peter, q) ? 1 : 0;
  EXPECT_EQ(answered, 1);
  at(1040);
  for (const auto& q : fresh) EXPECT_FALSE(hear(*peter, q));
}

TEST_F(discovery, responses_are_taken_only_by_who_asked) {
  at(1000);
  const peer& p = *peter->security->peers().find(std::string_view("john"));
  EXPECT_FALSE(hear(*john, make_discovery(discovery_type::response, p.ours, 1000))) << "John has not asked";
}

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
