// What must hold without any radio: discovery by permission only, set-up under loss, simultaneous requests, restarts.
// Simulated time; seeds are fixed and printed on failure.
#include <gtest/gtest.h>

#include <cstdio>

#include "mac/default_pools.h"
#include "mac/sl_sch.h"
#include "tests/mac/sim_air.h"
#include "tests/mac/simulation.h"

namespace prose::mac::test {

TEST(simulation, fifty_ues_discover_exactly_the_permitted_pairs) {
  air_config a;
  a.seed = 50;
  sim_air air(a);
  auto c = default_ue_config(phy::transmission_mode::tm2, 50);
  c.auto_connect = false;
  c.discovery.prb = {25, 0, 49};
  c.sync.mode = time_mode::gnss;
  constexpr int n = 50;
  for (int i = 0; i < n; ++i) air.add("ue" + std::to_string(i), c);
  std::mt19937 rng(2026);
  std::vector<std::set<int>> permitted(n);
  int pairs = 0;
  for (int i = 0; i < n; ++i)
    for (int j = i + 1; j < n; ++j)
      if (rng() % 8 == 0) {
        air.permit(air.nodes()[i], air.nodes()[j]);
        permitted[i].insert(j);
        permitted[j].insert(i);
        ++pairs;
      }
  const auto complete = [&] {
    for (int i = 0; i < n; ++i)
      if (air.nodes()[i].discovered != permitted[i]) return false;
    return true;
  };
  EXPECT_TRUE(air.run_until(complete, 300'000));
  const auto t = air.now;
  air.run(60'000);  // and nobody else afterwards
  EXPECT_TRUE(complete());
  std::uint64_t heard = 0, matched = 0;
  for (auto& x : air.nodes())
    heard += x.mac().counters().discovery_heard, matched += x.mac().counters().discovery_matched;
  printf("  %d permitted pairs of %d, all discovered after %.1f s; %llu messages heard, %llu recognised\n", pairs,
         n * (n - 1) / 2, static_cast<double>(t) / 1000, static_cast<unsigned long long>(heard),
         static_cast<unsigned long long>(matched));
}

TEST(simulation, links_come_up_under_half_of_the_subframes_lost) {
  std::int64_t worst = 0;
  double sum = 0;
  constexpr int runs = 40;
  for (unsigned seed = 1; seed <= runs; ++seed) {
    air_config a;
    a.loss = 0.5;
    a.seed = seed;
    sim_air air(a);
    const auto c = seed % 2 ? tm2() : default_ue_config(phy::transmission_mode::tm4, 25);
    auto& x = air.add("a", c);
    auto& y = air.add("b", c);
    air.permit(x, y);
    EXPECT_TRUE(air.run_until([&] { return linked(x, y); }, 60'000)) << "seed " << seed;
    worst = std::max(worst, air.now);
    sum += static_cast<double>(air.now);
    // The link is usable, not only present at both ends.
    for (int i = 0; i < 20; ++i) {
      x.mac().send(x.id_of(y), security::sdu_type::ip, numbered(i));
      air.run(100);
    }
    EXPECT_GT(y.received[0].size(), 3U) << "seed " << seed;
  }
  printf("  from cold start with synchronisation: mean %.1f s, worst %.1f s\n", sum / runs / 1000,
         static_cast<double>(worst) / 1000);
}

TEST(simulation, data_for_an_absent_peer_neither_blocks_nor_is_stale) {
  sim_air air({});
  auto c = tm2();
  c.limits.max_queued_octets_per_link = 64 * 1024;
  auto& john = air.add("john", c);
  auto& peter = air.add("peter", c);
  auto& mary = air.add("mary", c);
  air.permit(john, peter);
  air.permit(john, mary);
  mary.kill();
  ASSERT_TRUE(air.run_until([&] { return linked(john, peter); }, 20'000));
  int refused = 0;
  for (int i = 0; i < 60; ++i)
    refused += john.mac().send(john.id_of(mary), security::sdu_type::ip, numbered(i, 1400)) ? 0 : 1;
  EXPECT_EQ(refused, 60 - 64 * 1024 / 1400);
  EXPECT_EQ(john.mac().counters().tx.sdus_refused, static_cast<std::uint64_t>(refused));
  ASSERT_TRUE(john.mac().send(john.id_of(peter), security::sdu_type::ip, numbered(7)));
  EXPECT_TRUE(air.run_until([&] { return peter.received[0].size() == 1; }, 1000));
  air.run(4000);
  EXPECT_TRUE(john.mac().has_queued_data()) << "a link that comes within the lifetime still gets it";
  air.run(2000);
  EXPECT_FALSE(john.mac().has_queued_data());
  EXPECT_EQ(john.mac().counters().tx.sdus_expired, static_cast<std::uint64_t>(60 - refused));
  mary.restart();
  ASSERT_TRUE(air.run_until([&] { return linked(john, mary); }, 60'000));
  air.run(3000);
  EXPECT_TRUE(mary.received[0].empty());
  // While a link is live, nothing expires although it takes longer than the lifetime.
  for (int i = 0; i < 40; ++i)
    ASSERT_TRUE(john.mac().send(john.id_of(mary), security::sdu_type::ip, numbered(i, 1400)));
  const auto expired = john.mac().counters().tx.sdus_expired;
  air.run(7000);
  EXPECT_EQ(john.mac().counters().tx.sdus_expired, expired);
}

TEST(simulation, in_tm4_busy_links_and_a_new_one_share_two_processes) {
  sim_air air({});
  const auto c = default_ue_config(phy::transmission_mode::tm4, 25);
  auto& john = air.add("john", c);
  std::array<sim_node*, 3> others{&air.add("mary", c), &air.add("peter", c), &air.add("ann", c)};
  for (auto* o : others) {
    air.permit(john, *o);
    o->keep_data = false;
  }
  others[2]->kill();
  const auto all_busy_for = [&](int ms) {
    std::array<std::uint64_t, 3> got{};
    for (std::size_t i = 0; i < 3; ++i) got[i] = others[i]->received_octets[0];
    for (int i = 0; i < ms / 20; ++i) {
      for (auto* o : others)
        if (linked(john, *o))
          for (int k = 0; k < 3; ++k) john.mac().send(john.id_of(*o), security::sdu_type::ip, numbered(k, 1000));
      air.run(20);
    }
    for (std::size_t i = 0; i < 3; ++i)
      got[i] = (others[i]->received_octets[0] - got[i]) * 8 / static_cast<std::uint64_t>(ms);
    return got;
  };
  ASSERT_TRUE(air.run_until([&] { return linked(john, *others[0]) && linked(john, *others[1]); }, 20'000));
  const auto two = all_busy_for(10'000);
  others[2]->restart();
  others[2]->keep_data = false;
  (void)all_busy_for(10'000);
  ASSERT_TRUE(linked(john, *others[2])) << "PC5-S gets its turn";
  const auto three = all_busy_for(10'000);
  printf("  kbit/s of two busy links: %llu, %llu; of three: %llu, %llu, %llu\n",
         static_cast<unsigned long long>(two[0]), static_cast<unsigned long long>(two[1]),
         static_cast<unsigned long long>(three[0]), static_cast<unsigned long long>(three[1]),
         static_cast<unsigned long long>(three[2]));
  EXPECT_GE(std::min(two[0], two[1]), 100U);
  EXPECT_GE(two[0] + two[1], 220U);
  for (const auto r : three) EXPECT_GE(r, 50U);
}

TEST(simulation, an_attempt_that_died_is_not_counted_with_the_next) {
  sim_air air({});
  auto passive = tm2();
  passive.auto_connect = false;
  auto& john = air.add("john", passive);
  auto& peter = air.add("peter", tm2());
  air.permit(john, peter);
  bool deaf = false;
  air.hears = [&](int from, int) { return !deaf || from != john.index(); };
  ASSERT_TRUE(air.run_until([&] { return peter.mac().counters().scheduler.blocks > 0; }, 20'000));
  deaf = true;
  air.run(40'000);
  ASSERT_EQ(peter.failed[0], 1);
  ASSERT_GT(john.mac().counters().scheduler.blocks, 0U) << "John had answered";
  deaf = false;
  ASSERT_TRUE(air.run_until([&] { return linked(john, peter); }, 60'000));
  for (auto* n : {&john, &peter})
    for (const auto& e : n->events)
      if (const auto* l = std::get_if<ev_link_established>(&e)) {
        EXPECT_LT(l->duration_ms, 5000) << n->name();
        EXPECT_LT(l->frames, 40U) << n->name();
      }
}

namespace {
/// How many of `runs` set-ups succeed, and how long they take, while somebody jams all of every other SC period but
/// discovery.
int set_ups_under_a_half_duty_jammer(time_ms spread, int runs, double& mean_s, double& worst_s) {
  int done = 0;
  mean_s = worst_s = 0;
  for (int run = 0; run < runs; ++run) {
    air_config a;
    a.seed = static_cast<std::uint64_t>(100 + run);
    sim_air air(a);
    auto c = tm2();
    c.sync.mode = time_mode::gnss;
    c.signalling_spread_ms = spread;
    auto& x = air.add("a", c);
    auto& y = air.add("b", c);
    air.permit(x, y);
    const int parity = run % 2;
    air.hears = [&air, parity](int, int) { return air.now % 40 >= 38 || air.now / 40 % 2 == parity; };
    // When they go out is random; what goes out is not: all repetitions of a request are one string of octets.
    std::map<std::pair<l2_id, l2_id>, std::set<std::string>> requests;
    air.on_air = [&](int, const subframe_transmission& t) {
      if (!t.pssch) return;
      auto pdu = std::make_unique<sl_sch_pdu>();
      if (parse(*t.pssch->block, *pdu) != sl_sch_status::ok) return;
      for (const auto& s : pdu->all())
        if (s.lcid == lcid_pc5s_unprotected)  // after the octet of RLC
          requests[{pdu->header.src, pdu->header.dst}].emplace(s.data.begin() + 1, s.data.end());
    };
    if (!air.run_until([&] { return linked(x, y); }, 60'000)) continue;
    for (const auto& [ids, octets] : requests) EXPECT_EQ(octets.size(), 1U);
    ++done;
    mean_s += static_cast<double>(air.now) / 1000;
    worst_s = std::max(worst_s, static_cast<double>(air.now) / 1000);
    for (int i = 0; i < 20; ++i) {  // the link carries data in the periods that are left
      x.mac().send(x.id_of(y), security::sdu_type::ip, numbered(i));
      air.run(70);
    }
    EXPECT_GT(y.received[0].size(), 3U);
  }
  if (done != 0) mean_s /= done;
  return done;
}
}  // namespace

TEST(simulation, jamming_every_other_period_only_delays_a_set_up) {
  constexpr int runs = 20;
  double mean = 0, worst = 0, unused = 0;
  EXPECT_EQ(set_ups_under_a_half_duty_jammer(default_ue_config(phy::transmission_mode::tm2, 25).signalling_spread_ms,
                                             runs, mean, worst),
            runs);
  EXPECT_LT(worst, 30);
  EXPECT_EQ(set_ups_under_a_half_duty_jammer(0, 4, unused, unused), 0) << "control: the jammer works";
  printf("  %d set-ups: mean %.1f s, worst %.1f s from cold start\n", runs, mean, worst);
}

TEST(simulation, tm4_repetition_survives_a_fifth_of_subframes_lost) {
  std::array<std::size_t, 3> delivered{};
  for (const int repeat : {1, 2}) {
    air_config a;
    a.loss = 0.2;
    a.seed = 77;
    sim_air air(a);
    auto c = default_ue_config(phy::transmission_mode::tm4, 25);
    c.sync.mode = time_mode::gnss;
    c.tm4.repeat = repeat;
    auto& x = air.add("a", c);
    auto& y = air.add("b", c);
    air.permit(x, y);
    ASSERT_TRUE(air.run_until([&] { return linked(x, y); }, 60'000));
    for (int i = 0; i < 200; ++i) {
      x.mac().send(x.id_of(y), security::sdu_type::ip, numbered(i, 1000));
      air.run(200);
    }
    air.run(2'000);
    delivered[repeat] = y.received[0].size();
  }
  printf("  of 200 datagrams of 1000 octets: %zu without, %zu with repetition\n", delivered[1], delivered[2]);
  EXPECT_GE(delivered[2], 194U);
  EXPECT_LT(delivered[1], delivered[2]);
}

TEST(simulation, simultaneous_requests_end_in_one_link) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    air_config a;
    a.seed = seed;
    a.loss = seed % 3 == 0 ? 0.3 : 0;
    sim_air air(a);
    auto c = tm2();
    c.sync.mode = time_mode::gnss;
    auto& x = air.add("a", c);
    auto& y = air.add("b", c);
    air.permit(x, y);
    // Both hear each other in the first discovery periods and both ask: auto_connect is on at both ends.
    ASSERT_TRUE(air.run_until([&] { return linked(x, y); }, 30'000)) << "seed " << seed;
    air.run(20'000);
    ASSERT_TRUE(linked(x, y)) << "seed " << seed;
    EXPECT_EQ(x.sec().links().links(0).size(), 1U);
    EXPECT_EQ(y.sec().links().links(0).size(), 1U);
    EXPECT_LE(x.established[1], 2);
    const auto ix = x.sec().links().links(0)[0], iy = y.sec().links().links(0)[0];
    EXPECT_NE(ix.own_role, iy.own_role) << "seed " << seed;
    EXPECT_EQ(ix.own_l2, iy.peer_l2);
    EXPECT_EQ(ix.peer_l2, iy.own_l2);
  }
}

TEST(simulation, a_ue_killed_and_restarted_gets_its_links_back) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    air_config a;
    a.seed = seed;
    sim_air air(a);
    auto& x = air.add("a", tm2());
    auto& y = air.add("b", tm2());
    auto& z = air.add("c", tm2());
    air.permit(x, y);
    air.permit(y, z);
    ASSERT_TRUE(air.run_until([&] { return linked(x, y) && linked(y, z); }, 30'000));
    y.kill();
    air.run(500 + 7000 * static_cast<std::int64_t>(seed % 4));
    y.restart();
    ASSERT_TRUE(air.run_until([&] { return linked(x, y) && linked(y, z); }, 120'000)) << "seed " << seed;
    const auto before = y.received_sdus[0];
    for (int i = 0; i < 10; ++i) {
      x.mac().send(x.id_of(y), security::sdu_type::ip, numbered(i));
      air.run(100);
    }
    EXPECT_GE(y.received_sdus[0] - before, 9U) << "seed " << seed;
  }
}

TEST(simulation, silence_loses_a_link_and_the_peer_is_found_again) {
  sim_air air({});
  auto& x = air.add("a", tm2());
  auto& y = air.add("b", tm2());
  air.permit(x, y);
  ASSERT_TRUE(air.run_until([&] { return linked(x, y); }, 30'000));
  air.hears = [](int, int) { return false; };
  air.run(45'000);
  EXPECT_EQ(x.lost[1], 1);
  EXPECT_EQ(y.lost[0], 1);
  air.hears = nullptr;
  EXPECT_TRUE(air.run_until([&] { return linked(x, y); }, 30'000));
}

}  // namespace prose::mac::test
