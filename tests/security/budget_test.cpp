// What others can make a UE do is bounded for each of them, and takes effect at a fixed time, whatever is done for the
// rest.
#include <gtest/gtest.h>

#include <algorithm>

#include "security/link.h"
#include "tests/fuzz/toy_dh.h"
#include "tests/security/budget_fixture.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

TEST_F(budget, set_up_takes_its_fixed_time) {
  ask(mary, john);
  pass(answer_delay_ms - 1);
  EXPECT_TRUE(log.empty());
  const peer_heard again{mary.id_of(john), world.slot(), 77, discovery_type::announcement};
  EXPECT_EQ(mary.security->links().connect(again, world.now, mary.pending).error(), drop_reason::limit)
      << "one is under way";
  pass(1);
  ASSERT_EQ(log.size(), 1U) << "the request, so long after the announcement";
  EXPECT_EQ(log[0].f.lcid, lcid_pc5s_unprotected);
  const peer_heard other_way{john.id_of(mary), world.slot(), 77, discovery_type::announcement};
  EXPECT_EQ(john.security->links().connect(other_way, world.now, john.pending).error(), drop_reason::limit)
      << "Mary's is being answered";
  pass(5000);
  const auto first = [&](std::size_t from, std::uint8_t lcid) {
    const auto at =
        std::find_if(log.begin(), log.end(), [&](const sent& s) { return s.f.from == from && s.f.lcid == lcid; });
    return at == log.end() ? time_ms{-1} : at->at;
  };
  EXPECT_EQ(first(0, lcid_pc5s_security_mode), 2 * answer_delay_ms) << "the command";
  EXPECT_EQ(first(1, lcid_pc5s_security_mode), 3 * answer_delay_ms) << "the Complete";
  EXPECT_EQ(first(0, lcid_pc5s_protected), 3 * answer_delay_ms) << "the Accept, which multiplies nothing";
  EXPECT_TRUE(mary.security->links().link_with(mary.id_of(john)));
  EXPECT_EQ(dropped(drop_reason::late) + dropped(drop_reason::budget), 0U);
}

TEST_F(budget, what_is_sent_does_not_depend_on_when_work_is_done) {
  // The same worlds, with John's work done at once or in the last millisecond before it is due.
  std::vector<std::vector<sent>> logs;
  for (const bool at_once : {true, false}) {
    toy_dh dh;
    queue_of_work w;
    w.at_once = at_once;
    ue j("john", 2711, {}, std::nullopt, &dh, &w), m("mary", 2712, {}, std::nullopt, &dh);
    j.knows(m);
    m.knows(j);
    air a;
    a.ues = {&j, &m};
    a.set_slots();
    auto& out = logs.emplace_back();
    a.filter = [&](const frame& f) {
      out.push_back({a.now, f});
      return std::vector<frame>{f};
    };
    const auto run = [&](time_ms ms) {
      for (time_ms t = 0; t < ms; ++t) {
        if (j.security->links().next_due() == a.now + 1) w.do_all();
        a.pass(1, 1);
      }
    };
    for (const auto& h : a.discover(m)) ASSERT_TRUE(m.security->links().connect(h, a.now, m.pending));
    run(3000);
    ASSERT_TRUE(m.security->links().link_with(m.id_of(j)));
    ASSERT_TRUE(m.security->links().rekey(*m.security->links().link_with(m.id_of(j)), a.now, m.pending));
    run(6000);
    ASSERT_TRUE(j.security->links().rekey(*j.security->links().link_with(j.id_of(m)), a.now, j.pending));
    run(6000);
    EXPECT_EQ(j.events<rekeyed>().size(), 2U);
  }
  ASSERT_EQ(logs[0].size(), logs[1].size());
  for (std::size_t i = 0; i < logs[0].size(); ++i) {
    EXPECT_EQ(logs[0][i].at, logs[1][i].at) << i;
    EXPECT_EQ(logs[0][i].f.octets, logs[1][i].f.octets) << i;
    EXPECT_EQ(logs[0][i].f.src, logs[1][i].f.src) << i;
  }
}

