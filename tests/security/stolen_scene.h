// John talks to Peter and to Mary: set-ups from both sides, data both ways through several epochs, a rekeying, and at
// the end set-ups and a rekeying under way. Gives what Mary has, and the pair's own secrets for the tests that plant
// one of them.
#pragma once

#include <gtest/gtest.h>

#include "security/link.h"
#include "tests/security/mary_search.h"

namespace prose::security::test {

inline ue_config scene_config() {
  ue_config c;
  c.discovery.entries = 2;
  c.discovery.query_entries = 1;
  c.discovery.answer_queries = true;
  c.links.epochs.records = 2;
  return c;
}

struct scene {
  explicit scene(std::optional<std::array<std::uint8_t, 32>> pair_psk = std::nullopt) : psk(pair_psk) {
    const auto secret = [&] { return psk ? std::optional<pre_shared_key>(pre_shared_key(*psk)) : std::nullopt; };
    john.knows(peter, secret());
    peter.knows(john, secret());
    john.knows(mary);
    mary.knows(john);
    john.random.keep_draws = peter.random.keep_draws = true;
    world.ues = {&john, &peter, &mary};
    world.set_slots();
    world.filter = [this](const frame& f) { return pass_on(f); };
  }

  evidence run() {
    e.publics = {john.security->peers().own_public(), mary.security->peers().own_public(),
                 peter.security->peers().own_public()};
    e.names = {"john", "peter", "mary"};
    const auto with_mary = world.link_up(john, mary);
    EXPECT_TRUE(with_mary);
    EXPECT_TRUE(world.send(john, with_mary->first, {1, 2, 3}));
    world.pass(1000);
    e.first_slot = world.slot();
    // First set-up, many epochs, a rekeying and some more.
    talk(world.link_up(john, peter), 20);
    epochs_before_rekeying =
        john.security->links().info(*john.security->links().link_with(john.id_of(peter)), world.now)->epoch;
    records_before_rekeying = count_records();
    EXPECT_TRUE(
        john.security->links().rekey(*john.security->links().link_with(john.id_of(peter)), world.now, john.pending));
    world.settle();
    EXPECT_EQ(john.events<rekeyed>().size(), 1U);
    const auto live = [&] {
      return std::pair{*john.security->links().link_with(john.id_of(peter)),
                       *peter.security->links().link_with(peter.id_of(john))};
    };
    talk(live(), 4);
    records_of_first_link = count_records();
    world.pass(1000);
    // Second set-up, from the other side.
    const auto back = world.link_up(peter, john);
    EXPECT_TRUE(back);
    john_linked_again = state_of(john);
    talk(std::pair{back->second, back->first}, 14);
    world.pass(1000);
    // Under way when Mary's device is stolen: a rekeying and a set-up with John, and one of John's rekeyings that she
    // has answered.
    lose = [this](const frame& f) { return f.from == 0 && to(f) == 2; };
    EXPECT_TRUE(
        mary.security->links().rekey(*mary.security->links().link_with(mary.id_of(john)), world.now, mary.pending));
    world.settle();
    lose = [](const frame& f) { return f.from == 2; };
    begin(mary, john);
    world.pass(1000);
    // A third set-up of the pair: Peter has answered, John has not got the answer.
    lose = [](const frame& f) { return f.from == 2 || (f.from == 1 && f.lcid == lcid_pc5s_security_mode); };
    begin(john, peter);
    lose = nullptr;
    // Model B: each has asked for the other and would take a response.
    const peer_id p = john.id_of(peter), j = peter.id_of(john);
    john.security->discovery().queries({&p, 1}, world.now);
    peter.security->discovery().queries({&j, 1}, world.now);

    e.last_slot = world.slot();
    for (slot_t t = e.first_slot; t <= e.last_slot; ++t)
      for (const auto type : {discovery_type::announcement, discovery_type::query, discovery_type::response}) {
        e.discovery.push_back(make_discovery(type, pair().ours, t));
        e.discovery.push_back(make_discovery(type, pair().theirs, t));
      }
    e.stolen = state_of(mary);
    e.reacts_now = [this](const frame& f) { return reacts(f, world.now); };
    e.reacts_later = [this](const frame& f) {
      const time_ms later = world.now + 3'600'000;
      for (ue* u : {&john, &peter}) u->security->links().tick(later, u->pending), u->pending.clear();
      return reacts(f, later);
    };
    e.believes = [this](const discovery_pdu& d) { return takes(john, peter, d) || takes(peter, john, d); };
    return e;
  }

