// Negotiation of suites, pre-shared keys, what a peer table refuses.
#include <gtest/gtest.h>

#include "common/hex.h"
#include "security/link.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

TEST(negotiation, first_suite_of_the_responder_that_was_offered_or_silence) {
  const auto run = [](std::vector<suite> initiator, std::vector<suite> responder) -> std::optional<suite> {
    ue_config ca, cb;
    ca.links.suites = std::move(initiator);
    cb.links.suites = std::move(responder);
    ue a("alice", 81, ca), b("bob", 82, cb);
    a.knows(b);
    b.knows(a);
    air w;
    w.ues = {&a, &b};
    w.set_slots();
    if (!w.link_up(a, b)) return std::nullopt;
    return b.events<link_established>()[0].suite_used;
  };
  using s = suite;
  EXPECT_EQ(run({s::aes_256_gcm, s::chacha20_poly1305}, {s::chacha20_poly1305, s::aes_256_gcm}), s::chacha20_poly1305);
  EXPECT_EQ(run({s::aes_256_gcm}, {s::chacha20_poly1305, s::aes_256_gcm}), s::aes_256_gcm);
  EXPECT_EQ(run({s::aes_256_gcm}, {s::chacha20_poly1305}), std::nullopt);
  EXPECT_EQ(run({}, {s::chacha20_poly1305, s::aes_256_gcm}), std::nullopt) << "there is no NULL to fall back to";
}

TEST(negotiation, pre_shared_keys_must_agree) {
  const auto linked = [](std::uint8_t at_a, std::uint8_t at_b) {
    ue a("alice", 83), b("bob", 84);
    const auto key = [](std::uint8_t v) { return pre_shared_key(std::array<std::uint8_t, 32>{v}); };
    a.knows(b, key(at_a));
    b.knows(a, key(at_b));
    air w;
    w.ues = {&a, &b};
    w.set_slots();
    return w.link_up(a, b).has_value();
  };
  EXPECT_TRUE(linked(1, 1));
  EXPECT_FALSE(linked(1, 2));
  EXPECT_FALSE(linked(1, 0));
}

TEST(peers, own_duplicate_zero_and_low_order_keys_are_refused) {
  ue a("alice", 85), b("bob", 86), c("carol", 87);
  EXPECT_TRUE(a.security->add_peer("bob", b.security->peers().own_public()));
  EXPECT_FALSE(a.security->add_peer("bob", c.security->peers().own_public()));
  EXPECT_FALSE(a.security->add_peer("bobby", b.security->peers().own_public()));
  EXPECT_FALSE(a.security->add_peer("me", a.security->peers().own_public()));
  EXPECT_FALSE(a.security->add_peer("zero", public_key{}));
  public_key one;
  one.octets[0] = 1;
  EXPECT_FALSE(a.security->add_peer("one", one));
  EXPECT_EQ(a.security->peers().size(), 1U);
}

TEST(peers, fingerprint_is_symmetric_and_changes_with_either_key) {
  ue a("alice", 88), b("bob", 89), c("carol", 90);
  const auto &ka = a.security->peers().own_public(), &kb = b.security->peers().own_public(),
             &kc = c.security->peers().own_public();
  EXPECT_EQ(pair_fingerprint(ka, kb), pair_fingerprint(kb, ka));
  EXPECT_NE(pair_fingerprint(ka, kb), pair_fingerprint(ka, kc));
}

}  // namespace
}  // namespace prose::security::test
