// What others can make a UE do is bounded for each of them, and takes effect at a fixed time, whatever is done for the
// rest. Simulated time, seeds in the constructors; the scalar multiplications are toys unless said otherwise.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "security/link.h"
#include "tests/fuzz/toy_dh.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

const bool shipped = (as_shipped = true);

/// Work waits until the test lets it be done.
class queue_of_work final : public work_port {
public:
  void submit(std::shared_ptr<set_up_work> w) override {
    multiplications += set_up_work::multiplications(w->what());
    waiting.push_back(std::move(w));
    if (at_once) do_all();
  }
  void do_all() {
    for (auto& w : waiting) w->run(dh);
    waiting.clear();
  }
  bool at_once = true;
  std::uint32_t multiplications = 0;  // asked for
  std::deque<std::shared_ptr<set_up_work>> waiting;
  toy_dh dh;
};

struct sent {
  time_ms at;
  frame f;
};

class budget : public ::testing::Test {
protected:
  budget() {
    mary.knows(john);
    john.knows(mary);
    john.knows(peter);
    peter.knows(john);
    world.ues = {&john, &mary, &peter};
    world.set_slots();
    world.filter = [this](const frame& f) {
      log.push_back({world.now, f});
      return std::vector<frame>{f};
    };
  }
  void pass(time_ms ms) { world.pass(ms, 1); }
  void ask(ue& own, ue& other) {
    for (const auto& h : world.discover(own))
      if (h.peer == own.id_of(other)) {
        ASSERT_TRUE(own.security->links().connect(h, world.now, own.pending));
      }
  }
  /// Sets a link up and lets some time go by.
  bool link_up(ue& own, ue& other) {
    ask(own, other);
    pass(6000);
    return own.security->links().link_with(own.id_of(other)).has_value();
  }
  static link& live(ue& own, ue& other) {
    return *const_cast<peer_links&>(own.security->links().state().at(own.id_of(other))).live;
  }
  /// A request to rekey as `from` itself would make it, with a sequence number of the caller's.
  frame rekeying_request(ue& from, std::uint16_t seq, std::uint8_t spoil = 0) {
    link& l = live(from, john);
    handshake_context c;
    c.request_type = message_type::rekeying_request;
    c.seq = seq;
    c.binding = &l.current.binding;
    const initiator_handshake hs(from.security->peers(), *from.security->peers().find(from.id_of(john)), c,
                                 offer{all_suites, protocol_version, 0, 1});
    std::vector<std::uint8_t> m(hs.request().begin(), hs.request().end());
    m[40] ^= spoil;
    return sealed(from, m);
  }
  frame sealed(ue& from, const std::vector<std::uint8_t>& m) {
    frame f{1, lcid_pc5s_protected, 0, 0, std::vector<std::uint8_t>(m.size() + record_overhead_octets)};
    const auto s = live(from, john).current.chain.seal(f.lcid, sdu_type::pc5s, m, world.now, f.octets);
    EXPECT_TRUE(s);
    f.src = s->src;
    f.dst = s->dst;
    return f;
  }
  /// A request as `from` itself would make it for the present slot of John's; each call another.
  frame request(ue& from) {
    const peer& p = *from.security->peers().find(from.id_of(john));
    handshake_context c;
    c.initiator = 0x654321;
    c.responder = rendezvous_l2_id(p.theirs, world.slot());
    c.t = world.slot();
    const initiator_handshake hs(from.security->peers(), p, c, offer{all_suites, protocol_version, 0, 1});
    return {1, lcid_pc5s_unprotected, c.initiator, c.responder, {hs.request().begin(), hs.request().end()}};
  }
  std::uint64_t dropped(drop_reason r) const { return john.security->links().dropped(r); }
  std::size_t of_john() const {
    return static_cast<std::size_t>(std::count_if(log.begin(), log.end(), [](const sent& s) { return s.f.from == 0; }));
  }

  toy_dh toy;
  queue_of_work work;
  ue john{"john", 2701, {}, std::nullopt, &toy, &work}, mary{"mary", 2702, {}, std::nullopt, &toy},
      peter{"peter", 2703, {}, std::nullopt, &toy};
  air world;
  std::vector<sent> log;
};

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

