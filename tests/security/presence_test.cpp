// What a prober and a flooder get out of Peter: nothing, for nothing.
#include <gtest/gtest.h>
#include <malloc.h>

#include "security/link.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

/// Mary permits and is permitted by John; Peter is in range of everybody. Requests are held back by the air.
class presence : public ::testing::Test {
protected:
  void SetUp() override {
    john.knows(peter);
    peter.knows(john);
    john.knows(mary);
    mary.knows(john);
    world.ues = {&john, &peter, &mary};
    world.set_slots();
  }
  /// A live request of John's to Peter that only the attacker has heard so far.
  frame held_request() {
    for (const auto& h : world.discover(john))
      if (h.peer == john.id_of(peter)) {
        EXPECT_TRUE(john.security->links().connect(h, world.now, john.pending));
        const auto m = std::get<send_message>(john.pending.back());
        john.pending.clear();
        return {0, m.lcid, m.src, m.dst, m.octets};
      }
    ADD_FAILURE() << "John does not hear Peter";
    return {};
  }
  /// Octets that Peter sent and scalar multiplications that he did since the last call.
  std::pair<std::size_t, std::uint64_t> cost() {
    std::size_t octets = 0;
    for (const auto& a : peter.pending)
      if (const auto* m = std::get_if<send_message>(&a)) octets += m->octets.size();
    peter.pending.clear();
    const auto n = peter.dh.multiplications - counted;
    counted = peter.dh.multiplications;
    return {octets, n};
  }
  void expect_silence() { EXPECT_EQ(cost(), (std::pair<std::size_t, std::uint64_t>{0, 0})); }

  ue john{"john", 21}, peter{"peter", 22}, mary{"mary", 23};
  air world;
  std::uint64_t counted = 0;
};

