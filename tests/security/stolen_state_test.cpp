// Mary's whole state against everything that John and Peter sent: every key, every derivation, every message.
#include <gtest/gtest.h>

#include "tests/security/mary_search.h"
#include "tests/security/weak_variants.h"

namespace prose::security::test {
namespace {

/// John talks to Peter and to Mary, through two set-ups, data both ways, an epoch change and a rekeying.
struct scene {
  scene() {
    john.knows(peter);
    peter.knows(john);
    john.knows(mary);
    mary.knows(john);
    world.ues = {&john, &peter, &mary};
    world.set_slots();
  }
  evidence run() {
    evidence e;
    e.first_slot = world.slot();
    const std::vector<std::uint8_t> mark{'s', 'e', 'c', 'r', 'e', 't', '-', 'o', 'f', '-', 'J', 'P', '-', '0', '0'};
    for (int round = 0; round < 2; ++round) {
      const auto to_mary = world.link_up(john, mary);
      EXPECT_TRUE(to_mary);
      EXPECT_TRUE(world.send(john, to_mary->first, {1, 2, 3}));
      world.pass(1000);
      const std::size_t frames_before = world.captured.size();
      const auto l = world.link_up(john, peter);
      EXPECT_TRUE(l);
      const auto say = [&](ue& u, link_id id) {
        auto text = mark;
        text.back() = static_cast<std::uint8_t>('0' + e.truth.size());
        text.push_back(static_cast<std::uint8_t>(e.truth.size() * 37));
        EXPECT_TRUE(world.send(u, id, text));
        e.truth.push_back(text);
      };
      say(john, l->first);
      say(peter, l->second);
      say(john, l->first);
      if (round == 1) {
        EXPECT_TRUE(john.security->links().rekey(l->first, world.now, john.pending));
        world.settle();
        EXPECT_EQ(john.events<rekeyed>().size(), 1U);
        say(peter, l->second);
        say(john, l->first);
      }
      for (std::size_t i = frames_before; i < world.captured.size(); ++i) e.frames.push_back(world.captured[i]);
      if (round == 0) world.pass(1000);
    }
    // What Peter and John announced to each other, as the attacker sees it: all entries of their announcements, and what John
    // said for Mary is left out by construction below (she may recognise what was meant for her).
    e.last_slot = world.slot();
    const peer& j = *peter.security->peers().find(std::string_view("john"));
    const peer& p = *john.security->peers().find(std::string_view("peter"));
    for (slot_t t = e.first_slot; t <= e.last_slot; ++t)
      for (const auto type : {discovery_type::announcement, discovery_type::query, discovery_type::response}) {
        e.discovery.push_back(make_discovery(type, j.ours, t));
        e.discovery.push_back(make_discovery(type, p.ours, t));
      }
    e.stolen = stolen_state(mary.security->peers(), mary.security->links(), export_permit::user_was_warned());
    e.publics = {john.security->peers().own_public(), mary.security->peers().own_public(),
                 peter.security->peers().own_public()};
    e.names = {"john", "peter", "mary"};
    const auto reacts = [this](const frame& f, time_ms when) {
      const auto before = peter.inbox.size();
      peter.hear(f, when);
      const bool said = !peter.pending.empty();
      peter.pending.clear();
      return said || peter.inbox.size() != before;
    };
    e.reacts_now = [this, reacts](const frame& f) { return reacts(f, world.now); };
    e.reacts_later = [this, reacts](const frame& f) { return reacts(f, world.now + 3'600'000); };
    e.believes = [this](const discovery_pdu& d) {
      const auto r = john.security->discovery().receive(d, world.now);
      return r && std::visit([&](const auto& v) { return v.peer == john.id_of(peter); }, *r);
    };
    return e;
  }
  ue john{"john", 31}, peter{"peter", 32}, mary{"mary", 33};
  air world;
};

TEST(stolen_state, every_key_times_every_derivation_times_every_message_finds_nothing) {
  scene s;
  const evidence e = s.run();
  ASSERT_GE(e.truth.size(), 8U);
  ASSERT_GE(e.stolen.size(), 25U);
  const findings f = search(e);
  RecordProperty("keys_tried", static_cast<int>(f.keys_tried));
  RecordProperty("trials", static_cast<int>(f.trials));
  std::printf("%zu keys, %zu trials, %zu records\n", f.keys_tried, f.trials, f.records_seen);
  EXPECT_GT(f.keys_tried, 5000U);
  EXPECT_GE(f.records_seen, e.truth.size());
  EXPECT_EQ(f.opened, 0U);
  EXPECT_EQ(f.readable, 0U);
  EXPECT_EQ(f.keystream_reused, 0U);
  EXPECT_EQ(f.recognised, 0U);
  EXPECT_EQ(f.linked, 0U);
  EXPECT_EQ(f.forged, 0U);
  EXPECT_EQ(f.replays_answered, 0U);
}

TEST(stolen_state, the_same_search_with_johns_state_opens_johns_own_link) {
  // The search can find: with the state of one of the pair it opens, recognises and forges.
  scene s;
  evidence e = s.run();
  e.stolen = stolen_state(s.john.security->peers(), s.john.security->links(), export_permit::user_was_warned());
  const findings f = search(e);
  EXPECT_GT(f.opened, 0U);
  EXPECT_GT(f.recognised, 0U);
  EXPECT_GT(f.forged, 0U);
}

TEST(stolen_state, johns_state_after_the_rekeying_opens_nothing_from_before_it) {
  scene s;
  evidence e = s.run();
  // Two seconds later the old generation is wiped.
  s.world.pass(3000);
  e.stolen = stolen_state(s.john.security->peers(), s.john.security->links(), export_permit::user_was_warned());
  std::size_t seen = 0;
  std::erase_if(e.frames, [&](const frame& f) { return f.lcid > lcid_data_last || ++seen > 6; });
  ASSERT_EQ(e.frames.size(), 6U) << "three data records of each set-up, all from before the rekeying";
  e.reacts_now = nullptr;
  e.reacts_later = nullptr;
  e.believes = nullptr;
  e.discovery.clear();
  EXPECT_EQ(search(e).opened, 0U);
}

class weak_variant : public ::testing::TestWithParam<weakness> {};

TEST_P(weak_variant, is_broken_by_the_same_search) {
  scene s;
  const findings f = search(weaken(s.run(), GetParam()));
  EXPECT_FALSE(f.nothing_found());
  switch (GetParam()) {
    case weakness::one_key_for_all_peers: EXPECT_EQ(f.opened, 8U); break;
    case weakness::null_cipher: EXPECT_EQ(f.readable, 8U); break;
    case weakness::repeated_nonce: EXPECT_GT(f.keystream_reused, 0U); break;
    case weakness::plain_identities: EXPECT_GT(f.recognised, 0U); break;
    case weakness::static_token: EXPECT_GT(f.linked, 0U); break;
    case weakness::replayable_request: EXPECT_GT(f.replays_answered, 0U); break;
  }
}
INSTANTIATE_TEST_SUITE_P(controls, weak_variant, ::testing::ValuesIn(all_weaknesses),
                         [](const auto& w) { return name_of(w.param); });

}  // namespace
}  // namespace prose::security::test