TEST_F(budget, one_rekeying_a_link_is_answered_in_five_seconds) {
  ASSERT_TRUE(link_up(mary, john));
  ASSERT_TRUE(link_up(peter, john));
  pass(5000);
  const auto before = work.multiplications;
  std::uint16_t seq = live(mary, john).next_seq;
  for (int i = 0; i < 600; ++i) {
    (void)taken(john, rekeying_request(mary, ++seq), world.now);
    pass(100);
    if (i == 300) {  // Peter's is answered as if there were no other
      ASSERT_TRUE(peter.security->links().rekey(*peter.security->links().link_with(peter.id_of(john)), world.now,
                                                peter.pending));
      const auto asked_at = world.now;
      pass(3 * answer_delay_ms + 1);
      EXPECT_EQ(peter.events<rekeyed>().size(), 1U) << asked_at;
    }
  }
  EXPECT_EQ(work.multiplications - before, 4U * 13U + 4U) << "thirteen of 600 of Mary's in 61 s, and Peter's one";
  EXPECT_GE(dropped(drop_reason::budget), 580U);
}

TEST_F(budget, repeated_octets_cost_nothing) {
  // Of a request, before and after its answer.
  ask(mary, john);
  pass(answer_delay_ms);
  const frame asked = log.at(0).f;
  ASSERT_EQ(work.multiplications, 4U);
  for (int i = 0; i < 2000; ++i) {
    john.hear(asked, world.now);
    if (i % 2 == 0) pass(1);
  }
  ASSERT_TRUE(mary.security->links().link_with(mary.id_of(john)));
  EXPECT_EQ(work.multiplications, 4U);
  // Of a bad request, which verifies nothing.
  pass(5000);
  world.discover(mary);
  frame bad = request(mary);
  bad.octets[40] ^= 1;
  const auto n = request_octets - request_token_octets;
  const auto token = request_token(mary.security->peers().find(mary.id_of(john))->theirs, world.slot(), bad.src,
                                   bad.dst, bytes_view(bad.octets).first(n));
  std::copy(token.begin(), token.end(), bad.octets.begin() + n);
  for (int i = 0; i < 600; ++i) {
    john.hear(bad, world.now);
    pass(1);
  }
  EXPECT_EQ(work.multiplications, 8U);
  EXPECT_EQ(dropped(drop_reason::bad_handshake), 1U);
  // Of a bad request to rekey, inside good records: not even when the budget is there again.
  const std::uint16_t seq = live(mary, john).next_seq;
  link& l = live(mary, john);
  handshake_context c;
  c.request_type = message_type::rekeying_request;
  c.seq = seq;
  c.binding = &l.current.binding;
  const initiator_handshake hs(mary.security->peers(), *mary.security->peers().find(mary.id_of(john)), c,
                               offer{all_suites, protocol_version, 0, 1});
  std::vector<std::uint8_t> m(hs.request().begin(), hs.request().end());
  m[40] ^= 1;
  for (int i = 0; i < 300; ++i) {
    (void)taken(john, sealed(mary, m), world.now);
    pass(50);
  }
  EXPECT_EQ(work.multiplications, 12U);
  // Of bad responses to John's own: two are tried, each once.
  ASSERT_TRUE(
      john.security->links().rekey(*john.security->links().link_with(john.id_of(mary)), world.now, john.pending));
  world.reaches = [](std::size_t, std::size_t) { return false; };
  pass(answer_delay_ms);
  ASSERT_TRUE(live(john, mary).rekeying);
  const auto before = work.multiplications;
  for (int i = 0; i < 4000; ++i) {
    if (i == 999) {
      EXPECT_EQ(work.multiplications - before, 2U) << "the same ones";
    }
    const int kind = i < 1000 ? 1 : i < 2000 ? 2 + i % 3 : 5;  // then several in turn: one at a time
    std::vector<std::uint8_t> r(rekeying_response_octets, static_cast<std::uint8_t>(kind));
    write_message_header(
        {message_type::rekeying_response,
         live(john, mary).rekeying ? read_message_header(live(john, mary).rekeying->handshake->request(), true)->seq
                                   : std::uint16_t{0}},
        r);
    (void)taken(john, sealed(mary, r), world.now);
    pass(1);
  }
  EXPECT_EQ(work.multiplications - before, 4U);
}

