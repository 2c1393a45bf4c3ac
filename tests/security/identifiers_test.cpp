// Identifiers on the air say nothing about a UE's other links: they are drawn without a look at what is in use, and
// where two meet, each context is tried. Seeds are in the constructors; the scalar multiplications are toys, what is
// tested is around them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "security/link.h"
#include "tests/fuzz/toy_dh.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

/// Mary and Peter, each permitted by John and unknown to each other.
class identifiers : public ::testing::Test {
protected:
  identifiers() {
    mary.knows(john);
    john.knows(mary);
    john.knows(peter);
    peter.knows(john);
    world.ues = {&john, &mary, &peter};
    world.set_slots();
  }
  static peer_links& between(ue& own, ue& other) {
    return const_cast<peer_links&>(own.security->links().state().at(own.id_of(other)));
  }
  static std::vector<frame> taken_off(ue& u, std::size_t index) {
    std::vector<frame> out;
    for (auto& a : u.pending) {
      if (const auto* m = std::get_if<send_message>(&a)) out.push_back({index, m->lcid, m->src, m->dst, m->octets});
      u.history.push_back(a);
    }
    u.pending.clear();
    return out;
  }
  /// The same three identifiers for every epoch of a chain.
  static void name_alike(const epoch_chain& c, l2_id own, l2_id other) {
    c.for_each_epoch([&](const epoch& e) { name_alike(const_cast<epoch&>(e), own, other); });
  }
  static void name_alike(epoch& e, l2_id own, l2_id other) {
    e.own_l2 = own;
    e.peer_l2 = other;
    const_cast<record_protection&>(e.tx.protection()).kd_sess_id = 0x4242;
    const_cast<record_protection&>(e.rx.protection()).kd_sess_id = 0x4242;
  }
  /// All contexts that John and `other` hold of each other.
  void name_alike(ue& other) {
    for (auto [own, peer, mine, theirs] :
         {std::tuple{&john, &other, at_john, at_peers}, std::tuple{&other, &john, at_peers, at_john}}) {
      auto& state = between(*own, *peer);
      for (link* l : {state.live.get(), state.pending.get()}) {
        if (l == nullptr) continue;
        name_alike(l->current.chain, mine, theirs);
        if (l->previous) name_alike(*l->previous, mine, theirs);
        if (l->staged) name_alike(l->staged->keys.chain, mine, theirs);
      }
    }
  }
  bool both_ways(ue& other, std::uint8_t word) {
    const auto a = john.security->links().link_with(john.id_of(other)),
               b = other.security->links().link_with(other.id_of(john));
    if (!a || !b) return false;
    const std::size_t at_a = john.inbox.size(), at_b = other.inbox.size();
    return world.send(john, *a, {word, 1}) && world.send(other, *b, {word, 2}) && other.inbox.size() == at_b + 1 &&
           other.inbox.back().data == std::vector<std::uint8_t>{word, 1} && john.inbox.size() == at_a + 1 &&
           john.inbox.back().data == std::vector<std::uint8_t>{word, 2} && john.inbox.back().peer == john.id_of(other);
  }
  /// What the owner of a slot answers requests under, in the place of the one that follows from the pair's key.
  void move_rendezvous(ue& u, ue& asker, l2_id to) {
    std::vector<rendezvous_slot*> slots;
    u.security->discovery().find_rendezvous(
        rendezvous_l2_id(u.security->peers().find(u.id_of(asker))->ours, world.slot()), world.now, slots);
    ASSERT_EQ(slots.size(), 1U);
    slots[0]->id = to;
  }
  void connect(ue& own, ue& other, l2_id rendezvous, const air& w) {
    own.random.next_octets = {0x12, 0x34, 0x55, 0x66, 0x77};  // sequence number and own layer-2 ID of the request
    ASSERT_TRUE(own.security->links().connect({own.id_of(other), w.slot(), rendezvous, discovery_type::announcement},
                                              w.now, own.pending));
  }

