// Checks of set-ups that no other test missed when they were taken out one at a time (tests/adversary/mutants): each
// has one here.
#include <gtest/gtest.h>

#include <set>

#include "security/link.h"
#include "security/noise.h"
#include "tests/security/security_world.h"
#include "tests/security/single_checks.h"

namespace prose::security::test {
namespace {

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