TEST_F(budget, one_command_and_one_response_are_read_at_a_time) {
  ask(john, mary);
  pass(2 * answer_delay_ms - 1);
  world.reaches = [](std::size_t from, std::size_t) { return from != 1; };
  pass(1);
  const frame command = log.back().f;
  ASSERT_EQ(command.lcid, lcid_pc5s_security_mode);
  frame forged = command;
  forged.octets[40] ^= 1;
  const auto n = command_octets - command_token_octets;
  const auto token = command_token(mary.security->peers().find(mary.id_of(john))->ours, world.first_slot, forged.src,
                                   forged.dst, bytes_view(forged.octets).first(n));
  std::copy(token.begin(), token.end(), forged.octets.begin() + n);
  const auto before = work.multiplications;
  EXPECT_TRUE(taken(john, forged, world.now));
  EXPECT_EQ(john.hear(command, world.now).error(), drop_reason::budget);
  EXPECT_EQ(work.multiplications, before + 2);
  world.reaches = {};
  pass(5000);  // Mary's next copy of the command is read
  ASSERT_TRUE(john.security->links().link_with(john.id_of(mary)));
  ASSERT_TRUE(
      john.security->links().rekey(*john.security->links().link_with(john.id_of(mary)), world.now, john.pending));
  world.reaches = [](std::size_t, std::size_t) { return false; };
  pass(answer_delay_ms);
  ASSERT_TRUE(live(john, mary).rekeying);
  const auto asked = work.multiplications;
  for (std::uint8_t i = 1; i <= 2; ++i) {
    std::vector<std::uint8_t> r(rekeying_response_octets, i);
    write_message_header({message_type::rekeying_response, 7}, r);
    (void)taken(john, sealed(mary, r), world.now);
  }
  EXPECT_EQ(work.multiplications, asked + 2);
}

TEST_F(budget, a_rekeying_composed_for_older_keys_is_not_sent) {
  ASSERT_TRUE(link_up(mary, john));
  ASSERT_TRUE(
      mary.security->links().rekey(*mary.security->links().link_with(mary.id_of(john)), world.now, mary.pending));
  pass(2 * answer_delay_ms + 200);  // John's answer is on its way to be read
  ASSERT_TRUE(live(john, mary).staged);
  ASSERT_TRUE(
      john.security->links().rekey(*john.security->links().link_with(john.id_of(mary)), world.now, john.pending));
  log.clear();
  pass(3000);
  EXPECT_EQ(john.events<rekeyed>().size(), 1U);
  EXPECT_EQ(std::count_if(log.begin(), log.end(),
                          [](const sent& s) {
                            return s.f.from == 0 &&
                                   s.f.octets.size() == rekeying_request_octets + record_overhead_octets;
                          }),
            0);
}

TEST_F(budget, a_rekeying_due_after_the_answer_is_not_sent) {
  ASSERT_TRUE(link_up(mary, john));
  ASSERT_TRUE(
      mary.security->links().rekey(*mary.security->links().link_with(mary.id_of(john)), world.now, mary.pending));
  pass(answer_delay_ms + 10);  // John has hers and works on the answer
  ASSERT_FALSE(live(john, mary).staged);
  ASSERT_TRUE(
      john.security->links().rekey(*john.security->links().link_with(john.id_of(mary)), world.now, john.pending));
  log.clear();
  pass(3000);
  EXPECT_EQ(john.events<rekeyed>().size(), 1U);
  EXPECT_EQ(std::count_if(log.begin(), log.end(),
                          [](const sent& s) {
                            return s.f.from == 0 &&
                                   s.f.octets.size() == rekeying_request_octets + record_overhead_octets;
                          }),
            0);
}

TEST_F(budget, a_crossing_request_costs_the_smaller_key_nothing) {
  ASSERT_TRUE(link_up(mary, john));
  ASSERT_TRUE(link_up(peter, john));
  for (ue* other : {&mary, &peter}) {
    const bool johns_goes_on = john.security->peers().find(john.id_of(*other))->own_key_is_smaller;
    pass(6000);
    ASSERT_TRUE(
        john.security->links().rekey(*john.security->links().link_with(john.id_of(*other)), world.now, john.pending));
    pass(100);
    const auto before = work.multiplications;
    (void)taken(john, rekeying_request(*other, static_cast<std::uint16_t>(live(*other, john).next_seq + 1)), world.now);
    EXPECT_EQ(work.multiplications - before, johns_goes_on ? 0U : 4U);
    pass(6000);
  }
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
