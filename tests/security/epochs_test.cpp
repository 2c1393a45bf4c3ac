// Epochs, rekeying and exhaustion of keys.
#include <gtest/gtest.h>

#include <set>

#include "common/hex.h"
#include "common/octet_order.h"
#include "security/link.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

class epochs : public ::testing::Test {
protected:
  void start(const ue_config& config) {
    a = std::make_unique<ue>("alice", 71, config);
    b = std::make_unique<ue>("bob", 72, config);
    a->knows(*b);
    b->knows(*a);
    world.ues = {a.get(), b.get()};
    world.set_slots();
    const auto l = world.link_up(*a, *b);
    ASSERT_TRUE(l);
    at_a = l->first;
    at_b = l->second;
  }
  link_info info(ue& u, link_id l) { return *u.security->links().info(l, world.now); }
  std::unique_ptr<ue> a, b;
  air world;
  link_id at_a = 0, at_b = 0;
};

TEST_F(epochs, everything_changes_after_so_many_records) {
  ue_config config;
  config.links.epochs.records = 16;
  start(config);
  std::set<l2_id> ids;
  std::set<std::uint16_t> sess;
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(world.send(*a, at_a, {static_cast<std::uint8_t>(i)}));
    ids.insert(info(*a, at_a).own_l2);
    sess.insert(info(*a, at_a).kd_sess_id);
    world.now += 10;
  }
  EXPECT_EQ(b->inbox.size(), 200U);
  EXPECT_GE(info(*a, at_a).epoch, 10U);
  EXPECT_EQ(ids.size(), info(*a, at_a).epoch + 1);
  EXPECT_EQ(sess.size(), info(*a, at_a).epoch + 1);
  world.pass(3000);
  std::size_t epochs_held = 0;
  a->security->links().state().at(a->id_of(*b)).live->current.chain.for_each_epoch([&](const epoch&) {
    ++epochs_held;
  });
  EXPECT_EQ(epochs_held, 2U) << "current and next; the previous one is wiped";
  EXPECT_GE(a->events<epoch_entered>().size(), 10U);
}

