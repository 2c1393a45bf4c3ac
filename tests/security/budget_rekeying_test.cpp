// Rekeyings and messages under way: what they may cost a UE, and that they take effect at a fixed time.
#include <gtest/gtest.h>

#include <algorithm>

#include "security/link.h"
#include "tests/security/budget_fixture.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

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

}  // namespace
}  // namespace prose::security::test