  static constexpr l2_id at_john = 0xAAAAAA, at_peers = 0xBBBBBB, meeting = 0xCCCCCC;
  toy_dh toy;
  ue john{"john", 1701, {}, std::nullopt, &toy}, mary{"mary", 1702, {}, std::nullopt, &toy},
      peter{"peter", 1703, {}, std::nullopt, &toy};
  air world;
};

TEST_F(identifiers, answered_halves_do_not_avoid_other_links) {
  ASSERT_TRUE(world.link_up(mary, john));
  world.pass(1000);  // each code counts once
  ASSERT_TRUE(world.link_up(peter, john));
  const auto beside = peter.security->links().links(world.now).at(0).kd_sess_id;  // in every PDCP header of that link
  // Mary asks for new keys, offers the first half that she heard beside her, and reads the second off.
  auto& mine = *between(mary, john).live;
  const peer& as_john = *mary.security->peers().find(mary.id_of(john));
  std::map<int, int> picked;
  for (std::uint16_t seq = 1; seq <= 4000; ++seq) {
    handshake_context c;
    c.request_type = message_type::rekeying_request;
    c.seq = static_cast<std::uint16_t>(mine.next_seq + seq);
    c.binding = &mine.current.binding;
    initiator_handshake hs(mary.security->peers(), as_john, c,
                           offer{all_suites, protocol_version, 0, static_cast<std::uint8_t>(beside >> 8)});
    frame f{1, lcid_pc5s_protected, 0, 0, std::vector<std::uint8_t>(rekeying_request_octets + record_overhead_octets)};
    const auto s = mine.current.chain.seal(f.lcid, sdu_type::pc5s, hs.request(), world.now, f.octets);
    ASSERT_TRUE(s);
    f.src = s->src;
    f.dst = s->dst;
    ASSERT_TRUE(taken(john, f, world.now));
    for (const auto& answer : taken_off(john, 0)) {
      std::vector<std::uint8_t> plain(answer.octets.size());
      const auto n = mine.current.chain.open(answer.lcid, *read_pdcp_header(answer.octets), answer.src, answer.dst,
                                             answer.octets, world.now, plain);
      if (!n) continue;
      if (const auto secrets = hs.read_answer(bytes_view(plain).first(n->octets))) ++picked[secrets->kd_sess_id & 255];
    }
  }
  EXPECT_FALSE(picked.contains(0)) << "zero marks unprotected PDUs";
  EXPECT_EQ(picked.size(), 255U);
  EXPECT_TRUE(picked.contains(beside & 255));
}

TEST_F(identifiers, asked_halves_do_not_avoid_other_links) {
  ASSERT_TRUE(world.link_up(mary, john));
  world.pass(1000);  // each code counts once
  ASSERT_TRUE(world.link_up(peter, john));
  const auto beside = peter.security->links().links(world.now).at(0).kd_sess_id;
  for (int i = 0; i < 4000; ++i) {
    ASSERT_TRUE(
        john.security->links().rekey(*john.security->links().link_with(john.id_of(mary)), world.now, john.pending));
    world.settle();
  }
  std::set<int> picked;
  for (const auto& e : mary.events<rekeyed>()) picked.insert(e.kd_sess_id >> 8);
  EXPECT_EQ(mary.events<rekeyed>().size(), 4000U);
  EXPECT_FALSE(picked.contains(0));
  EXPECT_EQ(picked.size(), 255U);
  EXPECT_TRUE(picked.contains(beside >> 8));
}

TEST_F(identifiers, sequence_numbers_inside_a_link_begin_anywhere) {
  std::set<std::uint16_t> first;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    ue a("a", 1800 + seed, {}, std::nullopt, &toy), b("b", 1900 + seed, {}, std::nullopt, &toy);
    a.knows(b);
    b.knows(a);
    air w;
    w.ues = {&a, &b};
    ASSERT_TRUE(w.link_up(a, b));
    first.insert({between(a, b).live->next_seq, between(b, a).live->next_seq});
  }
  EXPECT_EQ(first.size(), 16U);
}