TEST_F(budget, what_misses_its_time_is_silence_and_a_repetition_costs_nothing) {
  ask(mary, john);
  work.at_once = false;
  pass(answer_delay_ms);
  ASSERT_EQ(log.size(), 1U);
  pass(answer_delay_ms + 5);
  EXPECT_EQ(of_john(), 0U);
  EXPECT_EQ(dropped(drop_reason::late), 1U);
  work.do_all();
  const auto before = work.multiplications;
  const auto when = world.now;
  EXPECT_EQ(of_john(), 0U) << "late is never";
  pass(6000);
  const auto answer = std::find_if(log.begin(), log.end(), [](const sent& s) { return s.f.from == 0; });
  ASSERT_NE(answer, log.end());
  const auto repetition =
      std::find_if(log.begin(), log.end(), [&](const sent& s) { return s.at > when && s.f.from == 1; });
  EXPECT_EQ(answer->at, repetition->at) << "with the next copy of the request";
  EXPECT_EQ(work.multiplications, before);
  EXPECT_TRUE(john.security->links().link_with(john.id_of(mary)));
}

TEST_F(budget, every_kind_of_work_may_miss_its_time) {
  // John asks; his own request, the reading of the command, his rekeying and its response are late once each.
  const auto late_once = [&](time_ms ms) {
    work.at_once = false;
    pass(answer_delay_ms + 2);
    work.do_all();
    work.at_once = true;
    pass(ms);
  };
  ask(john, mary);
  EXPECT_EQ(work.waiting.size(), 0U);
  pass(9000);
  ASSERT_TRUE(john.security->links().link_with(john.id_of(mary)));
  (void)john.security->links().release(*john.security->links().link_with(john.id_of(mary)), world.now, john.pending);
  pass(3000);
  work.at_once = false;
  ask(john, mary);
  late_once(100);
  EXPECT_EQ(dropped(drop_reason::late), 1U);
  EXPECT_EQ(john.events<attempt_failed>().size(), 1U) << "who asks is told, and asks again at the next announcement";
  pass(6000);
  ask(john, mary);
  pass(answer_delay_ms * 2 - 1);
  late_once(6000);
  EXPECT_EQ(dropped(drop_reason::late), 2U);
  const auto link = john.security->links().link_with(john.id_of(mary));
  ASSERT_TRUE(link) << "the next copy of the command was read";
  work.at_once = false;
  ASSERT_TRUE(john.security->links().rekey(*link, world.now, john.pending));
  late_once(100);
  EXPECT_EQ(dropped(drop_reason::late), 3U);
  pass(6000);
  ASSERT_TRUE(john.security->links().rekey(*link, world.now, john.pending));
  pass(answer_delay_ms * 2 - 1);
  late_once(6000);
  EXPECT_EQ(dropped(drop_reason::late), 4U);
  EXPECT_EQ(john.events<rekeyed>().size(), 1U) << "the next copy of the response was read";
  pass(6000);
  ASSERT_TRUE(
      mary.security->links().rekey(*mary.security->links().link_with(mary.id_of(john)), world.now, mary.pending));
  pass(answer_delay_ms - 1);
  late_once(6000);
  EXPECT_EQ(dropped(drop_reason::late), 5U);
  EXPECT_EQ(john.events<rekeyed>().size(), 2U) << "the next copy of the request was answered";
  EXPECT_EQ(john.events<link_lost>().size(), 1U) << "the released one";
}

TEST_F(budget, what_one_peer_uses_up_is_missing_to_nobody_else) {
  world.discover(mary);
  std::size_t taken_of_mary = 0;
  for (int i = 0; i < 4000; ++i) {
    if (i % 1000 == 0) (void)john.security->discovery().announcements(world.now);
    taken_of_mary += taken(john, request(mary), world.now) ? 1U : 0U;
    pass(1);
  }
  EXPECT_LE(taken_of_mary, 5U) << "12 multiplications at four each at first, and what comes back";
  EXPECT_GE(dropped(drop_reason::budget) + dropped(drop_reason::limit), 3900U);
  const auto late = dropped(drop_reason::late);
  (void)john.security->discovery().announcements(world.now);
  log.clear();
  const frame asked = request(peter);
  EXPECT_TRUE(taken(john, asked, world.now));
  const auto at = world.now;
  pass(answer_delay_ms);
  const auto answer =
      std::find_if(log.begin(), log.end(), [&](const sent& s) { return s.f.from == 0 && s.f.src == asked.dst; });
  ASSERT_NE(answer, log.end());
  EXPECT_EQ(answer->at, at + answer_delay_ms);
  EXPECT_EQ(dropped(drop_reason::late), late);
}

