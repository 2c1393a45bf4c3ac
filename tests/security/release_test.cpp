// Release between honest UEs: repeated until it is accepted, whatever else is under way.
#include <gtest/gtest.h>

#include "common/octet_order.h"
#include "security/link.h"
#include "tests/security/links_fixture.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

TEST_F(links, release_ends_both_sides) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  ASSERT_TRUE(john.security->links().release(l->first, world.now, john.pending));
  world.settle();
  EXPECT_EQ(john.events<link_lost>()[0].reason, lost_reason::released_by_us);
  ASSERT_EQ(peter.events<link_lost>().size(), 1U);
  EXPECT_EQ(peter.events<link_lost>()[0].reason, lost_reason::released_by_peer);
  EXPECT_FALSE(john.security->links().release(l->first, world.now, john.pending));
}

std::size_t closing_secrets(const ue& u) {
  const auto all = stolen_state(u.security->peers(), u.security->links(), export_permit::user_was_warned());
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const auto& s) { return s.name.find("closing") != std::string::npos; }));
}

TEST_F(links, a_lost_release_is_repeated_until_it_is_accepted_and_no_longer) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  ASSERT_TRUE(world.send(peter, l->second, {1}));
  const frame data = world.captured.back();  // delivered once; again after the release
  int releases = 0, accepts = 0;
  world.filter = [&](const frame& f) {
    const bool lost = f.from == 0 && f.lcid == lcid_pc5s_protected && ++releases <= 2;
    accepts += f.from == 1;
    return lost ? std::vector<frame>{} : std::vector<frame>{f};
  };
  ASSERT_TRUE(john.security->links().release(l->first, world.now, john.pending));
  EXPECT_FALSE(john.security->links().link_with(john.id_of(peter))) << "for john it is over at once";
  world.settle();
  EXPECT_EQ(john.security->links().closing(), 1U);
  EXPECT_GT(closing_secrets(john), 0U) << "and a thief would find what is kept";
  EXPECT_FALSE(taken(john, data, world.now)) << "nothing is delivered any more";
  EXPECT_EQ(john.inbox.size(), 1U);
  frame forged = world.captured.back();
  forged.octets.back() ^= 1;
  std::swap(forged.src, forged.dst);
  EXPECT_FALSE(taken(john, forged, world.now));
  EXPECT_EQ(john.security->links().closing(), 1U) << "unverified input ends no repetition";
  world.pass(2 * link_config{}.release_interval_ms);
  EXPECT_EQ(releases, 3);
  EXPECT_EQ(accepts, 1);
  ASSERT_EQ(peter.events<link_lost>().size(), 1U);
  EXPECT_EQ(peter.events<link_lost>()[0].reason, lost_reason::released_by_peer);
  EXPECT_EQ(john.security->links().closing(), 0U);
  EXPECT_EQ(closing_secrets(john), 0U) << "wiped with the Accept";
  world.pass(10'000);
  EXPECT_EQ(releases, 3);
}

TEST_F(links, a_release_without_an_answer_ends_after_its_last_repetition) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  octet_set releases;
  world.filter = [&](const frame& f) {
    if (f.from == 0) releases.insert(f.octets);
    return std::vector<frame>{};
  };
  ASSERT_TRUE(john.security->links().release(l->first, world.now, john.pending));
  const link_config c;
  world.pass(c.release_sends * c.release_interval_ms + 100);
  EXPECT_EQ(releases.size(), c.release_sends) << "each a record of its own";
  EXPECT_EQ(john.security->links().closing(), 0U);
  EXPECT_EQ(closing_secrets(john), 0U);
  world.filter = nullptr;
  for (const auto& f : std::vector<frame>(world.captured.end() - 1, world.captured.end()))
    EXPECT_TRUE(taken(peter, f, world.now)) << "control: the last one still tells him";
  EXPECT_EQ(peter.security->links().link_with(peter.id_of(john)), std::nullopt);
}

TEST_F(links, releases_that_cross_end_each_other_across_epochs) {
  for (const bool moved : {false, true}) {
    world.filter = nullptr;
    const auto l = world.link_up(john, peter);
    ASSERT_TRUE(l);
    ASSERT_TRUE(world.send(john, l->first, {1}));
    ASSERT_TRUE(world.send(peter, l->second, {2}));
    if (moved) {  // peter sends in the next epoch and john, who has not heard it, in the present one
      world.now += 301'000;
      world.reaches = [](std::size_t, std::size_t) { return false; };
      ASSERT_TRUE(world.send(peter, l->second, {3}));
      ASSERT_EQ(peter.security->links().info(l->second, world.now)->epoch, 1U);
      ASSERT_EQ(john.security->links().info(l->first, world.now)->epoch, 0U);
      world.reaches = nullptr;
    }
    // John's own Release is lost: only his Accept can tell peter.
    int from_john = 0;
    world.filter = [&](const frame& f) {
      return f.from == 0 && ++from_john == 1 ? std::vector<frame>{} : std::vector<frame>{f};
    };
    ASSERT_TRUE(john.security->links().release(l->first, world.now, john.pending));
    ASSERT_TRUE(peter.security->links().release(l->second, world.now, peter.pending));
    world.settle();
    EXPECT_EQ(from_john, 2);
    EXPECT_EQ(john.security->links().closing(), 0U) << moved;
    EXPECT_EQ(peter.security->links().closing(), 0U) << moved;
    world.now += 2'000;
  }
}

TEST_F(links, a_release_reaches_a_peer_that_has_adopted_a_rekeying_unheard) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  world.settle();
  ASSERT_TRUE(john.security->links().rekey(l->first, world.now, john.pending));
  // John's first record under the new keys is lost: he sends under them, peter still under the old ones.
  int from_john = 0;
  world.filter = [&](const frame& f) {
    return f.from == 0 && ++from_john == 2 ? std::vector<frame>{} : std::vector<frame>{f};
  };
  world.settle();
  ASSERT_EQ(john.events<rekeyed>().size(), 1U);
  ASSERT_TRUE(peter.events<rekeyed>().empty());
  ASSERT_TRUE(peter.security->links().release(l->second, world.now, peter.pending));
  world.settle();
  EXPECT_EQ(john.events<link_lost>().size(), 1U);
  EXPECT_EQ(peter.security->links().closing(), 0U) << "his Accept came under the keys that peter had only staged";
}

}  // namespace
}  // namespace prose::security::test
