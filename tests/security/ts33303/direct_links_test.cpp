// The procedures of PC5-S between UEs: what a link does, and what a stranger cannot do to it.
#include "security/ts33303/direct_links.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "security/ts33303/context.h"
#include "tests/security/ts33303/direct_world.h"

namespace prose::security::ts33303::test {
namespace {

using bytes = std::vector<std::uint8_t>;

/// As a number of the type, of messages on LCID 28 and of the Command, which is readable.
int type_of(const frame& f) {
  if (f.lcid == 28) return f.octets.at(0);
  return f.lcid == 29 ? f.octets.at(5) : -1;
}
bool is_request(const frame& f) { return f.lcid == 28 && type_of(f) == 1; }
bool is_command(const frame& f) { return f.lcid == 29 && type_of(f) == 12; }

TEST(ts33303_links, set_up_has_four_messages_on_their_channels) {
  three_ues w;
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  std::vector<int> lcids;
  for (const auto& f : w.air.captured) lcids.push_back(f.lcid);
  EXPECT_EQ(lcids, (std::vector<int>{28, 29, 29, 30}));
  EXPECT_TRUE(is_request(w.air.captured[0]));
  EXPECT_TRUE(is_command(w.air.captured[1]));
  EXPECT_FALSE(is_command(w.air.captured[2]));  // the Complete is ciphered
  const auto at_mary = w.mary.links->info(*w.mary.link_with(w.john), w.air.now),
             at_john = w.john.links->info(*w.john.link_with(w.mary), w.air.now);
  EXPECT_EQ(at_mary->key_fingerprint, at_john->key_fingerprint);
  EXPECT_EQ(at_mary->kd_sess_id, at_john->kd_sess_id);
  EXPECT_EQ(at_mary->own_role, role::initiator);
  EXPECT_EQ(at_john->own_role, role::responder);
  EXPECT_STREQ(at_mary->algorithms, "128-EEA2/128-EIA2");
  EXPECT_EQ(w.john.links->half_open(), 0U);
}

TEST(ts33303_links, data_arrives_both_ways_and_only_once) {
  three_ues w;
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  ASSERT_TRUE(w.air.send(w.mary, w.john, {1, 2, 3}));
  const frame sent = w.air.captured.back();
  ASSERT_TRUE(w.air.send(w.john, w.mary, {4, 5}));
  EXPECT_EQ(w.john.inbox, (std::vector<bytes>{{1, 2, 3}}));
  EXPECT_EQ(w.mary.inbox, (std::vector<bytes>{{4, 5}}));
  EXPECT_EQ(w.john.hear(sent, w.air.now).error(), drop_reason::replayed);
  for (std::size_t bit = 0; bit < 8 * sent.octets.size(); ++bit) {
    frame altered = sent;
    altered.octets[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(w.john.hear(altered, w.air.now)) << bit;
  }
  EXPECT_EQ(w.john.inbox.size(), 1U);
}

/// Every pair has keys of its own: nothing that is said on one link opens on another.
TEST(ts33303_links, links_with_two_peers_have_separate_keys) {
  three_ues w;
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  ASSERT_TRUE(w.air.link_up(w.peter, w.john));
  ASSERT_TRUE(w.air.send(w.mary, w.john, {1}));
  const frame of_mary = w.air.captured.back();
  const auto peters = w.peter.links->info(*w.peter.link_with(w.john), w.air.now);
  const auto marys = w.mary.links->info(*w.mary.link_with(w.john), w.air.now);
  EXPECT_NE(peters->key_fingerprint, marys->key_fingerprint);
  frame moved = of_mary;  // to the other link: its identifiers, and its KD-sess ID
  moved.src = peters->own_l2;
  moved.dst = peters->peer_l2;
  EXPECT_EQ(w.john.hear(moved, w.air.now).error(), drop_reason::unknown_link);
  moved.octets[1] = static_cast<std::uint8_t>(peters->kd_sess_id >> 8);
  moved.octets[2] = static_cast<std::uint8_t>(peters->kd_sess_id);
  EXPECT_EQ(w.john.hear(moved, w.air.now).error(), drop_reason::bad_record);
}

TEST(ts33303_links, lost_messages_are_repeated_until_the_link_stands) {
  for (std::size_t lost = 0; lost < 16; ++lost) {  // which of the first four transmissions are lost
    three_ues w;
    std::size_t n = 0;
    w.air.on_the_way = [&](const frame& f) {
      return n < 4 && (lost >> n++ & 1) != 0 ? std::vector<frame>{} : std::vector<frame>{f};
    };
    ASSERT_TRUE(w.air.connect(w.mary, w.john));
    w.air.pass(3000);
    ASSERT_TRUE(w.mary.link_with(w.john) && w.john.link_with(w.mary)) << lost;
    EXPECT_TRUE(w.air.send(w.john, w.mary, {7}));
    EXPECT_EQ(w.mary.inbox.size(), 1U);
  }
}

TEST(ts33303_links, a_request_that_nobody_answers_is_given_up) {
  three_ues w;
  w.air.on_the_way = [](const frame&) { return std::vector<frame>{}; };
  ASSERT_TRUE(w.air.connect(w.mary, w.john));
  w.air.pass(8500);
  EXPECT_EQ(w.air.captured.size(), direct_link_config{}.request.sends);
  EXPECT_EQ(w.mary.events<attempt_failed>().size(), 1U);
}

/// COUNT (KD-sess ID and SN) and direction never come twice under one KD-sess, whatever is repeated.
TEST(ts33303_links, no_count_is_used_twice) {
  three_ues w;
  std::size_t n = 0;
  w.air.on_the_way = [&](const frame& f) { return n++ % 3 == 0 ? std::vector<frame>{} : std::vector<frame>{f, f}; };
  ASSERT_TRUE(w.air.connect(w.mary, w.john));
  w.air.pass(4000);
  ASSERT_TRUE(w.mary.link_with(w.john));
  for (int i = 0; i < 50; ++i) {
    if (i % 10 == 5) (void)w.mary.links->rekey(*w.mary.link_with(w.john), w.air.now, w.mary.pending);
    (void)w.air.send(w.mary, w.john, {static_cast<std::uint8_t>(i)});
    (void)w.air.send(w.john, w.mary, {static_cast<std::uint8_t>(i)});
    w.air.pass(400);
  }
  EXPECT_GT(w.mary.events<rekeyed>().size(), 2U);
  std::set<std::tuple<std::size_t, int, int>> counts;
  for (const auto& f : w.air.captured) {
    if (f.lcid == 28) continue;
    EXPECT_TRUE(counts.emplace(f.from, f.octets[1] << 8 | f.octets[2], f.octets[3] << 8 | f.octets[4]).second);
  }
}

TEST(ts33303_links, rekeying_changes_the_keys_and_loses_no_data) {
  three_ues w;
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  for (auto* asker : {&w.mary, &w.john}) {
    auto& other = asker == &w.mary ? w.john : w.mary;
    const auto before = asker->links->info(*asker->link_with(other), w.air.now);
    ASSERT_TRUE(asker->links->rekey(before->link, w.air.now, asker->pending));
    w.air.settle();
    const auto after = asker->links->info(*asker->link_with(other), w.air.now);
    EXPECT_NE(before->key_fingerprint, after->key_fingerprint);
    EXPECT_NE(before->kd_sess_id, after->kd_sess_id);
    EXPECT_EQ(after->key_fingerprint, other.links->info(*other.link_with(*asker), w.air.now)->key_fingerprint);
    EXPECT_EQ(asker->events<rekeyed>().size(), other.events<rekeyed>().size());
    EXPECT_TRUE(w.air.send(*asker, other, {9}) && w.air.send(other, *asker, {8}));
  }
  EXPECT_EQ(w.mary.inbox.size() + w.john.inbox.size(), 4U);
}

TEST(ts33303_links, rekeying_of_both_at_once_ends_with_one_key) {
  three_ues w;
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  ASSERT_TRUE(w.mary.links->rekey(*w.mary.link_with(w.john), w.air.now, w.mary.pending));
  ASSERT_TRUE(w.john.links->rekey(*w.john.link_with(w.mary), w.air.now, w.john.pending));
  w.air.settle();
  w.air.pass(2000);
  EXPECT_EQ(w.mary.events<rekeyed>().size(), 1U);
  EXPECT_EQ(w.mary.links->info(*w.mary.link_with(w.john), 0)->key_fingerprint,
            w.john.links->info(*w.john.link_with(w.mary), 0)->key_fingerprint);
}

/// Without a chance to renew the keys, data ends before the last SN, and then the link.
TEST(ts33303_links, data_ends_before_the_sns_do) {
  three_ues w;
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  const auto id = *w.mary.link_with(w.john);
  bytes out(100);
  std::uint32_t sent = 0;
  while (w.mary.links->seal(id, 1, sdu_type::ip, bytes{1}, 0, out)) ++sent;
  EXPECT_GT(sent, 65'000U);
  EXPECT_LT(sent, 65'535U - 200U);
  EXPECT_EQ(w.mary.links->seal(id, 1, sdu_type::ip, bytes{1}, 0, out).error(), drop_reason::exhausted);
  w.air.pass(100);  // new keys, by themselves
  EXPECT_EQ(w.mary.events<rekeyed>().size(), 1U);
  EXPECT_TRUE(w.mary.links->seal(id, 1, sdu_type::ip, bytes{1}, 0, out));
}

TEST(ts33303_links, an_idle_link_lives_by_keepalives_and_a_silent_one_ends) {
  three_ues w;
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  w.air.captured.clear();
  w.air.pass(60'000);
  EXPECT_TRUE(w.mary.link_with(w.john) && w.john.link_with(w.mary));
  EXPECT_GE(w.air.captured.size(), 8U);
  EXPECT_LE(w.air.captured.size(), 24U);  // both ends ask at the same moment
  w.air.on_the_way = [](const frame&) { return std::vector<frame>{}; };
  w.air.pass(31'000);
  ASSERT_EQ(w.mary.events<link_lost>().size(), 1U);
  EXPECT_EQ(w.mary.events<link_lost>()[0].reason, lost_reason::silence);
  EXPECT_EQ(w.john.events<link_lost>().size(), 1U);
}

TEST(ts33303_links, release_ends_both_ends_and_is_repeated) {
  for (const bool lose : {false, true}) {
    three_ues w;
    ASSERT_TRUE(w.air.link_up(w.mary, w.john));
    std::size_t n = 0;
    w.air.on_the_way = [&](const frame& f) { return lose && n++ == 0 ? std::vector<frame>{} : std::vector<frame>{f}; };
    ASSERT_TRUE(w.mary.links->release(*w.mary.link_with(w.john), w.air.now, w.mary.pending));
    w.air.settle();
    w.air.pass(1000);
    EXPECT_FALSE(w.mary.link_with(w.john) || w.john.link_with(w.mary));
    EXPECT_EQ(w.mary.links->closing(), 0U);
    EXPECT_EQ(w.john.events<link_lost>().at(0).reason, lost_reason::released_by_peer);
    EXPECT_TRUE(w.air.link_up(w.mary, w.john));
  }
}

// --- strangers
// --------------------------------------------------------------------------------------------------------

/// Algorithms that were struck out of the Request: the Command is genuine and repeats the shorter list.
TEST(ts33303_links, bidding_down_is_refused) {
  direct_link_config any;
  any.algorithms.ciphering = {eea::aes, eea::none};
  three_ues w(any, any);
  w.air.on_the_way = [](const frame& f) {
    frame altered = f;
    if (is_request(f)) {
      const std::size_t capabilities = 3 + 1 + 1 + 2 + 1 + 4 + 16;  // User Info of 2 octets
      altered.octets[capabilities] = 0x80;                          // EEA0 alone
    }
    return std::vector<frame>{altered};
  };
  ASSERT_TRUE(w.air.connect(w.mary, w.john));
  w.air.pass(500);
  ASSERT_TRUE(std::ranges::any_of(w.air.captured, is_command));
  EXPECT_FALSE(w.mary.link_with(w.john) || w.john.link_with(w.mary));
  EXPECT_EQ(w.mary.links->dropped(drop_reason::no_common_suite), 1U);
  EXPECT_EQ(w.mary.events<attempt_failed>().size(), 1U);
  EXPECT_EQ(type_of(w.air.captured.back()), 14);  // Direct Security Mode Reject
  EXPECT_EQ(w.john.links->half_open(), 0U);
}

TEST(ts33303_links, a_request_without_the_kd_id_of_the_pair_meets_silence) {
  three_ues w;
  w.air.on_the_way = [](const frame& f) {
    frame altered = f;
    if (is_request(f)) altered.octets.back() ^= 1;
    return std::vector<frame>{altered};
  };
  ASSERT_TRUE(w.air.connect(w.mary, w.john));
  EXPECT_EQ(w.air.captured.size(), 1U);
  EXPECT_EQ(w.john.links->dropped(drop_reason::bad_token), 1U);
  EXPECT_EQ(w.john.links->half_open(), 0U);
}

/// What the standard's procedure grants whoever has heard a Request: a Command for each, and a place until T4111. It is
/// no link, holds up no other for longer, and the number of places is bounded.
TEST(ts33303_links, forged_requests_get_commands_but_no_link) {
  three_ues w;
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  const frame request = w.air.captured[0];
  w.air.captured.clear();
  EXPECT_EQ(w.john.hear(request, w.air.now).error(), drop_reason::replayed);
  for (std::uint8_t i = 0; i < 10; ++i) {
    frame forged = request;
    forged.octets[12] = i;  // Nonce_1
    (void)w.john.hear(forged, w.air.now);
    w.air.settle();
  }
  EXPECT_EQ(w.john.links->half_open(), 4U);
  EXPECT_EQ(std::ranges::count_if(w.air.captured, is_command), 4);
  EXPECT_EQ(w.john.links->dropped(drop_reason::limit), 6U);
  EXPECT_TRUE(w.mary.link_with(w.john) && w.john.link_with(w.mary));
  EXPECT_TRUE(w.air.send(w.mary, w.john, {1}));
  EXPECT_EQ(w.john.inbox.size(), 1U);
  w.air.captured.clear();
  w.air.pass(8100);
  EXPECT_EQ(w.john.links->half_open(), 0U);
  EXPECT_TRUE(w.air.captured.empty());  // a Command is not repeated by itself
}

/// A flood takes all places, but none for longer than a second: then the newest Request gets that of the oldest.
TEST(ts33303_links, a_place_is_given_up_where_others_wait) {
  three_ues w;
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  const frame request = w.air.captured[0];
  const auto forge = [&](std::uint8_t i) {
    frame forged = request;
    forged.octets[12] = i;  // Nonce_1
    return w.john.hear(forged, w.air.now).has_value();
  };
  w.air.on_the_way = [](const frame&) { return std::vector<frame>{}; };
  for (std::uint8_t i = 1; i <= 4; ++i) ASSERT_TRUE(forge(i));
  w.air.pass(900);
  EXPECT_FALSE(forge(5));
  w.air.pass(100);
  EXPECT_TRUE(forge(6));
  EXPECT_EQ(w.john.links->half_open(), 4U);
  // The peer's own Request, which comes again until it is answered, is one of those that wait.
  w.air.on_the_way = {};
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  EXPECT_EQ(w.john.links->half_open(), 0U);
}

/// Whoever hands a UE's own Request back to it as its peer's would be told a Command that the UE takes for the peer's.
TEST(ts33303_links, an_own_request_that_comes_back_is_refused) {
  for (const bool marys : {true, false}) {
    three_ues w;
    direct_ue& victim = marys ? w.mary : w.john;
    direct_ue& absent = marys ? w.john : w.mary;
    const auto listens_at = w.air.heard(absent, victim);
    ASSERT_TRUE(listens_at);
    w.air.on_the_way = [](const frame&) { return std::vector<frame>{}; };
    ASSERT_TRUE(w.air.connect(victim, absent));
    frame back = w.air.captured.at(0);
    back.src ^= 1;
    back.dst = listens_at->rendezvous;
    EXPECT_EQ(victim.hear(back, w.air.now).error(), drop_reason::replayed);
    w.air.settle();
    EXPECT_EQ(w.air.captured.size(), 1U);
    EXPECT_EQ(victim.links->half_open(), 0U);
  }
}

/// With EEA0 the nonce of a rekeying is in clear, and a Request with it would draw the Command of the rekeying.
TEST(ts33303_links, the_nonce_of_an_own_rekeying_is_refused_in_a_request) {
  direct_link_config clear;
  clear.algorithms.ciphering = {eea::none};
  three_ues w(clear, clear);
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  auto request = parse(w.air.captured.at(0).octets)->message;
  const auto listens_at = w.air.heard(w.john, w.mary);
  ASSERT_TRUE(listens_at);
  w.air.on_the_way = [](const frame&) { return std::vector<frame>{}; };
  ASSERT_TRUE(w.mary.links->rekey(*w.mary.link_with(w.john), w.air.now, w.mary.pending));
  w.air.settle();
  const auto& pdu = w.air.captured.back().octets;
  const auto m = parse(bytes_view(pdu).subspan(pdcp_header_octets, pdu.size() - pdcp_header_octets - mac_octets));
  ASSERT_TRUE(m);
  const auto& asked = std::get<rekeying_request>(m->message.body);
  auto& body = std::get<direct_communication_request>(request.body);
  body.nonce_1 = asked.nonce_1;
  body.kd_sess_id_msb = asked.kd_sess_id_msb;
  bytes octets(256);
  octets.resize(write(request, octets).value());
  const auto sent = w.air.captured.size();
  EXPECT_EQ(w.mary.hear({2, 28, 0x123456, listens_at->rendezvous, octets}, w.air.now).error(), drop_reason::replayed);
  w.air.settle();
  EXPECT_EQ(w.air.captured.size(), sent);
}

/// What the standard's procedure grants too: a Reject is believed while there is no link. Afterwards it changes
/// nothing.
TEST(ts33303_links, a_forged_reject_ends_an_attempt_but_no_link) {
  three_ues w;
  w.air.on_the_way = [](const frame&) { return std::vector<frame>{}; };
  ASSERT_TRUE(w.air.connect(w.mary, w.john));
  const frame request = w.air.captured[0];
  const frame reject{2, 28, request.dst, request.src, {3, 0, 1, 6}};
  EXPECT_TRUE(w.mary.hear(reject, w.air.now));
  w.air.settle();
  EXPECT_EQ(w.mary.events<attempt_failed>().size(), 1U);
  w.air.on_the_way = {};
  w.air.pass(1000);
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  const auto info = w.mary.links->info(*w.mary.link_with(w.john), w.air.now);
  const frame late{2, 28, info->peer_l2, info->own_l2, {3, 0, 1, 6}};
  EXPECT_EQ(w.mary.hear(late, w.air.now).error(), drop_reason::not_addressed);
  EXPECT_TRUE(w.mary.link_with(w.john));
}

/// All that was heard, again and altered, at another time and from another sender: no event, no answer.
TEST(ts33303_links, replays_and_forgeries_on_a_link_change_nothing) {
  three_ues w;
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  ASSERT_TRUE(w.mary.links->rekey(*w.mary.link_with(w.john), w.air.now, w.mary.pending));
  w.air.settle();
  ASSERT_TRUE(w.air.send(w.mary, w.john, {1, 2, 3}));
  w.air.pass(12'000);
  const auto heard = w.air.captured;
  const auto events = w.john.history.size();
  std::size_t tried = 0;
  for (const auto& f : heard) {
    if (f.lcid == 28) continue;
    for (std::size_t bit = 0; bit <= 8 * f.octets.size(); ++bit) {
      frame g = f;
      if (bit < 8 * f.octets.size()) g.octets[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      for (auto* u : {&w.mary, &w.john}) EXPECT_FALSE(u->hear(g, w.air.now));
      ++tried;
    }
  }
  EXPECT_GT(tried, 1000U);
  w.air.settle();
  EXPECT_EQ(w.air.captured.size(), heard.size());
  EXPECT_EQ(w.john.history.size(), events);
  EXPECT_TRUE(w.air.send(w.mary, w.john, {4}));
  EXPECT_EQ(w.john.inbox.size(), 2U);
}

/// Without a MAC-I on data, a flipped bit arrives as such, but neither makes nor keeps alive a link.
TEST(ts33303_links, data_without_a_mac_keeps_no_link_alive) {
  direct_link_config without;
  without.mac_i_on_data = false;
  three_ues w(without, without);
  ASSERT_TRUE(w.air.link_up(w.mary, w.john));
  ASSERT_TRUE(w.air.send(w.mary, w.john, {1}));
  frame forged = w.air.captured.back();
  forged.octets.back() ^= 0x10;
  w.air.on_the_way = [](const frame&) { return std::vector<frame>{}; };
  for (int i = 0; i < 25; ++i) {
    EXPECT_TRUE(w.john.hear(forged, w.air.now));
    w.air.pass(1000);
  }
  w.air.pass(6000);
  EXPECT_EQ(w.john.inbox.at(1), (bytes{0x11}));
  EXPECT_FALSE(w.john.link_with(w.mary));
}

TEST(ts33303_links, a_peer_without_a_kd_gets_no_link) {
  three_ues w;
  direct_ue paul("paul", 4);
  paul.base.knows(w.john.base);
  w.john.base.knows(paul.base);
  paul.begin();
  w.air.ues.push_back(&paul);
  w.air.pass(1000);
  ASSERT_TRUE(w.air.connect(paul, w.john));
  EXPECT_FALSE(w.john.link_with(paul));
  EXPECT_EQ(w.john.links->dropped(drop_reason::bad_token), 1U);
  w.air.pass(1000);
  const auto h = w.air.heard(w.john, paul);
  ASSERT_TRUE(h);
  EXPECT_EQ(w.john.links->connect(*h, w.air.now, w.john.pending).error(), drop_reason::unknown_link);
}

}  // namespace
}  // namespace prose::security::ts33303::test