TEST_F(budget, strangers_cost_only_hashes_of_one_rendezvous) {
  (void)john.security->discovery().announcements(world.now);
  const frame good = request(mary), peters = request(peter);
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    frame f = good;
    for (std::size_t k = 0; k < 4; ++k) f.octets[10 + k] ^= static_cast<std::uint8_t>(i >> (8 * k));
    f.octets[64] ^= 1;
    EXPECT_FALSE(taken(john, f, world.now));
  }
  EXPECT_EQ(dropped(drop_reason::bad_token), 64U) << "the others are not even hashed";
  EXPECT_EQ(dropped(drop_reason::budget), 10'000U - 64U);
  EXPECT_EQ(john.hear(good, world.now).error(), drop_reason::budget) << "behind the flood at the same place";
  EXPECT_TRUE(taken(john, peters, world.now));
  world.now += 10;
  EXPECT_TRUE(taken(john, good, world.now)) << "a hundredth of a second later";
  EXPECT_EQ(work.multiplications, 8U) << "of the two genuine ones";
}

TEST_F(budget, a_due_rekeying_fits_beside_whatever_else_the_peer_asks) {
  ASSERT_TRUE(link_up(mary, john));
  // All that Mary may cause in set-ups and rekeyings is used up, over and over.
  std::uint16_t seq = live(mary, john).next_seq;
  const auto flood = [&] {
    if (world.now % 1000 == 0) (void)john.security->discovery().announcements(world.now);
    (void)taken(john, request(mary), world.now);
    if (world.now % 7 == 0) (void)taken(john, rekeying_request(mary, ++seq), world.now);
  };
  for (int i = 0; i < 6000; ++i) flood(), pass(1);
  const auto at = world.now;
  EXPECT_TRUE(
      john.security->links().rekey(*john.security->links().link_with(john.id_of(mary)), world.now, john.pending));
  log.clear();
  for (time_ms i = 0; i < answer_delay_ms; ++i) flood(), pass(1);
  const auto out = std::find_if(log.begin(), log.end(), [&](const sent& s) {
    return s.f.from == 0 && s.f.lcid == lcid_pc5s_protected &&
           s.f.octets.size() == rekeying_request_octets + record_overhead_octets;
  });
  ASSERT_NE(out, log.end());
  EXPECT_EQ(out->at, at + answer_delay_ms);
}

TEST_F(budget, no_more_than_six_multiplications_a_peer_wait_at_any_time) {
  // Mary alone, with everything that she can ask of John in every millisecond, and the work never done.
  ASSERT_TRUE(link_up(mary, john));
  work.at_once = false;
  std::uint16_t seq = live(mary, john).next_seq;
  std::uint32_t most = 0;
  for (int i = 0; i < 3000; ++i) {
    if (world.now % 1000 == 0) (void)john.security->discovery().announcements(world.now);
    (void)taken(john, request(mary), world.now);
    (void)taken(john, rekeying_request(mary, ++seq), world.now);
    if (i % 10 == 0)
      (void)john.security->links().rekey(*john.security->links().link_with(john.id_of(mary)), world.now, john.pending);
    pass(1);
    std::uint32_t n = 0;
    for (const auto& w : work.waiting) n += set_up_work::multiplications(w->what());
    most = std::max(most, n);
  }
  EXPECT_EQ(most, 6U);
}

