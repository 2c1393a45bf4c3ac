// Checks of records, rekeyings and epochs that no other test missed when they were taken out one at a time
// (tests/adversary/mutants): each has one here.
#include <gtest/gtest.h>

#include <set>

#include "security/link.h"
#include "tests/security/security_world.h"
#include "tests/security/single_checks.h"

namespace prose::security::test {
namespace {

TEST_F(single_checks, a_forged_record_uses_up_no_count) {
  const auto ids = world.link_up(alice, bob);
  ASSERT_TRUE(ids);
  ASSERT_TRUE(world.send(alice, ids->first, {1}));
  frame held;
  world.filter = [&](const frame& f) {
    held = f;
    return std::vector<frame>{};
  };
  ASSERT_TRUE(world.send(alice, ids->first, {2}));
  frame forged = held;
  forged.octets.back() ^= 1;
  EXPECT_FALSE(taken(bob, forged, world.now));
  EXPECT_TRUE(taken(bob, held, world.now));
  EXPECT_EQ(bob.inbox.size(), 2U);
}

TEST_F(single_checks, what_is_longer_than_a_pdcp_sdu_is_not_sealed) {
  const auto ids = world.link_up(alice, bob);
  ASSERT_TRUE(ids);
  const std::vector<std::uint8_t> data(max_sdu_octets + 1);
  std::vector<std::uint8_t> out(data.size() + record_overhead_octets);
  EXPECT_EQ(alice.security->links().seal(ids->first, 1, sdu_type::ip, data, world.now, out).error(),
            drop_reason::malformed);
  EXPECT_TRUE(alice.security->links().seal(ids->first, 1, sdu_type::ip, bytes_view(data).first(max_sdu_octets),
                                           world.now, out));
}

TEST_F(single_checks, only_what_verifies_counts_as_a_sign_of_life) {
  const auto ids = world.link_up(alice, bob);
  ASSERT_TRUE(ids);
  ASSERT_TRUE(world.send(alice, ids->first, {1}));
  const frame record = world.captured.back();
  ASSERT_EQ(record.lcid, 1);
  frame forged = record;
  forged.octets.back() ^= 1;
  forged.octets[4] = 200;  // not a number that was heard
  world.filter = [](const frame&) { return std::vector<frame>{}; };
  while (world.now < 40'000 && bob.events<link_lost>().empty()) {
    world.pass(100);
    if (live(bob) == 0) break;
    EXPECT_EQ(bob.hear(record, world.now).error(), drop_reason::replayed);
    EXPECT_EQ(bob.hear(forged, world.now).error(), drop_reason::bad_record);
  }
  ASSERT_EQ(bob.events<link_lost>().size(), 1U) << "replays and forgeries keep nobody alive";
  EXPECT_EQ(bob.events<link_lost>()[0].reason, lost_reason::silence);
}

TEST_F(single_checks, the_larger_key_waits_a_minute_longer_before_it_rekeys) {
  ue_config config;
  config.links.lost_after_ms = 100'000'000;
  ue carol("carol", 907, config), dave("dave", 908, config);
  carol.knows(dave);
  dave.knows(carol);
  world.ues = {&carol, &dave};
  ASSERT_TRUE(world.link_up(carol, dave));
  const time_ms born = world.now;
  const bool carol_smaller = carol.security->peers().own_public() < dave.security->peers().own_public();
  ue& smaller = carol_smaller ? carol : dave;
  ue& larger = carol_smaller ? dave : carol;
  const auto rekeys = [](ue& u, ue& v) {
    return u.security->links().state().at(u.id_of(v)).live->rekeying.has_value();
  };
  world.filter = [](const frame&) {
    return std::vector<frame>{};
  };  // so that the smaller one's start does not make the other's needless
  world.pass(30 * 60'000 - 1000, 1000);
  EXPECT_FALSE(rekeys(smaller, larger));
  EXPECT_FALSE(rekeys(larger, smaller));
  world.pass(2000, 1000);
  EXPECT_TRUE(rekeys(smaller, larger));
  EXPECT_FALSE(rekeys(larger, smaller));
  while (world.now < born + 31 * 60'000 - 1000) {
    world.pass(1000, 1000);
    ASSERT_FALSE(rekeys(larger, smaller)) << world.now - born;
  }
  world.pass(2000, 1000);
  EXPECT_TRUE(rekeys(larger, smaller)) << "in the end it does";
}

TEST_F(single_checks, the_larger_key_yields_only_to_a_verified_request) {
  const bool alice_larger = bob.security->peers().own_public() < alice.security->peers().own_public();
  ue& larger = alice_larger ? alice : bob;
  ue& smaller = alice_larger ? bob : alice;
  const auto to_smaller = heard(larger, smaller);
  world.now += 1000;
  const auto to_larger = heard(smaller, larger);
  ASSERT_TRUE(larger.security->links().connect(to_smaller, world.now, larger.pending));
  const frame own = taken_off(larger).at(0);
  // A request whose token is right, as who has the pair's discovery keys could make it, and whose handshake is not.
  const peer& p = *smaller.security->peers().find(smaller.id_of(larger));
  handshake_context c;
  c.seq = 9;
  c.initiator = 0x123456;
  c.responder = to_larger.rendezvous;
  c.t = to_larger.t;
  const initiator_handshake hs(smaller.security->peers(), p, c, offer{all_suites, 1, 0, 1});
  frame forged{0, 28, c.initiator, c.responder, {hs.request().begin(), hs.request().end()}};
  forged.octets[40] ^= 1;
  const auto n = request_octets - request_token_octets;
  const auto token = request_token(p.theirs, c.t, forged.src, forged.dst, bytes_view(forged.octets).first(n));
  std::copy(token.begin(), token.end(), forged.octets.begin() + n);
  EXPECT_EQ(larger.hear(forged, world.now).error(), drop_reason::bad_handshake);
  ASSERT_TRUE(taken(smaller, own, world.now));
  EXPECT_TRUE(taken(larger, taken_off(smaller).at(0), world.now)) << "its own request still stands";
  world.settle();
  EXPECT_EQ(live(larger), 1U);
  EXPECT_EQ(live(smaller), 1U);
}

TEST_F(single_checks, a_rekeying_that_fails_leaves_the_ones_under_way) {
  const auto ids = world.link_up(alice, bob);
  ASSERT_TRUE(ids);
  const bool alice_larger = bob.security->peers().own_public() < alice.security->peers().own_public();
  ue& larger = alice_larger ? alice : bob;
  ue& smaller = alice_larger ? bob : alice;
  const link_id at_larger = alice_larger ? ids->first : ids->second;
  const auto link_of = [&](ue& u) -> link& {
    return *u.security->links().state().at(u.id_of(&u == &alice ? bob : alice)).live;
  };
  // What verifies as a record of `from` and is no good as a rekeying message.
  const auto bad = [&](ue& from, message_type type, std::size_t octets) {
    std::vector<std::uint8_t> m(octets, 3);
    write_message_header({type, link_of(from).next_seq}, m);
    if (type == message_type::rekeying_request) m[3] = protocol_version;
    frame f{0, 30, 0, 0, std::vector<std::uint8_t>(m.size() + record_overhead_octets)};
    const auto s = link_of(from).current.chain.seal(30, sdu_type::pc5s, m, world.now, f.octets);
    EXPECT_TRUE(s);
    f.src = s->src;
    f.dst = s->dst;
    return f;
  };
  ASSERT_TRUE(larger.security->links().rekey(at_larger, world.now, larger.pending));
  const frame request = taken_off(larger).at(0);
  ASSERT_TRUE(taken(smaller, request, world.now));
  const frame answer = taken_off(smaller).at(0);
  EXPECT_TRUE(taken(smaller, bad(larger, message_type::rekeying_request, rekeying_request_octets), world.now));
  EXPECT_TRUE(taken_off(smaller).empty());
  EXPECT_TRUE(link_of(smaller).staged) << "the answer that was given stands";
  EXPECT_TRUE(taken(larger, bad(smaller, message_type::rekeying_request, rekeying_request_octets), world.now));
  EXPECT_TRUE(link_of(larger).rekeying) << "its own request stands after a bad one";
  EXPECT_TRUE(taken(larger, bad(smaller, message_type::rekeying_response, rekeying_response_octets), world.now));
  EXPECT_TRUE(link_of(larger).rekeying) << "and after a bad answer";
  EXPECT_TRUE(taken(larger, answer, world.now));
  world.settle();
  EXPECT_EQ(larger.events<rekeyed>().size(), 1U);
  EXPECT_EQ(smaller.events<rekeyed>().size(), 1U);
}

TEST_F(single_checks, a_peer_that_is_removed_is_told) {
  ASSERT_TRUE(world.link_up(alice, bob));
  EXPECT_TRUE(alice.security->remove_peer(alice.id_of(bob), world.now, alice.pending));
  world.settle();
  ASSERT_EQ(bob.events<link_lost>().size(), 1U);
  EXPECT_EQ(bob.events<link_lost>()[0].reason, lost_reason::released_by_peer);
}

TEST(single_checks_epochs, the_time_of_a_change_cannot_be_foretold) {
  std::set<time_ms> times;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    ue_config config;
    config.links.epochs.min_ms = 10'000;
    config.links.epochs.max_ms = 20'000;
    config.links.keepalive_after_ms = 100;
    ue a("a", 910 + seed, config), b("b", 930 + seed, config);
    a.knows(b);
    b.knows(a);
    air world;
    world.ues = {&a, &b};
    world.set_slots();
    ASSERT_TRUE(world.link_up(a, b));
    while (a.events<epoch_entered>().empty() && world.now < 30'000) world.pass(100);
    EXPECT_GE(world.now, 10'000);
    EXPECT_LE(world.now, 21'000);
    times.insert(world.now);
  }
  EXPECT_GE(times.size(), 4U);
}

}  // namespace
}  // namespace prose::security::test
