// Set-up and records between honest UEs, and what each single check is there for.
#include <gtest/gtest.h>

#include "common/hex.h"
#include "common/octet_order.h"
#include "security/link.h"
#include "tests/security/engine_state.h"
#include "tests/security/links_fixture.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

TEST_F(links, set_up_gives_one_session_with_data_both_ways) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  const auto at_john = john.events<link_established>();
  const auto at_peter = peter.events<link_established>();
  ASSERT_EQ(at_john.size(), 1U);
  ASSERT_EQ(at_peter.size(), 1U);
  EXPECT_EQ(at_john[0].kd_sess_id, at_peter[0].kd_sess_id);
  EXPECT_EQ(at_john[0].key_fingerprint, at_peter[0].key_fingerprint);
  EXPECT_EQ(at_john[0].suite_used, suite::aes_256_gcm);
  ASSERT_TRUE(world.send(john, l->first, {1, 2, 3}));
  ASSERT_TRUE(world.send(peter, l->second, {4, 5}));
  ASSERT_EQ(peter.inbox.size(), 1U);
  EXPECT_EQ(peter.inbox[0].data, (std::vector<std::uint8_t>{1, 2, 3}));
  ASSERT_EQ(john.inbox.size(), 1U);
  EXPECT_EQ(john.inbox[0].data, (std::vector<std::uint8_t>{4, 5}));
  EXPECT_TRUE(mary.inbox.empty());
  EXPECT_TRUE(mary.events<link_established>().empty());
}

TEST_F(links, sizes_on_air_are_at_most_65_57_and_24_octets) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  ASSERT_GE(world.captured.size(), 3U);
  EXPECT_EQ(world.captured[0].octets.size(), 65U);
  EXPECT_EQ(world.captured[0].lcid, 28);
  EXPECT_EQ(world.captured[1].octets.size(), 57U);
  EXPECT_EQ(world.captured[1].lcid, 29);
  EXPECT_EQ(world.captured[2].octets.size(), 24U);
  EXPECT_EQ(world.captured[2].lcid, 29);
}

TEST_F(links, every_flipped_bit_is_dropped_without_change_of_state) {
  std::vector<frame> seen;
  std::size_t tried = 0;
  world.filter = [&](const frame& f) {
    ue& to = f.from == 0 ? peter : john;
    world.now += 20;  // a time that nothing has happened at yet
    for (std::size_t bit = 0; bit < f.octets.size() * 8; ++bit) {
      frame bad = f;
      bad.octets[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      const auto before = engine_state(to, f.dst, world.now);
      const auto waiting = to.pending.size();
      EXPECT_FALSE(taken(to, bad, world.now)) << "lcid " << int{f.lcid} << " bit " << bit;
      EXPECT_EQ(to.pending.size(), waiting);
      EXPECT_EQ(before, engine_state(to, f.dst, world.now)) << "lcid " << int{f.lcid} << " bit " << bit;
      ++tried;
    }
    for (std::size_t n = 0; n < f.octets.size(); ++n) {
      frame cut = f;
      cut.octets.resize(n);
      EXPECT_FALSE(taken(to, cut, world.now));
    }
    frame longer = f;
    longer.octets.push_back(0);
    EXPECT_FALSE(taken(to, longer, world.now));
    return std::vector<frame>{f};
  };
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  ASSERT_TRUE(world.send(john, l->first, {1, 2, 3}));
  ASSERT_TRUE(world.send(peter, l->second, {4}));
  ASSERT_TRUE(john.security->links().rekey(l->first, world.now, john.pending));
  world.settle();
  EXPECT_EQ(john.events<rekeyed>().size(), 1U);
  EXPECT_EQ(peter.events<rekeyed>().size(), 1U);
  EXPECT_GT(
      tried,
      (65U + 57U + 24U + 28U + 2 * record_overhead_octets + rekeying_request_octets + rekeying_response_octets) * 8U);
  EXPECT_EQ(peter.inbox.size(), 1U);
  EXPECT_EQ(john.inbox.size(), 1U);
}

TEST_F(links, records_replayed_reflected_or_on_another_channel_are_dropped) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  ASSERT_TRUE(world.send(john, l->first, {1, 2, 3}));
  const frame f = world.captured.back();
  EXPECT_FALSE(taken(peter, f, world.now)) << "replayed";
  frame g = f;
  g.lcid = 2;
  EXPECT_FALSE(taken(peter, g, world.now)) << "other channel";
  g.lcid = 30;
  EXPECT_FALSE(taken(peter, g, world.now));
  g = f;
  EXPECT_FALSE(taken(john, g, world.now)) << "reflected";
  std::swap(g.src, g.dst);
  EXPECT_FALSE(taken(john, g, world.now)) << "reflected with the addresses turned";
  EXPECT_EQ(peter.inbox.size(), 1U);
}