TEST_F(identifiers, of_two_links_may_be_the_same_and_both_carry_everything) {
  ASSERT_TRUE(world.link_up(mary, john));
  world.pass(1000);  // each code counts once
  ASSERT_TRUE(world.link_up(john, peter));
  name_alike(mary);
  name_alike(peter);
  for (std::uint8_t i = 0; i < 20; ++i) {
    EXPECT_TRUE(both_ways(mary, i));
    EXPECT_TRUE(both_ways(peter, i));
  }
  // Through a rekeying of each, with the new keys' identifiers the same as all the others.
  for (ue* other : {&mary, &peter}) {
    std::vector<frame> held;
    world.filter = [&](const frame& f) {
      if (f.from != 0) return std::vector<frame>{f};
      held.push_back(f);
      return std::vector<frame>{};
    };
    ASSERT_TRUE(other->security->links().rekey(*other->security->links().link_with(other->id_of(john)), world.now,
                                               other->pending));
    world.settle();
    ASSERT_TRUE(between(john, *other).live->staged);
    name_alike(*other);
    ASSERT_EQ(held.size(), 1U) << "John's answer";
    held[0].src = at_john;
    held[0].dst = at_peers;
    // What the other still sends under the old keys is taken, and the first record under the new ones moves John on.
    std::vector<std::uint8_t> late(3 + record_overhead_octets);
    auto& old = between(*other, john).live->current.chain;
    const auto s = old.seal(1, sdu_type::ip, std::vector<std::uint8_t>{7, 7, 7}, world.now, late);
    ASSERT_TRUE(s);
    world.filter = {};
    ASSERT_TRUE(taken(*other, held[0], world.now));
    name_alike(*other);
    for (auto& a : other->pending)
      if (auto* m = std::get_if<send_message>(&a)) {  // sealed under the identifiers that it had before
        m->src = at_peers;
        m->dst = at_john;
      }
    other->pending.clear();
    const auto link = *other->security->links().link_with(other->id_of(john));
    EXPECT_TRUE(world.send(*other, link, {8, 8}));
    EXPECT_EQ(john.inbox.back().data, (std::vector<std::uint8_t>{8, 8}));
    EXPECT_EQ(john.events<rekeyed>().back().peer, john.id_of(*other));
    name_alike(*other);
    EXPECT_TRUE(taken(john, {0, 1, at_peers, at_john, late}, world.now)) << "a late record under the keys before";
    EXPECT_EQ(john.inbox.back().data, (std::vector<std::uint8_t>{7, 7, 7}));
    EXPECT_TRUE(both_ways(*other, 99));
  }
  EXPECT_TRUE(both_ways(mary, 100));
  EXPECT_TRUE(both_ways(peter, 100));
  EXPECT_EQ(john.security->links().dropped(drop_reason::bad_record), 0U);
}

TEST_F(identifiers, of_a_closing_link_may_be_those_of_another) {
  ASSERT_TRUE(world.link_up(mary, john));
  world.pass(1000);  // each code counts once
  ASSERT_TRUE(world.link_up(john, peter));
  name_alike(mary);
  name_alike(peter);
  ASSERT_TRUE(
      john.security->links().release(*john.security->links().link_with(john.id_of(peter)), world.now, john.pending));
  EXPECT_EQ(john.security->links().closing(), 1U);
  world.settle();
  EXPECT_EQ(john.security->links().closing(), 0U) << "Peter's Accept was not taken for a bad record of Mary's";
  EXPECT_TRUE(both_ways(mary, 1));
}

