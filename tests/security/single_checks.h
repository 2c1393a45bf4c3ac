// Two UEs, and messages taken off them one at a time.
#pragma once

#include <gtest/gtest.h>

#include "security/link.h"
#include "tests/security/security_world.h"

namespace prose::security::test {

class single_checks : public ::testing::Test {
protected:
  void SetUp() override {
    alice.knows(bob);
    bob.knows(alice);
    world.ues = {&alice, &bob};
    world.set_slots();
  }
  /// What a UE wants to send, taken off it.
  static std::vector<frame> taken_off(ue& u) {
    std::vector<frame> out;
    for (const auto& a : u.pending)
      if (const auto* m = std::get_if<send_message>(&a)) out.push_back({0, m->lcid, m->src, m->dst, m->octets});
    u.pending.clear();
    return out;
  }
  peer_heard heard(ue& who, ue& whom) {
    for (const auto& h : world.discover(who))
      if (h.peer == who.id_of(whom)) return h;
    ADD_FAILURE() << "not discovered";
    return {};
  }
  frame request(ue& from, ue& to) {
    EXPECT_TRUE(from.security->links().connect(heard(from, to), world.now, from.pending));
    const auto out = taken_off(from);
    return out.at(0);
  }
  /// The Complete of a set-up from alice to bob that bob has not heard.
  frame held_complete() {
    const frame r = request(alice, bob);
    EXPECT_TRUE(taken(bob, r, world.now));
    const auto command = taken_off(bob).at(0);
    EXPECT_TRUE(taken(alice, command, world.now));
    return taken_off(alice).at(0);
  }
  static std::size_t live(ue& u) { return u.security->links().links(0).size(); }

  ue alice{"alice", 901}, bob{"bob", 902};
  air world;
};

}  // namespace prose::security::test