TEST_F(epochs, time_alone_moves_an_idle_link_on) {
  ue_config config;
  config.links.epochs.min_ms = 20'000;
  config.links.epochs.max_ms = 30'000;
  start(config);
  world.pass(200'000, 500);
  EXPECT_GE(info(*a, at_a).epoch, 4U);
  EXPECT_EQ(info(*a, at_a).epoch, info(*b, at_b).epoch);
  EXPECT_TRUE(a->events<link_lost>().empty());
}

TEST_F(epochs, 32768_lost_records_do_no_harm) {
  start({});
  ASSERT_TRUE(world.send(*b, at_b, {1}));
  world.filter = [](const frame&) { return std::vector<frame>{}; };
  for (int i = 0; i < (1 << 15) + 100; ++i) ASSERT_TRUE(world.send(*a, at_a, {1}));
  EXPECT_EQ(info(*a, at_a).epoch, 1U);
  EXPECT_EQ(info(*b, at_b).epoch, 0U);
  world.filter = nullptr;
  ASSERT_TRUE(world.send(*b, at_b, {2}));
  EXPECT_EQ(a->inbox.back().data, (std::vector<std::uint8_t>{2})) << "B is still in the old epoch";
  ASSERT_TRUE(world.send(*a, at_a, {3}));
  EXPECT_EQ(b->inbox.back().data, (std::vector<std::uint8_t>{3}));
  EXPECT_EQ(info(*b, at_b).epoch, 1U);
  EXPECT_EQ(info(*a, at_a).epoch, 1U);
}

// A sends in r+1, B follows, and all that B sends there is lost until it moves on to r+2: A, unheard in r+1, must hold
// r+2.
TEST_F(epochs, a_follower_is_heard_after_a_lost_epoch) {
  start({});
  ASSERT_TRUE(world.send(*b, at_b, {1}));
  world.filter = [](const frame&) { return std::vector<frame>{}; };
  for (int i = 0; i < (1 << 15) + 1; ++i) ASSERT_TRUE(world.send(*a, at_a, {1}));
  EXPECT_EQ(info(*a, at_a).epoch, 1U);
  world.filter = nullptr;
  world.reaches = [](std::size_t from, std::size_t) { return from == 0; };
  ASSERT_TRUE(world.send(*a, at_a, {2}));
  EXPECT_EQ(info(*b, at_b).epoch, 1U) << "B follows";
  for (int i = 0; i < (1 << 15) + 100; ++i) ASSERT_TRUE(world.send(*b, at_b, {1}));
  EXPECT_EQ(info(*b, at_b).epoch, 2U) << "B moves on";
  EXPECT_EQ(info(*a, at_a).epoch, 1U);
  world.reaches = nullptr;
  ASSERT_TRUE(world.send(*b, at_b, {3}));
  EXPECT_EQ(a->inbox.back().data, (std::vector<std::uint8_t>{3}));
  EXPECT_EQ(info(*a, at_a).epoch, 2U);
  ASSERT_TRUE(world.send(*a, at_a, {4}));
  EXPECT_EQ(b->inbox.back().data, (std::vector<std::uint8_t>{4}));
  ASSERT_TRUE(world.send(*b, at_b, {5}));
  EXPECT_EQ(a->inbox.back().data, (std::vector<std::uint8_t>{5}));
  EXPECT_TRUE(a->events<link_lost>().empty());
}

TEST_F(epochs, seal_refuses_at_65536_unacknowledged_records) {
  start({});
  world.filter = [](const frame&) { return std::vector<frame>{}; };
  octet_set headers;
  int sealed = 0;
  std::vector<std::uint8_t> out(64);
  const std::vector<std::uint8_t> data{1};
  result<sealed_pdu, drop_reason> last;
  for (;;) {
    last = a->security->links().seal(at_a, 1, sdu_type::ip, data, world.now, out);
    if (!last) break;
    std::vector<std::uint8_t> h(out.begin() + 1, out.begin() + 5);
    ASSERT_TRUE(headers.insert(h).second) << "KD-sess ID and SN repeat";
    ASSERT_LE(++sealed, 200'000);
  }
  EXPECT_EQ(last.error(), drop_reason::exhausted);
  EXPECT_EQ(sealed, 65536 + (1 << 15)) << "2^15 in epoch 0, all 2^16 of epoch 1";
  EXPECT_TRUE(a->security->links().seal(at_a, 2, sdu_type::ip, data, world.now, out))
      << "another channel has its own COUNT";
}

TEST_F(epochs, rekeying_leaves_old_keys_that_open_nothing) {
  start({});
  const auto before = info(*a, at_a);
  ASSERT_TRUE(world.send(*b, at_b, {1}));
  const frame old_record = world.captured.back();
  std::vector<std::uint8_t> held(1 + record_overhead_octets);
  const std::vector<std::uint8_t> data{7};
  const auto s = b->security->links().seal(at_b, 1, sdu_type::ip, data, world.now, held);
  ASSERT_TRUE(s);
  ASSERT_TRUE(a->security->links().rekey(at_a, world.now, a->pending));
  world.settle();
  ASSERT_EQ(a->events<rekeyed>().size(), 1U);
  ASSERT_EQ(b->events<rekeyed>().size(), 1U);
  EXPECT_EQ(a->events<rekeyed>()[0].key_fingerprint, b->events<rekeyed>()[0].key_fingerprint);
  EXPECT_NE(a->events<rekeyed>()[0].key_fingerprint, before.key_fingerprint);
  EXPECT_NE(info(*a, at_a).own_l2, before.own_l2);
  ASSERT_TRUE(world.send(*a, at_a, {2}));
  ASSERT_TRUE(world.send(*b, at_b, {3}));
  EXPECT_FALSE(taken(*a, old_record, world.now));
  world.pass(3000);
  EXPECT_FALSE(taken(*a, {1, 1, s->src, s->dst, held}, world.now)) << "two seconds later the old keys are gone";
  EXPECT_FALSE(a->security->links().state().at(a->id_of(*b)).live->previous);
}

TEST_F(epochs, rekeying_survives_any_loss_and_two_starters) {
  for (int lost = 0; lost < 6; ++lost) {
    start({});
    int n = 0;
    world.filter = [&](const frame& f) { return n++ == lost ? std::vector<frame>{} : std::vector<frame>{f}; };
    ASSERT_TRUE(a->security->links().rekey(at_a, world.now, a->pending));
    if (lost % 2 == 1) {
      ASSERT_TRUE(b->security->links().rekey(at_b, world.now, b->pending));
    }
    world.settle();
    world.pass(15'000, 500);
    world.filter = nullptr;
    EXPECT_EQ(info(*a, at_a).key_fingerprint, info(*b, at_b).key_fingerprint) << lost;
    EXPECT_GE(a->events<rekeyed>().size(), 1U);
    ASSERT_TRUE(world.send(*a, at_a, {2}));
    ASSERT_TRUE(world.send(*b, at_b, {3}));
    EXPECT_EQ(b->inbox.back().data, (std::vector<std::uint8_t>{2}));
    EXPECT_EQ(a->inbox.back().data, (std::vector<std::uint8_t>{3}));
    EXPECT_TRUE(a->events<link_lost>().empty());
  }
}

// The request of an attempt that was given up comes after that of the next one: the answer under way must stay the one
// that counts.
TEST_F(epochs, an_overtaken_request_to_rekey_does_not_undo_the_later_one) {
  start({});
  std::vector<frame> of_alice, of_bob;
  world.filter = [&](const frame& f) {
    (f.from == 0 ? of_alice : of_bob).push_back(f);
    return std::vector<frame>{};
  };
  ASSERT_TRUE(a->security->links().rekey(at_a, world.now, a->pending));
  world.settle();
  const frame first = of_alice.at(0);
  world.pass(11'000);
  ASSERT_TRUE(a->security->links().rekey(at_a, world.now, a->pending));
  world.settle();
  of_bob.clear();
  ASSERT_TRUE(b->hear(of_alice.back(), world.now));
  world.settle();
  ASSERT_EQ(of_bob.size(), 1U);
  const frame answer = of_bob[0];
  ASSERT_TRUE(b->hear(first, world.now)) << "authentic, if late";
  world.settle();
  EXPECT_EQ(of_bob.size(), 1U) << "and not answered";
  world.filter = nullptr;
  ASSERT_TRUE(a->hear(answer, world.now));
  world.settle();
  ASSERT_EQ(a->events<rekeyed>().size(), 1U);
  ASSERT_EQ(b->events<rekeyed>().size(), 1U);
  EXPECT_EQ(info(*a, at_a).key_fingerprint, info(*b, at_b).key_fingerprint);
  ASSERT_TRUE(world.send(*a, at_a, {7}));
  EXPECT_EQ(b->inbox.size(), 1U);
}

TEST_F(epochs, rekeying_is_due_at_30_minutes_and_the_smaller_key_starts_it) {
  start({});
  world.pass(30 * 60'000 - 2000, 1000);
  EXPECT_TRUE(a->events<rekeyed>().empty());
  world.pass(5000, 1000);
  EXPECT_EQ(a->events<rekeyed>().size(), 1U);
  EXPECT_EQ(b->events<rekeyed>().size(), 1U);
  EXPECT_LT(info(*a, at_a).key_age_ms, 10'000);
}

// The sequence numbers of what a link says on its own account wrap at 16 bits: 70 000 keep-alives, with a rekeying and
// a release after the wrap and a rekeying whose request and answer stand on either side of it.
TEST_F(epochs, sequence_numbers_of_signalling_wrap) {
  ue_config config;
  config.links.keepalive_after_ms = 4;
  config.links.epochs.min_ms = config.links.epochs.max_ms = 5000;
  start(config);
  const auto next_seq = [&] { return a->security->links().state().at(a->id_of(*b)).live->next_seq; };
  std::set<std::uint16_t> seen;
  int wrapped = 0;
  for (std::uint16_t before = next_seq(); wrapped == 0 || before < 100 || seen.size() <= 30'000U; before = next_seq()) {
    ASSERT_LT(world.now, 400'000);
    world.captured.clear();
    a->history.clear();
    b->history.clear();
    world.now += 4;
    if (before == 65535) {
      ASSERT_TRUE(a->security->links().rekey(at_a, world.now, a->pending));
    }  // takes 65535; its keep-alive takes 0
    for (auto* u : world.ues) u->security->links().tick(world.now, u->pending);
    world.settle();
    wrapped += next_seq() < before;
    seen.insert(before);
    ASSERT_TRUE(a->security->links().link_with(a->id_of(*b)));
    if (before == 65535) {
      EXPECT_EQ(a->events<rekeyed>().size(), 1U);
      EXPECT_EQ(b->events<rekeyed>().size(), 1U);
    }
  }
  EXPECT_EQ(wrapped, 1);
  EXPECT_TRUE(seen.contains(65535));
  EXPECT_GT(seen.size(), 30'000U);
  ASSERT_TRUE(b->security->links().rekey(at_b, world.now, b->pending));
  world.settle();
  EXPECT_EQ(a->events<rekeyed>().size(), 1U);
  EXPECT_EQ(info(*a, at_a).key_fingerprint, info(*b, at_b).key_fingerprint);
  ASSERT_TRUE(world.send(*a, at_a, {1}));
  EXPECT_EQ(b->inbox.back().data, (std::vector<std::uint8_t>{1}));
  ASSERT_TRUE(a->security->links().release(at_a, world.now, a->pending));
  world.settle();
  EXPECT_FALSE(b->security->links().link_with(b->id_of(*a)));
}

// The sequence number of a set-up is drawn, so the ends of its range are put in by hand.
TEST(sequence_number, of_a_set_up_may_be_the_first_and_the_last) {
  for (const std::uint8_t octet : {std::uint8_t{0}, std::uint8_t{255}}) {
    ue a("alice", 73), b("bob", 74);
    a.knows(b);
    b.knows(a);
    air world;
    world.ues = {&a, &b};
    const auto heard = world.discover(a);
    ASSERT_EQ(heard.size(), 1U);
    a.random.next_octets = {octet, octet};
    ASSERT_TRUE(a.security->links().connect(heard[0], world.now, a.pending));
    world.settle();
    EXPECT_EQ(world.captured.at(0).octets.at(1), octet);
    EXPECT_EQ(world.captured.at(0).octets.at(2), octet);
    EXPECT_EQ(a.events<link_established>().size(), 1U);
    EXPECT_EQ(b.events<link_established>().size(), 1U);
  }
}

TEST_F(epochs, seal_refuses_keys_of_40_minutes) {
  ue_config config;
  config.links.lost_after_ms = 100'000'000;
  start(config);
  std::vector<std::uint8_t> out(64);
  const std::vector<std::uint8_t> data{1};
  EXPECT_TRUE(a->security->links().seal(at_a, 1, sdu_type::ip, data, world.now + 40 * 60'000 - 1, out));
  EXPECT_EQ(a->security->links().seal(at_a, 1, sdu_type::ip, data, world.now + 40 * 60'000, out).error(),
            drop_reason::exhausted);
  a->security->links().tick(world.now + 40 * 60'000, a->pending);
  EXPECT_FALSE(a->security->links().link_with(a->id_of(*b)));
}

TEST(epoch_chain, is_not_left_before_the_peer_was_heard_in_it) {
  seeded_random r(91);
  epoch_config config;
  config.records = 4;
  epoch_chain chain(link_root_key(std::array<std::uint8_t, 32>{5}), role::initiator, suite::aes_256_gcm, 0x0102, config,
                    r, 0);
  std::vector<std::uint8_t> out(64);
  const std::vector<std::uint8_t> data{1};
  for (int i = 0; i < 65536; ++i) {
    const auto s = chain.seal(1, sdu_type::ip, data, i, out);
    ASSERT_TRUE(s);
    ASSERT_FALSE(s->moved);
  }
  EXPECT_EQ(chain.seal(1, sdu_type::ip, data, 0, out).error(), drop_reason::exhausted);
}

}  // namespace
}  // namespace prose::security::test