TEST_F(links, data_and_signalling_on_wrong_channels_are_refused) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  std::vector<std::uint8_t> out(64);
  const std::vector<std::uint8_t> data{1};
  EXPECT_EQ(john.security->links().seal(l->first, 30, sdu_type::ip, data, 0, out).error(), drop_reason::wrong_channel);
  EXPECT_EQ(john.security->links().seal(l->first, 30, sdu_type::pc5s, data, 0, out).error(),
            drop_reason::wrong_channel);
  EXPECT_EQ(john.security->links().seal(l->first, 1, sdu_type::pc5s, data, 0, out).error(), drop_reason::wrong_channel);
  EXPECT_EQ(john.security->links().seal(l->first, 11, sdu_type::ip, data, 0, out).error(), drop_reason::wrong_channel);
  EXPECT_EQ(john.security->links().seal(l->first, 0, sdu_type::ip, data, 0, out).error(), drop_reason::wrong_channel);
  EXPECT_EQ(john.security->links().seal(99, 1, sdu_type::ip, data, 0, out).error(), drop_reason::unknown_link);
  out.resize(21);
  EXPECT_EQ(john.security->links().seal(l->first, 1, sdu_type::ip, data, 0, out).error(), drop_reason::malformed);
}

TEST_F(links, sessions_with_different_peers_share_nothing) {
  const auto with_peter = world.link_up(john, peter);
  ASSERT_TRUE(with_peter);
  world.now += 1000;
  const auto with_mary = world.link_up(john, mary);
  ASSERT_TRUE(with_mary);
  const auto all = john.security->links().links(world.now);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_NE(all[0].kd_sess_id, all[1].kd_sess_id);
  EXPECT_NE(all[0].key_fingerprint, all[1].key_fingerprint);
  EXPECT_NE(all[0].own_l2, all[1].own_l2) << "nothing that John sends to Mary recurs in what he sends to Peter";
  octet_set secrets;
  for (const auto& s : stolen_state(john.security->peers(), john.security->links(), export_permit::user_was_warned())) {
    if (s.name.find("psk") != std::string::npos) continue;
    EXPECT_TRUE(secrets.insert(s.octets).second) << s.name;
  }
}

TEST_F(links, a_lost_message_of_any_kind_is_made_up_for) {
  for (int lost = 0; lost < 4; ++lost) {
    ue a("alice", 100 + static_cast<std::uint64_t>(lost)), b("bob", 200 + static_cast<std::uint64_t>(lost));
    a.knows(b);
    b.knows(a);
    air w;
    w.ues = {&a, &b};
    w.set_slots();
    int n = 0;
    w.filter = [&](const frame& f) { return n++ == lost ? std::vector<frame>{} : std::vector<frame>{f}; };
    (void)w.link_up(a, b);
    w.pass(2000);
    ASSERT_TRUE(a.security->links().link_with(a.id_of(b))) << lost;
    ASSERT_TRUE(b.security->links().link_with(b.id_of(a))) << lost;
    EXPECT_EQ(a.events<link_established>().size(), 1U);
    EXPECT_EQ(b.events<link_established>().size(), 1U);
    EXPECT_EQ(a.events<link_established>()[0].key_fingerprint, b.events<link_established>()[0].key_fingerprint);
  }
}

TEST_F(links, retransmitted_requests_are_octet_identical) {
  world.filter = [](const frame&) { return std::vector<frame>{}; };
  (void)world.link_up(john, peter);
  world.pass(7000);
  octet_set different;
  std::size_t sent = 0;
  for (const auto& f : world.captured) {
    ASSERT_EQ(f.lcid, 28);
    different.insert(f.octets);
    ++sent;
  }
  EXPECT_GE(sent, 15U);
  EXPECT_EQ(different.size(), 1U);
  world.pass(2000);
  EXPECT_EQ(john.events<attempt_failed>().size(), 1U);
}

