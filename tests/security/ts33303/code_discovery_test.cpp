// Discovery between UEs by codes of TS 33.303 6.1: what a link needs comes of it, and what a monitor can do.
#include "security/ts33303/code_discovery.h"

#include <gtest/gtest.h>

#include "tests/security/ts33303/direct_world.h"

namespace prose::security::ts33303::test {
namespace {

using security::test::seeded_random;

secured_code code_of(std::uint64_t seed) {
  seeded_random random(seed);
  return make_code(random);
}

struct coded {
  three_ues w;
  code_discovery mary, john, peter;
  coded()
      : mary(make(w.mary, 1, {{"john", 2}, {"peter", 3}})),
        john(make(w.john, 2, {{"mary", 1}})),
        peter(make(w.peter, 3, {{"john", 2}})) {
    w.air.set_slots();
  }
  static code_discovery make(direct_ue& u, std::uint64_t own, const std::map<std::string, std::uint64_t>& peers) {
    code_discovery::code_map codes;
    for (const auto& [name, seed] : peers) codes.emplace(name, code_of(seed));
    return std::move(
        *code_discovery::make(code_of(own), std::move(codes), u.base.security->peers(), u.base.security->discovery()));
  }
  discovery_pdu announced(code_discovery& who) const {
    const auto sent = who.announcements(w.air.now);
    EXPECT_EQ(sent.size(), 1U);
    return sent.empty() ? discovery_pdu{} : sent[0];
  }
  std::optional<peer_heard> hears(code_discovery& who, const discovery_pdu& pdu) const {
    const auto e = who.receive(pdu, w.air.now);
    const auto* h = e ? std::get_if<peer_heard>(&*e) : nullptr;
    return h != nullptr ? std::optional(*h) : std::nullopt;
  }
  void pass(time_ms ms) {
    w.air.now += ms;
    w.air.set_slots();
  }
};

TEST(ts33303_codes, a_monitor_hears_the_announcer_and_gets_a_link) {
  coded c;
  const auto pdu = c.announced(c.john);
  const auto h = c.hears(c.mary, pdu);
  ASSERT_TRUE(h);
  EXPECT_EQ(h->peer, c.w.mary.base.id_of(c.w.john.base));
  ASSERT_TRUE(c.w.mary.links->connect(*h, c.w.air.now, c.w.mary.pending));
  c.w.air.settle();
  EXPECT_TRUE(c.w.mary.link_with(c.w.john) && c.w.john.link_with(c.w.mary));
  EXPECT_TRUE(c.hears(c.peter, pdu));  // the message is for all monitors
}

TEST(ts33303_codes, one_message_a_second_and_another_in_the_next) {
  coded c;
  const auto first = c.announced(c.john);
  EXPECT_EQ(c.announced(c.john), first);
  c.pass(1000);
  EXPECT_NE(c.announced(c.john), first);
}

TEST(ts33303_codes, a_copy_counts_once_and_a_late_one_not_at_all) {
  coded c;
  const auto pdu = c.announced(c.john);
  EXPECT_TRUE(c.hears(c.mary, pdu));
  EXPECT_FALSE(c.hears(c.mary, pdu));
  const auto held_back = c.announced(c.mary);
  c.pass(1000);
  const auto late = c.announced(c.john);
  c.pass(17'000);  // beyond the window of the default profile's engine, within the standard's 32 s
  EXPECT_FALSE(c.hears(c.mary, late));
  EXPECT_FALSE(c.hears(c.john, held_back));
}

TEST(ts33303_codes, only_a_code_that_is_looked_for_is_heard) {
  coded c;
  EXPECT_FALSE(c.hears(c.john, c.announced(c.peter)));  // John has Mary's code alone
  auto altered = c.announced(c.john);
  for (std::size_t bit = 0; bit < 8 * altered.size(); ++bit) {
    altered[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(c.hears(c.mary, altered)) << bit;
    altered[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
  }
  // The other types are of model B, which is not built.
  const auto john = code_of(2);
  seeded_random random(9);
  for (const auto type : {discovery_type::query, discovery_type::response})
    EXPECT_FALSE(c.hears(c.mary, protect_discovery(type, john.code, john.keys, 1000, random)));
  EXPECT_TRUE(c.hears(c.mary, altered));
}

/// The weakness of 6.1: keys belong to the code, so whoever monitors it can announce it.
TEST(ts33303_codes, a_monitor_forges_the_announcer) {
  coded c;
  const auto john = code_of(2);  // as Peter has it
  seeded_random random(9);
  EXPECT_TRUE(c.hears(c.mary, protect_discovery(discovery_type::announcement, john.code, john.keys, 1000, random)));
}

TEST(ts33303_codes, nothing_is_announced_while_the_clock_is_not_right) {
  coded c;
  c.w.air.now += 60'000;  // no slot since then
  EXPECT_TRUE(c.john.announcements(c.w.air.now).empty());
}

TEST(ts33303_codes, one_code_for_two_is_refused_with_the_names) {
  coded c;
  auto& u = *c.w.mary.base.security;
  const auto refusal = [&](std::uint64_t own, std::uint64_t johns, std::uint64_t peters, bool duik = true) {
    code_discovery::code_map codes;
    codes.emplace("john", code_of(johns));
    codes.emplace("peter", code_of(peters));
    if (!duik) codes.at("john").keys.duik.reset();
    const auto made = code_discovery::make(code_of(own), std::move(codes), u.peers(), u.discovery());
    return made ? std::string() : made.error().message;
  };
  EXPECT_EQ(refusal(1, 2, 3), "");
  EXPECT_EQ(refusal(1, 2, 2), "'john' and 'peter' have the same code");
  EXPECT_EQ(refusal(2, 2, 3), "'john' has this UE's own code");
  EXPECT_EQ(refusal(1, 2, 3, false), "the code of 'john' has no DUIK");
}

}  // namespace
}  // namespace prose::security::ts33303::test