TEST_F(budget, both_asking_at_once_still_gives_one_link) {
  for (const auto& h : world.discover(mary)) ASSERT_TRUE(mary.security->links().connect(h, world.now, mary.pending));
  pass(1000);
  for (time_ms apart : {0, 1, 200, 399, 400, 401, 600, 900}) {
    (void)john.security->links().release(john.security->links().link_with(john.id_of(mary)).value_or(0), world.now,
                                         john.pending);
    pass(20'000);
    // Each heard the other; one of them a little later.
    for (const auto& h : world.discover(mary))
      if (h.peer == mary.id_of(john)) {
        ASSERT_TRUE(mary.security->links().connect(h, world.now, mary.pending));
      }
    const auto mine = rendezvous_l2_id(john.security->peers().find(john.id_of(mary))->theirs, world.slot());
    const auto slot = world.slot();
    pass(apart);
    (void)john.security->links().connect({john.id_of(mary), slot, mine, discovery_type::announcement}, world.now,
                                         john.pending);
    const auto began = john.events<link_established>().size();
    pass(5000);
    EXPECT_EQ(john.events<link_established>().size(), began + 1) << apart;
    EXPECT_TRUE(mary.security->links().link_with(mary.id_of(john))) << apart;
  }
}

TEST_F(budget, a_lossy_link_keeps_renewing_its_keys) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    ue_config config;
    config.links.rekey_after_ms = 20'000;
    config.links.rekey_larger_key_waits_ms = 3'000;
    config.links.refuse_after_ms = 60'000;
    config.links.keepalive_after_ms = 1'000;
    ue a("a", 2800 + seed, config, std::nullopt, &toy), b("b", 2900 + seed, config, std::nullopt, &toy);
    a.knows(b);
    b.knows(a);
    air w;
    w.ues = {&a, &b};
    w.set_slots();
    std::mt19937_64 dice(seed);
    w.filter = [&](const frame& f) { return dice() % 5 == 0 ? std::vector<frame>{} : std::vector<frame>{f}; };
    for (const auto& h : w.discover(a)) ASSERT_TRUE(a.security->links().connect(h, w.now, a.pending));
    w.pass(10'000, 10);
    ASSERT_TRUE(a.security->links().link_with(a.id_of(b))) << seed;
    w.pass(300'000, 10);
    EXPECT_TRUE(a.events<link_lost>().empty()) << seed;
    EXPECT_GE(a.events<rekeyed>().size(), 8U) << seed;
    for (const ue* u : {&a, &b}) EXPECT_EQ(u->security->links().dropped(drop_reason::late), 0U);
  }
}

TEST_F(budget, all_budgets_at_once_are_384_multiplications) {
  queue_of_work w;
  ue_config config;
  config.discovery.entries = max_peers;
  ue hub("hub", 2704, config, std::nullopt, &toy, &w);
  std::vector<std::unique_ptr<ue>> others;
  air a;
  a.ues = {&hub};
  for (std::size_t i = 0; i < max_peers; ++i) {
    others.push_back(std::make_unique<ue>("peer" + std::to_string(i), 2720 + i, config, std::nullopt, &toy));
    hub.knows(*others[i]);
    others[i]->knows(hub);
    a.ues.push_back(others[i].get());
  }
  a.set_slots();
  (void)hub.security->discovery().announcements(a.now);
  for (auto& o : others) {
    const auto meeting = rendezvous_l2_id(o->security->peers().find(o->id_of(hub))->theirs, a.slot());
    ASSERT_TRUE(o->security->links().connect({o->id_of(hub), a.slot(), meeting, discovery_type::announcement}, a.now,
                                             o->pending));
  }
  a.pass(3000, 50);
  ASSERT_EQ(hub.security->links().links(a.now).size(), max_peers);
  a.pass(6000, 100);
  w.at_once = false;
  w.multiplications = 0;
  for (auto& o : others) {
    ASSERT_TRUE(o->security->links().rekey(*o->security->links().link_with(o->id_of(hub)), a.now, o->pending));
    ASSERT_TRUE(hub.security->links().rekey(*hub.security->links().link_with(hub.id_of(*o)), a.now, hub.pending));
  }
  a.pass(answer_delay_ms, 100);
  EXPECT_LE(w.multiplications, 6 * max_peers);
  EXPECT_GE(w.multiplications, 4 * max_peers);
  std::printf("%u multiplications at one moment from %zu peers; %.2f ms for each within the delay of %d ms\n",
              w.multiplications, max_peers, static_cast<double>(answer_delay_ms) / (6.0 * max_peers),
              static_cast<int>(answer_delay_ms));
}

}  // namespace
}  // namespace prose::security::test