TEST_F(identifiers, of_a_half_open_link_may_be_those_of_another) {
  ASSERT_TRUE(world.link_up(mary, john));
  (void)world.discover(peter);
  world.filter = [](const frame& f) {
    return f.lcid == 29 && f.from == 2 ? std::vector<frame>{} : std::vector<frame>{f};
  };  // Peter's Complete
  connect(peter, john, rendezvous_l2_id(peter.security->peers().find(peter.id_of(john))->theirs, world.slot()), world);
  world.settle();
  ASSERT_TRUE(between(john, peter).pending);
  name_alike(mary);
  name_alike(peter);
  // Any record of Peter's is as good as his Complete.
  frame f{2, 1, 0, 0, std::vector<std::uint8_t>(2 + record_overhead_octets)};
  const auto s =
      between(peter, john)
          .pending->current.chain.seal(1, sdu_type::ip, std::vector<std::uint8_t>{1, 2}, world.now, f.octets);
  ASSERT_TRUE(s);
  f.src = s->src;
  f.dst = s->dst;
  EXPECT_TRUE(taken(john, f, world.now));
  EXPECT_TRUE(between(john, peter).live);
}

TEST_F(identifiers, of_two_requests_under_way_may_be_the_same) {
  world.discover(john);
  move_rendezvous(mary, john, meeting);
  move_rendezvous(peter, john, meeting);
  connect(john, mary, meeting, world);
  connect(john, peter, meeting, world);
  auto requests = taken_off(john, 0);
  ASSERT_EQ(requests.size(), 2U);
  ASSERT_EQ(requests[0].src, requests[1].src);
  for (const auto& r : requests) world.put(r);
  // The answer to the request that is looked at last comes first: the other request stands, and is no reason to drop
  // it.
  for (const auto& command : taken_off(peter, 2)) EXPECT_TRUE(taken(john, command, world.now));
  world.settle();
  EXPECT_TRUE(both_ways(mary, 1));
  EXPECT_TRUE(both_ways(peter, 1));
}

TEST_F(identifiers, of_two_set_ups_that_are_answered_may_be_the_same) {
  world.discover(mary);
  move_rendezvous(john, mary, meeting);
  move_rendezvous(john, peter, meeting);
  connect(mary, john, meeting, world);
  connect(peter, john, meeting, world);
  world.settle();
  EXPECT_TRUE(both_ways(mary, 1));
  EXPECT_TRUE(both_ways(peter, 1));
}

TEST_F(identifiers, number_of_links_keeps_no_permitted_peer_out) {
  ue_config config;
  config.discovery.entries = max_peers;
  ue hub("hub", 1704, config, std::nullopt, &toy);
  std::vector<std::unique_ptr<ue>> others;
  for (std::size_t i = 0; i <= max_peers; ++i)
    others.push_back(std::make_unique<ue>("peer" + std::to_string(i), 1710 + i, ue_config{}, std::nullopt, &toy));
  for (std::size_t i = 0; i < max_peers; ++i) {
    hub.knows(*others[i]);
    others[i]->knows(hub);
  }
  const auto refused = hub.security->add_peer("another", others[max_peers]->security->peers().own_public());
  ASSERT_FALSE(refused) << "the product's largest number of peers, however many are linked";
  EXPECT_NE(refused.error().message.find("64"), std::string::npos);
  for (std::size_t i = 0; i < max_peers; ++i) {
    air w;
    w.now = static_cast<time_ms>(i) * 1000;
    w.ues = {&hub, others[i].get()};
    ASSERT_TRUE(w.link_up(*others[i], hub)) << i;
    // Half of them ask again, as after a restart, and leave it half open: a link and a half with each.
    w.filter = [](const frame& f) {
      return f.lcid == 29 && f.from == 1 ? std::vector<frame>{} : std::vector<frame>{f};
    };
    if (i % 2 == 0) {
      connect(*others[i], hub,
              rendezvous_l2_id(others[i]->security->peers().find(std::string_view("hub"))->theirs, w.slot()), w);
      w.settle();
      ASSERT_TRUE(between(hub, *others[i]).pending) << i;
    }
  }
  EXPECT_EQ(hub.security->links().links(0).size(), max_peers);
}

}  // namespace
}  // namespace prose::security::test