TEST_F(links, both_asking_at_once_gives_one_link) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    ue a("alice", 300 + seed), b("bob", 400 + seed);
    a.knows(b);
    b.knows(a);
    air w;
    w.ues = {&a, &b};
    const auto at_a = w.discover(a);
    w.now += 1000;  // fresh codes for the other direction
    const auto at_b = w.discover(b);
    w.now += 1000;
    const auto again_a = w.discover(a);
    w.now += 0;
    ASSERT_FALSE(again_a.empty());
    ASSERT_FALSE(at_b.empty());
    ASSERT_TRUE(a.security->links().connect(again_a[0], w.now, a.pending));
    ASSERT_TRUE(b.security->links().connect(at_b[0], w.now, b.pending));
    w.settle();
    w.pass(5000);
    ASSERT_EQ(a.events<link_established>().size(), 1U);
    ASSERT_EQ(b.events<link_established>().size(), 1U);
    EXPECT_EQ(a.events<link_established>()[0].key_fingerprint, b.events<link_established>()[0].key_fingerprint);
    const bool a_smaller = a.security->peers().own_public() < b.security->peers().own_public();
    EXPECT_EQ(a.events<link_established>()[0].own_role, a_smaller ? role::initiator : role::responder);
    EXPECT_TRUE(a.events<link_lost>().empty());
  }
}

TEST_F(links, responder_delivers_nothing_before_the_complete) {
  world.filter = [&](const frame& f) {  // every Complete is lost
    return f.octets.size() == complete_octets && f.lcid == 29 ? std::vector<frame>{} : std::vector<frame>{f};
  };
  EXPECT_FALSE(world.link_up(john, peter));
  EXPECT_TRUE(peter.events<link_established>().empty());
  EXPECT_TRUE(john.events<link_established>().empty());
  EXPECT_FALSE(peter.security->links().link_with(peter.id_of(john)));
  // John's engine holds keys already; a record under them is as good as the Complete.
  auto& pending = *john.security->links().state().at(john.id_of(peter)).pending;
  std::vector<std::uint8_t> pdu(1 + record_overhead_octets);
  const std::vector<std::uint8_t> data{9};
  const auto s = pending.current.chain.seal(1, sdu_type::ip, data, world.now, pdu);
  ASSERT_TRUE(s);
  ASSERT_TRUE(taken(peter, {0, 1, s->src, s->dst, pdu}, world.now));
  EXPECT_EQ(peter.inbox.size(), 1U);
  world.settle();
  EXPECT_EQ(peter.events<link_established>().size(), 1U);
  EXPECT_EQ(john.events<link_established>().size(), 1U);
}

TEST_F(links, a_reboot_replaces_the_link_with_the_new_complete) {
  ASSERT_TRUE(world.link_up(john, peter));
  ue again("john", 61, john.security->peers().own_private(), {});
  again.knows(peter);
  world.ues[0] = &again;
  world.now += 1000;
  int seen = 0;
  world.filter = [&](const frame& f) {
    if (f.lcid == 29 && f.octets.size() == complete_octets) {
      EXPECT_TRUE(peter.events<link_lost>().empty()) << "a live link stays until the new Complete";
      EXPECT_TRUE(peter.security->links().link_with(peter.id_of(john)));
      ++seen;
    }
    return std::vector<frame>{f};
  };
  ASSERT_TRUE(world.link_up(again, peter));
  EXPECT_EQ(seen, 1);
  ASSERT_EQ(peter.events<link_lost>().size(), 1U);
  EXPECT_EQ(peter.events<link_lost>()[0].reason, lost_reason::replaced);
  EXPECT_EQ(peter.events<link_established>().size(), 2U);
  EXPECT_NE(peter.events<link_established>()[0].key_fingerprint, peter.events<link_established>()[1].key_fingerprint);
}

