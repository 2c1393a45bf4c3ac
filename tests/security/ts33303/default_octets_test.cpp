// The default profile is what it was before profile ts33303 came. A regression vector, made by this project's own code
// (2026-11-30, seed 1): it shows that octets have not changed, not that they are right.
#include <gtest/gtest.h>

#include "common/hex.h"
#include "security/crypto/hash.h"
#include "tests/security/comparison/two_profiles.h"

namespace prose::security::comparison {
namespace {

/// Of what everybody sent: announcements of a second, a set-up, data both ways, a rekeying, a release.
std::string digest_of_a_story() {
  town t(profile::ltesl);
  octets all;
  const auto add = [&all](auto&& list) { all.insert(all.end(), list.begin(), list.end()); };
  t.air.set_slots();
  for (auto* d : t.air.devices)
    for (const auto& pdu : d->discovery().announcements(t.air.now)) add(pdu);
  EXPECT_FALSE(all.empty());
  EXPECT_TRUE(t.air.link_up(t.john, t.peter));
  EXPECT_TRUE(t.air.send(t.john, t.peter, octets(40, 1)) && t.air.send(t.peter, t.john, octets(40, 2)));
  const auto links = [&](auto&& f) { return t.john.links(f); };
  const auto id = *t.john.link_with(t.peter);
  EXPECT_TRUE(links([&](auto& l) { return l.rekey(id, t.air.now, t.john.pending).has_value(); }));
  t.air.settle();
  t.air.pass(1000);
  EXPECT_TRUE(links([&](auto& l) { return l.release(id, t.air.now, t.john.pending).has_value(); }));
  t.air.settle();
  EXPECT_GE(t.air.captured.size(), 8U);
  for (const auto& f : t.air.captured) {
    const std::array<std::uint8_t, 7> head{f.lcid,
                                           static_cast<std::uint8_t>(f.src >> 16),
                                           static_cast<std::uint8_t>(f.src >> 8),
                                           static_cast<std::uint8_t>(f.src),
                                           static_cast<std::uint8_t>(f.dst >> 16),
                                           static_cast<std::uint8_t>(f.dst >> 8),
                                           static_cast<std::uint8_t>(f.dst)};
    add(head);
    add(f.octets);
  }
  crypto::digest256 d{};
  crypto::digest(crypto::hash::sha256, {all}, d);
  return to_hex(d);
}

TEST(ts33303_default_profile, regression_octets_are_as_before) {
  EXPECT_EQ(digest_of_a_story(), "16a353125e7acd748f2ce9031a7a7b1509bbd80f1896d5fa0d706638e10a423f");
}

}  // namespace
}  // namespace prose::security::comparison
