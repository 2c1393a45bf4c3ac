// Discovery, models A and B: recognised by the pair, once, in its window, and by nobody else.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "common/octet_order.h"
#include "security/crypto/hash.h"
#include "tests/security/discovery_fixture.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

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

}  // namespace
}  // namespace prose::security::test