TEST_F(links, unverified_input_never_tears_a_link_down_and_silence_does) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  seeded_random r(62);
  for (int i = 0; i < 20'000; ++i) {
    frame f;
    f.from = 2;
    f.lcid = static_cast<std::uint8_t>(r.below(32));
    const auto info = *peter.security->links().info(l->second, world.now);
    f.src = info.peer_l2;
    f.dst = info.own_l2;
    f.octets.resize(r.below(80));
    r.fill(f.octets);
    if (f.octets.size() > 5 && i % 2 == 0)
      write_pdcp_header({sdu_type::pc5s, info.kd_sess_id, 7}, bytes_span(f.octets).first<5>());
    EXPECT_FALSE(taken(peter, f, world.now));
  }
  EXPECT_TRUE(peter.events<link_lost>().empty());
  ASSERT_TRUE(world.send(john, l->first, {1}));
  world.pass(60'000, 500);
  EXPECT_TRUE(peter.events<link_lost>().empty()) << "keep-alives hold it";
  world.filter = [](const frame&) { return std::vector<frame>{}; };
  world.pass(35'000, 500);
  ASSERT_EQ(peter.events<link_lost>().size(), 1U);
  EXPECT_EQ(peter.events<link_lost>()[0].reason, lost_reason::silence);
}

TEST_F(links, key_log_opens_the_logged_link_and_no_other) {
  const auto with_mary = world.link_up(john, mary);
  ASSERT_TRUE(with_mary);
  ASSERT_TRUE(world.send(john, with_mary->first, {1, 2, 3}));
  const frame to_mary = world.captured.back();
  world.now += 1000;
  const auto with_peter = world.link_up(john, peter);
  ASSERT_TRUE(with_peter);
  ASSERT_TRUE(world.send(john, with_peter->first, {4, 5, 6}));
  const frame to_peter = world.captured.back();
  const auto lines = key_log_lines(mary.security->links(), with_mary->second, export_permit::user_was_warned());
  EXPECT_EQ(lines.size(), 4U) << "current and next epoch, both directions";
  int opened = 0;
  for (const auto& line : lines) {
    auto key = parse_key_log_line(line);
    ASSERT_TRUE(key);
    if (const auto data = open_with(*key, to_mary.lcid, to_mary.octets)) {
      EXPECT_EQ(*data, (std::vector<std::uint8_t>{1, 2, 3}));
      ++opened;
    }
    key->kd_sess_id = static_cast<std::uint16_t>(to_peter.octets[1] << 8 | to_peter.octets[2]);
    EXPECT_FALSE(open_with(*key, to_peter.lcid, to_peter.octets));
  }
  EXPECT_EQ(opened, 1);
  for (const auto& s : stolen_state(mary.security->peers(), mary.security->links(), export_permit::user_was_warned())) {
    if (s.name.find(" tx ") != std::string::npos || s.name.find(" rx ") != std::string::npos) continue;
    if (s.name.find("psk") != std::string::npos) continue;
    for (const auto& line : lines)
      EXPECT_EQ(line.find(to_hex(s.octets)), std::string::npos) << s.name << " is in the key log";
  }
  for (const char* bad : {"", "PROSE_RECORD_KEY", "PROSE_RECORD_KEY AES-256-GCM 0001 000001 000002 00 00",
                          "PROSE_RECORD_KEY NULL 0001 000001 000002 00 00"})
    EXPECT_FALSE(parse_key_log_line(bad));
}

TEST_F(links, records_with_other_layer_2_ids_are_dropped) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  frame f;
  f.lcid = 1;
  f.octets.resize(1 + record_overhead_octets);
  const std::vector<std::uint8_t> data{1};
  const auto s = john.security->links().seal(l->first, 1, sdu_type::ip, data, world.now, f.octets);
  ASSERT_TRUE(s);
  for (int bit = 0; bit < 24; ++bit) {
    f.src = s->src ^ (1U << bit);
    f.dst = s->dst;
    EXPECT_FALSE(taken(peter, f, world.now));
    f.src = s->src;
    f.dst = s->dst ^ (1U << bit);
    EXPECT_FALSE(taken(peter, f, world.now));
  }
  f.dst = s->dst;
  EXPECT_TRUE(taken(peter, f, world.now));
}

TEST_F(links, a_rekeying_that_is_not_bound_to_the_link_is_ignored) {
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  const peer& p = *john.security->peers().find(std::string_view("peter"));
  // Whoever holds the static keys but not the link's own secret; the record around it is lent by the test.
  for (const bool bound : {false, true}) {
    link& live = *john.security->links().state().at(p.id).live;
    handshake_context c;
    c.request_type = message_type::rekeying_request;
    c.seq = 77;
    c.binding = bound ? &live.current.binding : nullptr;
    const initiator_handshake hs(john.security->peers(), p, c, offer{all_suites, 1, 0, 9});
    frame f{0, 30, 0, 0, std::vector<std::uint8_t>(hs.request().size() + record_overhead_octets)};
    const auto s = live.current.chain.seal(30, sdu_type::pc5s, hs.request(), world.now, f.octets);
    ASSERT_TRUE(s);
    f.src = s->src;
    f.dst = s->dst;
    ASSERT_TRUE(taken(peter, f, world.now));
    EXPECT_EQ(peter.pending.size(), bound ? 1U : 0U);
    peter.pending.clear();
  }
}

}  // namespace
}  // namespace prose::security::test