TEST_F(presence, ten_thousand_bad_requests_draw_nothing) {
  seeded_random r(24);
  // Used: a request of a slot ago that was answered and completed.
  ASSERT_TRUE(world.link_up(john, peter));
  const frame used = world.captured[0];
  ASSERT_EQ(used.lcid, 28);
  world.pass(1000);
  // Stale: never delivered, and 9 s old when it is.
  const frame stale = held_request();
  world.pass(500);
  john.security->links().remove_peer(john.id_of(peter), world.now, john.pending);
  peter.security->links().remove_peer(peter.id_of(john), world.now, peter.pending);
  john.pending.clear();
  peter.pending.clear();
  world.filter = [](const frame&) { return std::vector<frame>{}; };
  world.pass(9000);
  const frame live = held_request();
  cost();
  int sent = 0;
  const auto probe = [&](frame f) {
    peter.hear(f, world.now);
    ++sent;
  };
  for (std::size_t bit = 0; bit < live.octets.size() * 8; ++bit) {  // altered in every single bit
    frame f = live;
    f.octets[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    probe(f);
  }
  for (int bit = 0; bit < 24; ++bit) {  // wrongly addressed
    frame f = live;
    f.src ^= 1U << bit;
    probe(f);
    f = live;
    f.dst ^= 1U << bit;
    probe(f);
  }
  for (std::size_t n = 0; n <= live.octets.size() + 8; ++n) {  // cut and padded
    if (n == live.octets.size()) continue;
    frame f = live;
    f.octets.resize(n);
    probe(f);
  }
  for (std::uint8_t lcid = 0; lcid < 32; ++lcid) {  // on other channels
    if (lcid == 28) continue;
    frame f = live;
    f.lcid = lcid;
    probe(f);
  }
  expect_silence();
  // Mary's own best: requests made with her keys, for her and for John's slots, addressed to Peter.
  const auto& with_john = *mary.security->peers().find(std::string_view("john"));
  for (slot_t t = world.slot() - 20; t <= world.slot() + 20; ++t) {
    for (const auto* keys : {&with_john.ours, &with_john.theirs}) {
      frame f = live;
      const auto token = request_token(*keys, t, f.src, f.dst, bytes_view(f.octets).first(57));
      std::copy(token.begin(), token.end(), f.octets.begin() + 57);
      probe(f);
    }
    handshake_context c;
    c.seq = 7;
    c.initiator = 0x123456;
    c.responder = live.dst;
    c.t = t;
    const initiator_handshake hs(mary.security->peers(), with_john, c, offer{all_suites, 1, 0, 1});
    probe({2, 28, c.initiator, live.dst, {hs.request().begin(), hs.request().end()}});
  }
  expect_silence();
  for (int i = 0; i < 500; ++i) {
    probe(stale);
    probe(used);
    frame f = used;  // an old one at the present address
    f.dst = live.dst;
    probe(f);
  }
  expect_silence();
  while (sent < 10000) {  // forged: right address and shape, random contents
    frame f = live;
    r.fill(bytes_span(f.octets).subspan(4));
    if (sent % 2 == 0) f.src = r.below(1U << 24);
    probe(f);
  }
  expect_silence();
  EXPECT_GE(sent, 10000);
  EXPECT_TRUE(peter.security->links().state().empty()) << "no state either";
  // All the time the true request was good: Peter answers it.
  peter.hear(live, world.now);
  const auto [octets, multiplications] = cost();
  EXPECT_EQ(octets, 57U);
  EXPECT_EQ(multiplications, 4U);
}

TEST_F(presence, a_copied_request_draws_one_same_answer_a_period) {
  const frame live = held_request();
  peter.hear(live, world.now);
  ASSERT_EQ(peter.pending.size(), 1U);
  const auto answer = std::get<send_message>(peter.pending[0]);
  cost();
  std::size_t copies = 0;
  const time_ms start = world.now;
  for (time_ms t = 0; t < 12'000; t += 10) {
    world.now = start + t;
    peter.set_slot(world.slot(), world.now);
    peter.security->links().tick(world.now, peter.pending);
    peter.hear(live, world.now);
    for (const auto& a : peter.pending) {
      const auto& m = std::get<send_message>(a);
      EXPECT_EQ(m.octets, answer.octets);
      EXPECT_EQ(m.src, answer.src);
      EXPECT_EQ(m.dst, answer.dst);
      EXPECT_LE(t, 8000);
      ++copies;
    }
    EXPECT_EQ(cost().second, 0U) << "a copy costs no scalar multiplication";
  }
  EXPECT_GT(copies, 10U);
  EXPECT_LE(copies, 8000U / 160U);
}

TEST_F(presence, after_the_complete_a_copy_of_the_request_meets_silence) {
  ASSERT_TRUE(world.link_up(john, peter));
  const frame request = world.captured[0];
  cost();
  for (int i = 0; i < 100; ++i) {
    world.now += 50;
    peter.hear(request, world.now);
    expect_silence();
  }
}

TEST_F(presence, a_reboot_does_not_make_old_requests_good) {
  const frame live = held_request();
  // Peter reboots with his mark on disk and hears the request that his earlier self was sent.
  ue again("peter", 25, peter.security->peers().own_private(), {},
           peter.security->discovery().clock().mark_to_store().value_or(world.slot() + 30));
  again.knows(john);
  again.set_slot(world.slot(), world.now);
  EXPECT_TRUE(again.security->discovery().announcements(world.now).empty()) << "the mark forbids it";
  const auto before = again.dh.multiplications;
  again.hear(live, world.now);
  EXPECT_TRUE(again.pending.empty());
  EXPECT_EQ(again.dh.multiplications, before);
}

TEST_F(presence, a_million_forged_requests_take_no_memory) {
  seeded_random r(26);
  const frame live = held_request();
  john.security->links().remove_peer(john.id_of(peter), world.now, john.pending);
  john.pending.clear();
  frame f = live;
  std::vector<std::uint8_t> buffer(128);
  const auto flood = [&](int n) {
    for (int i = 0; i < n; ++i) {
      r.fill(bytes_span(f.octets).subspan(1, 8));
      f.octets[3] = protocol_version;
      f.src = static_cast<l2_id>(i) & 0xffffff;
      f.dst = i % 4 == 0 ? static_cast<l2_id>(i) * 7919U & 0xffffff : live.dst;
      (void)peter.security->links().receive(f.lcid, f.src, f.dst, f.octets, world.now, buffer, peter.pending);
    }
  };
  cost();
  flood(1000);
  expect_silence();
  const auto bytes_before = mallinfo2().uordblks;
  flood(500'000);
  EXPECT_EQ(mallinfo2().uordblks, bytes_before);
  expect_silence();
  world.now += 1000;  // the announcement of this slot was used by the request that the flood copies
  ASSERT_TRUE(world.link_up(john, peter)) << "in the middle of the flood";
  cost();
  const auto bytes_linked = mallinfo2().uordblks;
  flood(500'000);
  EXPECT_EQ(mallinfo2().uordblks, bytes_linked);
  expect_silence();
  const auto l = john.security->links().link_with(john.id_of(peter));
  ASSERT_TRUE(l);
  EXPECT_TRUE(world.send(john, *l, {1}));
  EXPECT_EQ(peter.inbox.size(), 1U);
  EXPECT_GE(peter.security->links().dropped(drop_reason::bad_token), 700'000U);
}

TEST_F(presence, forged_commands_cost_the_initiator_only_a_hash) {
  const frame live = held_request();
  peter.hear(live, world.now);
  const auto answer = std::get<send_message>(peter.pending[0]);
  const auto before = john.dh.multiplications;
  for (std::size_t bit = 0; bit < answer.octets.size() * 8; ++bit) {
    frame f{1, answer.lcid, answer.src, answer.dst, answer.octets};
    f.octets[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(john.hear(f, world.now));
  }
  EXPECT_EQ(john.dh.multiplications, before);
  EXPECT_TRUE(john.hear({1, answer.lcid, answer.src, answer.dst, answer.octets}, world.now));
}

TEST_F(presence, at_most_three_requests_a_slot_are_considered) {
  std::vector<peer_heard> heard = world.discover(john);
  std::erase_if(heard, [&](const auto& h) { return h.peer != john.id_of(peter); });
  ASSERT_EQ(heard.size(), 1U);
  cost();
  for (int i = 0; i < 6; ++i) {
    john.security->links().remove_peer(john.id_of(peter), world.now, john.pending);
    john.pending.clear();
    ASSERT_TRUE(john.security->links().connect(heard[0], world.now, john.pending));
    const auto m = std::get<send_message>(john.pending.back());
    peter.hear({0, m.lcid, m.src, m.dst, m.octets}, world.now);
    const auto [octets, multiplications] = cost();
    EXPECT_EQ(octets, i < 3 ? 57U : 0U);
    EXPECT_EQ(multiplications, i < 3 ? 4U : 0U);
  }
}

TEST_F(presence, a_peer_that_chooses_what_was_not_offered_gets_no_link) {
  ue_config gcm_only;
  gcm_only.links.suites = {suite::aes_256_gcm};
  ue picky("picky", 27, gcm_only);
  picky.knows(peter);
  peter.knows(picky);
  world.ues = {&picky, &peter};
  world.set_slots();
  const auto heard = world.discover(picky);
  ASSERT_EQ(heard.size(), 1U);
  ASSERT_TRUE(picky.security->links().connect(heard[0], world.now, picky.pending));
  const auto m = std::get<send_message>(picky.pending.back());
  // Peter as he would be if he ignored the offer.
  const peer& p = *peter.security->peers().find(std::string_view("picky"));
  const handshake_context c{message_type::direct_communication_request,
                            static_cast<std::uint16_t>(m.octets[1] << 8 | m.octets[2]),
                            m.src,
                            m.dst,
                            heard[0].t,
                            nullptr};
  auto opened = detail::open_request(peter.security->peers(), p, c, m.octets);
  ASSERT_TRUE(opened);
  const auto bad = detail::answer_request(*opened, p, c, suite::chacha20_poly1305, 1);
  ASSERT_TRUE(bad);
  const auto r = picky.hear({1, lcid_pc5s_security_mode, m.dst, m.src, bad->answer}, world.now);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error(), drop_reason::bad_handshake);
  EXPECT_FALSE(picky.security->links().link_with(picky.id_of(peter)));
}

TEST_F(presence, a_slot_expires_after_eight_seconds_without_a_tick) {
  const frame live = held_request();
  cost();
  peter.hear(live, world.now + 8001);
  expect_silence();
  peter.hear(live, world.now + 8000);
  EXPECT_EQ(cost().first, 57U);
}

/// Peter's clock fails in three ways for an hour while John's goes on. What was held back of the last good slot stays
/// worthless.
TEST_F(presence, no_wrong_clock_makes_an_old_code_or_request_good) {
  enum class failure { leap, set_back, stop };
  for (const auto how : {failure::leap, failure::set_back, failure::stop}) {
    SCOPED_TRACE(static_cast<int>(how));
    const frame live = held_request();
    const auto queries = john.security->discovery().queries(std::vector<peer_id>{john.id_of(peter)}, world.now);
    const auto a = john.security->discovery().announcements(world.now);
    const std::vector<discovery_pdu> johns(a.begin(), a.end());
    cost();
    const time_ms start = world.now;
    std::size_t emitted = 0;
    while (world.now < start + 3'600'000) {
      world.now += 500;
      const slot_t wrong = how == failure::leap ? world.slot() + 7200 : world.slot() - 5000;
      if (how != failure::stop) peter.set_slot(wrong, world.now);
      peter.security->links().tick(world.now, peter.pending);
      auto& d = peter.security->discovery();
      const std::size_t n =
          d.announcements(world.now).size() + d.queries(std::vector<peer_id>{peter.id_of(john)}, world.now).size();
      emitted += n;
      if (world.now - start <= 3000) continue;
      ASSERT_EQ(n, 0U) << world.now - start;
      for (const auto& list : {queries, johns})
        for (const auto& pdu : list) ASSERT_FALSE(d.receive(pdu, world.now)) << "neither answered nor believed";
      if (world.now - start <= 11'000) continue;  // last sent 3 s ago, and that transmission's 8 s
      peter.hear(live, world.now);
      ASSERT_EQ(cost(), (std::pair<std::size_t, std::uint64_t>{0, 0})) << world.now - start;
    }
    EXPECT_GT(emitted, 0U) << "a clock may be late by a moment";
    // The operator's word puts the clock right: an honest link comes about, the old request stays old.
    john.security->links().remove_peer(john.id_of(peter), world.now, john.pending);
    john.pending.clear();
    for (auto* u : world.ues) {
      u->security->discovery().advance(world.slot(), world.now, true);
      u->set_slot(world.slot(), world.now);
    }
    peter.hear(live, world.now);
    expect_silence();
    ASSERT_TRUE(world.link_up(john, peter));
    peter.security->links().remove_peer(peter.id_of(john), world.now, peter.pending);
    john.security->links().remove_peer(john.id_of(peter), world.now, john.pending);
    peter.pending.clear();
    john.pending.clear();
    world.pass(60'000, 1000);
  }
}

TEST_F(presence, another_protocol_version_is_met_with_silence) {
  frame f = held_request();
  f.octets[3] = protocol_version + 1;
  const peer& p = *john.security->peers().find(std::string_view("peter"));
  const auto token = request_token(p.theirs, world.slot(), f.src, f.dst, bytes_view(f.octets).first(57));
  std::copy(token.begin(), token.end(), f.octets.begin() + 57);
  cost();
  peter.hear(f, world.now);
  expect_silence();
}

}  // namespace
}  // namespace prose::security::test