  static std::vector<stolen_secret> state_of(const ue& u) {
    return stolen_state(u.security->peers(), u.security->links(), export_permit::user_was_warned());
  }
  /// John's view of the pair: `ours` is John announcing, `theirs` Peter announcing.
  const peer& pair() const { return *john.security->peers().find(std::string_view("peter")); }
  std::size_t count_records() const {
    std::size_t n = 0;
    for (const auto& f : e.frames) n += channel_index(f.lcid) ? 1U : 0U;
    return n;
  }

  std::optional<std::array<std::uint8_t, 32>> psk;
  ue john{"john", 31, scene_config()}, peter{"peter", 32, scene_config()}, mary{"mary", 33, scene_config()};
  air world;
  evidence e;
  std::vector<stolen_secret> john_in_flight;     // when his first request to Peter was on the air
  std::vector<stolen_secret> john_rekeying;      // when his rekeying request was
  std::vector<stolen_secret> john_linked_again;  // right after the second set-up
  std::uint32_t epochs_before_rekeying = 0;
  std::size_t records_before_rekeying = 0, records_of_first_link = 0;

private:
  std::size_t to(const frame& f) const {
    for (std::size_t i = 0; i < world.ues.size(); ++i)
      if (i != f.from && world.ues[i]->owns(f.dst, world.now)) return i;
    return world.ues.size();
  }
  std::vector<frame> pass_on(const frame& f) {
    if (f.from < 2 && to(f) < 2) {
      e.frames.push_back(f);
      if (john_in_flight.empty() && f.lcid == lcid_pc5s_unprotected) john_in_flight = state_of(john);
      const auto& johns = john.security->links().state().at(john.id_of(peter));
      if (johns.live && johns.live->rekeying && john_rekeying.empty()) john_rekeying = state_of(john);
    }
    if (lose && lose(f)) return {};
    return {f};
  }
  void talk(std::optional<std::pair<link_id, link_id>> l, int messages) {
    ASSERT_TRUE(l);
    for (int i = 0; i < messages; ++i) {
      std::vector<std::uint8_t> text{'s', 'e', 'c', 'r', 'e', 't', '-', 'o', 'f', '-', 'J', 'P', '-'};
      text.push_back(static_cast<std::uint8_t>('0' + e.truth.size()));
      text.push_back(static_cast<std::uint8_t>(e.truth.size() * 37));
      ASSERT_TRUE(i % 2 == 0 ? world.send(john, l->first, text) : world.send(peter, l->second, text));
      e.truth.push_back(text);
    }
  }
  void begin(ue& from, ue& with) {
    for (const auto& h : world.discover(from))
      if (h.peer == from.id_of(with)) {
        EXPECT_TRUE(from.security->links().connect(h, world.now, from.pending));
        world.settle();
        return;
      }
    ADD_FAILURE() << "not heard";
  }
  bool reacts(const frame& f, time_ms when) {
    bool any = false;
    for (ue* u : {&john, &peter}) {
      // Towards the other of the pair only: what somebody else may do with John is another matter.
      const peer_id other = u->id_of(u == &john ? peter : john);
      u->inbox.clear();
      // Each forgery as if it were the first: the product takes two commands of an attempt, and the search does not
      // choose which.
      for (auto& [id, state] : u->security->links().state())
        if (state.attempt) const_cast<tried_octets&>(state.attempt->tried) = {};
      u->hear(f, when);
      any |= std::any_of(u->inbox.begin(), u->inbox.end(), [&](const auto& d) { return d.peer == other; });
      any |= std::any_of(u->pending.begin(), u->pending.end(), [&](const auto& a) {
        const auto* m = std::get_if<send_message>(&a);
        return m != nullptr && m->peer == other;
      });
      u->pending.clear();
    }
    return any;
  }
  bool takes(ue& monitor, const ue& announcer, const discovery_pdu& d) {
    const auto r = monitor.security->discovery().receive(d, world.now);
    return r && std::visit([&](const auto& v) { return v.peer == monitor.id_of(announcer); }, *r);
  }
  std::function<bool(const frame&)> lose;
};

}  // namespace prose::security::test
