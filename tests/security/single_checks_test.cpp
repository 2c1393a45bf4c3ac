// Checks that no other test missed when they were taken out one at a time (tests/adversary/mutants): each has one here.
#include <gtest/gtest.h>

#include <set>

#include "common/octet_order.h"
#include "security/link.h"
#include "security/noise.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

class single_checks : public ::testing::Test {
protected:
  void SetUp() override {
    alice.knows(bob);
    bob.knows(alice);
    world.ues = {&alice, &bob};
    world.set_slots();
  }
  /// What a UE wants to send, taken off it.
  static std::vector<frame> taken_off(ue& u) {
    std::vector<frame> out;
    for (const auto& a : u.pending)
      if (const auto* m = std::get_if<send_message>(&a)) out.push_back({0, m->lcid, m->src, m->dst, m->octets});
    u.pending.clear();
    return out;
  }
  peer_heard heard(ue& who, ue& whom) {
    for (const auto& h : world.discover(who))
      if (h.peer == who.id_of(whom)) return h;
    ADD_FAILURE() << "not discovered";
    return {};
  }
  frame request(ue& from, ue& to) {
    EXPECT_TRUE(from.security->links().connect(heard(from, to), world.now, from.pending));
    const auto out = taken_off(from);
    return out.at(0);
  }
  /// The Complete of a set-up from alice to bob that bob has not heard.
  frame held_complete() {
    const frame r = request(alice, bob);
    EXPECT_TRUE(taken(bob, r, world.now));
    const auto command = taken_off(bob).at(0);
    EXPECT_TRUE(taken(alice, command, world.now));
    return taken_off(alice).at(0);
  }
  static std::size_t live(ue& u) { return u.security->links().links(0).size(); }

  ue alice{"alice", 901}, bob{"bob", 902};
  air world;
};

TEST_F(single_checks, good_short_tokens_cost_two_trials_a_request) {
  // Who guesses a short token, or has the pair's discovery keys without its static ones, cannot make the initiator
  // multiply at will.
  const auto forged = [&](const frame& command, std::uint8_t i) {
    const auto& keys = bob.security->peers().find(std::string_view("alice"))->ours;
    frame f = command;
    f.octets[40] ^= static_cast<std::uint8_t>(i + 1);
    const auto n = f.octets.size() - command_token_octets;
    const auto token = command_token(keys, world.slot(), f.src, f.dst, bytes_view(f.octets).first(n));
    std::copy(token.begin(), token.end(), f.octets.begin() + n);
    return f;
  };
  frame r = request(alice, bob);
  ASSERT_TRUE(taken(bob, r, world.now));
  frame command = taken_off(bob).at(0);
  const auto before = alice.dh.multiplications;
  EXPECT_EQ(alice.hear(forged(command, 0), world.now).error(), drop_reason::bad_handshake);
  EXPECT_EQ(alice.dh.multiplications, before + 2) << "the token is good";
  EXPECT_EQ(alice.hear(forged(command, 0), world.now).error(), drop_reason::nothing_new)
      << "the same octets cost nothing";
  EXPECT_EQ(alice.hear(forged(command, 1), world.now).error(), drop_reason::bad_handshake);
  for (std::uint8_t i = 2; i < 100; ++i)
    EXPECT_EQ(alice.hear(forged(command, i), world.now).error(), drop_reason::budget);
  EXPECT_FALSE(taken(alice, command, world.now));
  EXPECT_EQ(alice.dh.multiplications, before + 4);
  // The next request has its own, and one bad command does not keep the good one out.
  world.filter = [](const frame&) { return std::vector<frame>{}; };
  world.pass(8100);
  r = request(alice, bob);
  ASSERT_TRUE(taken(bob, r, world.now));
  command = taken_off(bob).at(0);
  EXPECT_EQ(alice.hear(forged(command, 0), world.now).error(), drop_reason::bad_handshake);
  EXPECT_TRUE(taken(alice, command, world.now));
}

