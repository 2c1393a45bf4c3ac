// UEs whose work waits until a test lets it be done. Simulated time, seeds in the constructors; the scalar
// multiplications are toys unless said otherwise.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "security/link.h"
#include "tests/fuzz/toy_dh.h"
#include "tests/security/security_world.h"

namespace prose::security::test {

inline const bool shipped = (as_shipped = true);

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

}  // namespace prose::security::test
