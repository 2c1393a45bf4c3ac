// Clocks that jump, rekeying in traffic, permissions that end. Simulated time; seeds are fixed and printed on failure.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "mac/default_pools.h"
#include "mac/sl_sch.h"
#include "tests/mac/sim_air.h"
#include "tests/mac/simulation.h"

namespace prose::mac::test {

TEST(simulation, clocks_that_jump_break_neither_links_nor_discovery) {
  for (const std::int64_t jump_ms : {5'000, -5'000, 40'000, -40'000, 3'600'000, -3'600'000}) {
    sim_air air({});
    auto& x = air.add("a", tm2());
    auto& y = air.add("b", tm2());
    air.permit(x, y);
    ASSERT_TRUE(air.run_until([&] { return linked(x, y); }, 30'000)) << jump_ms;
    y.clock_offset_ms = jump_ms;
    air.run(3'000);
    EXPECT_TRUE(linked(x, y)) << "jump " << jump_ms;
    const auto before = y.received_sdus[0];
    for (int i = 0; i < 10; ++i) {
      x.mac().send(x.id_of(y), security::sdu_type::ip, numbered(i));
      air.run(100);
    }
    EXPECT_GE(y.received_sdus[0] - before, 9U) << "jump " << jump_ms;
    y.clock_offset_ms = 0;
    air.run(std::abs(jump_ms) > 60'000 ? 5'000 : std::abs(jump_ms) + 5'000);
    // Both restart with clocks that agree again: they find each other, from slots that were not used before.
    x.restart();
    y.restart();
    EXPECT_TRUE(air.run_until([&] { return linked(x, y); }, 90'000)) << "jump " << jump_ms;
  }
}

TEST(simulation, a_clock_wrong_for_minutes_needs_no_restart) {
  for (const std::int64_t jump_ms : {-5'000, 3'600'000, -3'600'000}) {
    sim_air air({});
    auto& x = air.add("a", tm2());
    auto& y = air.add("b", tm2());
    air.permit(x, y);
    ASSERT_TRUE(air.run_until([&] { return linked(x, y); }, 30'000)) << jump_ms;
    y.clock_offset_ms = jump_ms;
    air.run(150'000);
    y.clock_offset_ms = 0;
    air.run(3'000);
    x.mac().release(x.id_of(y));
    ASSERT_TRUE(air.run_until([&] { return !linked(x, y); }, 5'000)) << jump_ms;
    EXPECT_TRUE(air.run_until([&] { return linked(x, y); }, 60'000)) << jump_ms;
  }
}

TEST(simulation, rekeying_in_traffic_loses_nothing) {
  // No loss, no collisions and, but for the first two runs, no deafness while sending: only rekeying and epochs could
  // lose anything.
  for (unsigned seed = 1; seed <= 42; ++seed) {
    const auto tm = seed % 2 != 0 ? phy::transmission_mode::tm2 : phy::transmission_mode::tm4;
    air_config a;
    a.collisions = false;
    a.half_duplex = seed <= 2;
    a.seed = seed;
    sim_air air(a);
    auto c = default_ue_config(tm, 25);
    c.discovery_tx.announce = true;
    security::ue_config s;
    s.links.epochs.min_ms = 3'000;
    s.links.epochs.max_ms = 6'000;
    auto& x = air.add("a", c, s);
    auto& y = air.add("b", c, s);
    air.permit(x, y);
    ASSERT_TRUE(air.run_until([&] { return linked(x, y); }, 30'000));
    air.run(2'000);  // the last repetition of the set-up is over
    const auto refused = [&] {
      return x.mac().counters().rx.security_dropped + y.mac().counters().rx.security_dropped;
    };
    const auto refused_before = refused();
    std::set<std::uint32_t> l2;
    std::set<std::uint16_t> ids;
    std::vector<int> got;
    int sent = 0;
    for (int i = 0; i < 600; ++i) {
      ASSERT_TRUE(x.mac().send(x.id_of(y), security::sdu_type::ip, numbered(i)));
      ++sent;
      if (i == 200) {
        EXPECT_TRUE(x.mac().rekey(x.id_of(y)));
      }
      air.run(97);
      const auto info = x.sec().links().links(0).at(0);
      l2.insert(info.own_l2), l2.insert(info.peer_l2);
      ids.insert(info.kd_sess_id);
    }
    air.run(3'000);
    for (const auto& d : y.received[0]) got.push_back(number_of(d));
    EXPECT_EQ(x.rekeys[1] + y.rekeys[0], 2);
    EXPECT_GE(x.epochs[1], 8);
    EXPECT_GE(l2.size(), 16U);
    EXPECT_GE(ids.size(), 8U);
    EXPECT_TRUE(x.lost.empty() && y.lost.empty());
    std::vector<int> all(static_cast<std::size_t>(sent));
    for (int i = 0; i < sent; ++i) all[i] = i;
    std::vector<int> missing;
    std::set_difference(all.begin(), all.end(), got.begin(), got.end(), std::back_inserter(missing));
    // Half-duplex may cost a block; the identifiers' change must not.
    EXPECT_LE(missing.size(), a.half_duplex ? 3U : 0U) << "tm" << static_cast<int>(tm) << ", seed " << seed;
    EXPECT_EQ(refused(), refused_before) << "no record met a key that was gone or not there yet; seed " << seed;
    EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
    if (a.half_duplex)
      printf("  tm%d: %zu of %d arrived in order, %zu layer-2 IDs, %d epochs, 1 rekeying\n", static_cast<int>(tm),
             got.size(), sent, l2.size(), x.epochs[1]);
  }
}

TEST(simulation, model_b_answers_only_the_permitted) {
  sim_air air({});
  auto c = tm2();
  c.discovery_tx.announce = false;
  c.auto_connect = true;
  security::ue_config s;
  s.discovery.announce = false;
  s.discovery.answer_queries = true;
  auto& x = air.add("a", c, s);
  auto& y = air.add("b", c, s);
  auto& z = air.add("c", c, s);
  air.permit(x, y);
  x.permit(z);  // one-sided: z has not permitted x
  air.run(5'000);
  int answers = 0;
  air.on_air = [&](int node, const subframe_transmission& t) { answers += node != 0 && t.psdch.has_value(); };
  EXPECT_EQ(x.mac().counters().discovery_sent, 0U);
  for (int i = 0; i < 12; ++i) {
    const std::vector<peer_id> both{x.id_of(y), x.id_of(z)};
    x.mac().query(both);
    air.run(1'500);
  }
  EXPECT_TRUE(linked(x, y));
  EXPECT_EQ(x.discovered, (std::set<int>{1}));
  EXPECT_TRUE(z.discovered.empty());
  EXPECT_GT(answers, 0);
  EXPECT_EQ(z.mac().counters().discovery_sent, 0U);
}

TEST(simulation, a_withdrawn_permission_ends_link_and_discovery) {
  sim_air air({});
  auto& x = air.add("a", tm2());
  auto& y = air.add("b", tm2());
  air.permit(x, y);
  ASSERT_TRUE(air.run_until([&] { return linked(x, y); }, 30'000));
  security::actions actions;
  step_output out;
  const auto id = x.id_of(y);
  ASSERT_TRUE(x.sec().remove_peer(id, air.now, actions));
  x.mac().apply(actions, out);
  x.mac().forget(id);
  air.run(5'000);
  EXPECT_EQ(y.lost[0], 1);  // it was told
  y.discovered.clear();
  air.run(60'000);
  EXPECT_TRUE(y.discovered.empty());
  EXPECT_EQ(y.established[0], 1);
}

TEST(simulation, what_nobody_should_send_changes_nothing) {
  sim_air air({});
  auto& x = air.add("a", tm2());
  auto& y = air.add("b", tm2());
  air.permit(x, y);
  ASSERT_TRUE(air.run_until([&] { return linked(x, y); }, 30'000));
  air.run(2'000);
  std::mt19937_64 rng(5);
  const auto info = x.sec().links().links(0)[0];
  step_output out;
  std::vector<std::vector<std::uint8_t>> real;
  air.on_air = [&](int, const subframe_transmission& t) {
    if (t.pssch && real.size() < 50) real.push_back(*t.pssch->block);
  };
  for (int i = 0; i < 30; ++i) {
    y.mac().send(y.id_of(x), security::sdu_type::ip, numbered(i));
    air.run(60);
  }
  ASSERT_GT(real.size(), 20U);
  const auto data_before = x.mac().counters().rx.data_sdus;
  std::vector<std::uint8_t> blocks;
  for (int i = 0; i < 200'000; ++i) {
    std::vector<std::uint8_t> b;
    if (i % 2 == 0) {  // a real block with one to three bits flipped
      b = real[rng() % real.size()];
      for (std::uint64_t k = 0; k <= rng() % 3; ++k) b[rng() % b.size()] ^= static_cast<std::uint8_t>(1U << rng() % 8);
    } else {  // right addresses, garbage inside
      b.resize(8 + rng() % 200);
      for (auto& o : b) o = static_cast<std::uint8_t>(rng());
      b[0] = 0x20;
      b[4] = static_cast<std::uint8_t>(info.own_l2 >> 16), b[5] = static_cast<std::uint8_t>(info.own_l2 >> 8);
    }
    std::array<std::uint8_t, 29> d{};
    for (auto& o : d) o = static_cast<std::uint8_t>(rng());
    const received_frame frames[] = {{air.now, rx_block{b, static_cast<std::uint8_t>(info.own_l2)}},
                                     {air.now, rx_discovery{d}}};
    x.mac().step({air.now, air.now, std::nullopt, frames, {}}, out);
    for (const auto& e : out.events) ASSERT_TRUE(std::holds_alternative<ev_data>(e) == false) << "forged data accepted";
    ASSERT_LE(x.mac().held_items(), 1000U);
  }
  const auto c = x.mac().counters();
  EXPECT_EQ(c.rx.data_sdus, data_before);
  EXPECT_GT(c.rx.malformed_sl_sch, 1000U);
  EXPECT_GT(c.rx.security_dropped, 1000U);
  EXPECT_TRUE(linked(x, y));
  air.run(5'000);
  EXPECT_TRUE(linked(x, y));
}

}  // namespace prose::mac::test