TEST_F(single_checks, a_copied_complete_draws_one_accept_a_period) {
  const frame complete = held_complete();
  ASSERT_TRUE(taken(bob, complete, world.now));
  ASSERT_EQ(taken_off(bob).size(), 1U) << "the Accept";
  for (int i = 0; i < 10; ++i) bob.hear(complete, world.now);
  EXPECT_TRUE(taken_off(bob).empty()) << "at once again: nothing";
  world.now += 160;
  for (std::size_t bit = 24; bit < complete.octets.size() * 8; ++bit) {
    frame f = complete;
    f.octets[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    bob.hear(f, world.now);
  }
  EXPECT_TRUE(taken_off(bob).empty()) << "changed in any bit: nothing";
  for (int i = 0; i < 10; ++i) bob.hear(complete, world.now);
  EXPECT_EQ(taken_off(bob).size(), 1U) << "the copy itself: one Accept";
}

TEST_F(single_checks, a_copied_complete_draws_nothing_after_8_s) {
  const frame complete = held_complete();
  ASSERT_TRUE(taken(bob, complete, world.now));
  (void)taken_off(bob);
  world.now += 7900;
  bob.hear(complete, world.now);
  EXPECT_EQ(taken_off(bob).size(), 1U) << "the Accept was lost on the air";
  world.now += 200;
  bob.hear(complete, world.now);
  EXPECT_TRUE(taken_off(bob).empty());
  EXPECT_EQ(live(bob), 1U);
}

TEST_F(single_checks, a_complete_from_or_to_another_layer_2_id_is_dropped) {
  const frame complete = held_complete();
  for (int bit = 0; bit < 24; ++bit) {
    frame f = complete;
    f.src ^= 1U << bit;
    EXPECT_FALSE(taken(bob, f, world.now));
    f = complete;
    f.dst ^= 1U << bit;
    EXPECT_FALSE(taken(bob, f, world.now));
  }
  EXPECT_EQ(live(bob), 0U);
  EXPECT_TRUE(taken(bob, complete, world.now));
}

TEST_F(single_checks, set_up_messages_are_taken_on_their_own_channels_only) {
  const frame r = request(alice, bob);
  ASSERT_TRUE(taken(bob, r, world.now));
  const auto command = taken_off(bob).at(0);
  const auto on_others = [&](ue& u, const frame& f) {
    for (std::uint8_t lcid = 0; lcid < 32; ++lcid) {
      frame g = f;
      g.lcid = lcid;
      if (lcid != f.lcid) {
        EXPECT_FALSE(taken(u, g, world.now)) << int{lcid};
      }
    }
  };
  on_others(alice, command);
  ASSERT_TRUE(taken(alice, command, world.now));
  const auto complete = taken_off(alice).at(0);
  on_others(bob, complete);
  EXPECT_EQ(live(bob), 0U);
  EXPECT_TRUE(taken(bob, complete, world.now));
}

TEST_F(single_checks, a_set_up_without_complete_is_forgotten_after_8_s) {
  const frame complete = held_complete();
  world.filter = [](const frame&) { return std::vector<frame>{}; };
  world.pass(8100);
  EXPECT_TRUE(bob.security->links().state().empty());
  EXPECT_FALSE(taken(bob, complete, world.now)) << "a Complete that was held back";
}

TEST_F(single_checks, one_attempt_a_peer) {
  const auto h = heard(alice, bob);
  EXPECT_TRUE(alice.security->links().connect(h, world.now, alice.pending));
  EXPECT_EQ(alice.security->links().connect(h, world.now, alice.pending).error(), drop_reason::limit);
  EXPECT_EQ(taken_off(alice).size(), 1U);
}

TEST_F(single_checks, each_attempt_has_a_layer_2_id_of_its_own) {
  std::set<l2_id> ids;
  for (int i = 0; i < 5; ++i) {
    ids.insert(request(alice, bob).src);
    world.filter = [](const frame&) { return std::vector<frame>{}; };
    world.pass(8100);
  }
  EXPECT_EQ(ids.size(), 5U);
}

TEST_F(single_checks, a_token_of_another_slot_is_worthless) {
  const frame r = request(alice, bob);
  const auto& keys = alice.security->peers().find(std::string_view("bob"))->theirs;
  const auto before = bob.dh.multiplications;
  for (const slot_t t : {world.slot() - 1, world.slot() + 1, slot_t{0}}) {
    frame f = r;
    const auto token =
        request_token(keys, t, f.src, f.dst, bytes_view(f.octets).first(request_octets - request_token_octets));
    std::copy(token.begin(), token.end(), f.octets.end() - request_token_octets);
    EXPECT_EQ(bob.hear(f, world.now).error(), drop_reason::bad_token);
  }
  EXPECT_EQ(bob.dh.multiplications, before);
  EXPECT_TRUE(taken(bob, r, world.now));
}

TEST_F(single_checks, a_pre_shared_key_changes_codes_tokens_and_rendezvous) {
  const dh_output same_twice{std::array<std::uint8_t, 32>{7}};
  const auto keys = [&](std::uint8_t psk) {
    return derive_direction(pre_shared_key(std::array<std::uint8_t, 32>{psk}), same_twice,
                            alice.security->peers().own_public(), bob.security->peers().own_public());
  };
  const auto a = keys(1), b = keys(2);
  EXPECT_NE(make_discovery(discovery_type::announcement, a, 5), make_discovery(discovery_type::announcement, b, 5));
  EXPECT_NE(rendezvous_l2_id(a, 5), rendezvous_l2_id(b, 5));
  EXPECT_NE(request_token(a, 5, 1, 2, {}), request_token(b, 5, 1, 2, {}));
}

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

/// Answers with zeros where the other side has a point of low order, as a peer would who wants a session key that
/// anybody can compute.
class weak_dh final : public dh_port {
public:
  std::optional<dh_output> agree(const static_private_key&, const public_key&) override { return zero(); }
  std::optional<dh_output> agree(const ephemeral_private_key&, const public_key&) override { return zero(); }
  public_key public_of(const static_private_key&) override { return {}; }
  public_key public_of(const ephemeral_private_key&) override { return {}; }

private:
  static dh_output zero() { return dh_output(std::array<std::uint8_t, 32>{}); }
};

TEST(single_checks_noise, a_peer_with_a_low_order_ephemeral_gets_no_answer) {
  seeded_random random(906);
  crypto::mbedtls_x25519 dh(random);
  weak_dh weak;
  const auto a = key_pair::generate({random, dh}), b = key_pair::generate({random, dh});
  const pre_shared_key psk{std::array<std::uint8_t, 32>{}};
  const auto shared = dh.agree(a.private_key, b.public_part);
  const auto make = [&](role r, const key_pair& own, const public_key& other, dh_port& port) {
    noise::handshake::parameters n;
    n.protocol_used = {&noise::kkpsk0(), suite::chacha20_poly1305, crypto::hash::sha256};
    n.own_role = r;
    n.own_static = &own.private_key;
    n.own_public = own.public_part;
    n.remote_static = other;
    n.psk = &psk;
    n.cached_ss = &*shared;
    n.dh = &port;
    n.random = &random;
    return noise::handshake(n);
  };
  std::vector<std::uint8_t> message(256), payload(64);
  auto bad = make(role::initiator, a, b.public_part, weak);
  auto responder = make(role::responder, b, a.public_part, dh);
  const auto n = bad.write({}, message);
  ASSERT_TRUE(n);
  EXPECT_FALSE(responder.read(bytes_view(message).first(*n), payload));
  auto good = make(role::initiator, a, b.public_part, dh);
  const auto m = good.write({}, message);
  ASSERT_TRUE(m);
  EXPECT_TRUE(responder.read(bytes_view(message).first(*m), payload)) << "control";
}

}  // namespace
}  // namespace prose::security::test
