// What link cover costs: airtime, energy of the transmitter, delay and throughput over the number of flows and the
// rate. Simulated time, John and one peer without cover. PROSE_COVER_COST=all: all rows, else one a mode.
// scripts/cover_cost makes tables and a plot of the lines that begin with COST.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "mac/default_pools.h"
#include "tests/mac/sim_air.h"

using namespace prose;
using namespace prose::mac;
using namespace prose::mac::test;

namespace {

struct row {
  phy::transmission_mode tm;
  int flows, interval_ms;
};
struct cost {
  double airtime_ms_per_s = 0, delay_ms = 0, delay_95_ms = 0, octets_per_s = 0, link_s = 0;
  int delivered = 0;
};
constexpr int packets = 40;

cost measure(const row& r) {
  sim_air air({.seed = 17});
  cover_config c;
  c.flows = r.flows;
  c.interval_ms = r.interval_ms;
  c.round_s = 30;
  auto& john = air.add("john", default_ue_config(r.tm, 25), {}, c);
  auto& peter = air.add("peter", default_ue_config(r.tm, 25), {}, cover_config{});
  air.permit(john, peter);
  cost out;
  const auto placed = [&] {
    if (r.flows == 0) return john.sec().links().link_with(john.id_of(peter)).has_value();
    const auto places = john.cover()->status();
    return std::any_of(places.begin(), places.end(), [](const auto& p) { return p.peer != 0; });
  };
  air.run(3000);
  EXPECT_TRUE(air.run_until(placed, 120'000));
  out.link_s = static_cast<double>(air.now) / 1000;
  int sent = 0;
  air.on_air = [&](int node, const subframe_transmission& t) { sent += node == john.index() && (t.pscch || t.pssch); };
  // Packets of 60 octets, one after the other, over rounds. What takes longer than this counts as not delivered.
  const std::int64_t longest = 1500 + (r.flows > 0 ? 2 * r.interval_ms : 0);
  std::vector<double> delays;
  const auto from = air.now;
  for (int i = 0; i < packets; ++i) {
    const auto before = peter.received_sdus[john.index()];
    const auto at = air.now;
    (void)john.mac().send(john.id_of(peter), security::sdu_type::ip, std::vector<std::uint8_t>(60, 1));
    for (; air.now < at + longest; air.run(5))
      if (peter.received_sdus[john.index()] > before && std::ssize(delays) == out.delivered) {
        delays.push_back(static_cast<double>(air.now - at));
        ++out.delivered;
        air.run(at + longest - air.now);
        break;
      }
    air.run(37 + i % 7);
  }
  out.airtime_ms_per_s = sent * 1000.0 / static_cast<double>(air.now - from);
  std::sort(delays.begin(), delays.end());
  for (const double d : delays) out.delay_ms += d / static_cast<double>(delays.size());
  if (!delays.empty()) out.delay_95_ms = delays[delays.size() * 95 / 100];
  // As much as goes through in a round.
  air.run(3000);
  const auto before = peter.received_octets[john.index()];
  for (const auto end = air.now + 30'000; air.now < end; air.run(20))
    while (john.mac().has_room(john.id_of(peter), 500) &&
           john.mac().send(john.id_of(peter), security::sdu_type::ip, std::vector<std::uint8_t>(500, 1))) {
    }
  out.octets_per_s = static_cast<double>(peter.received_octets[john.index()] - before) / 30;
  return out;
}

void report(const row& r) {
  const auto c = measure(r);
  std::printf("COST %d %d %d %.1f %.0f %.0f %.0f %.1f %d\n", static_cast<int>(r.tm), r.flows, r.interval_ms,
              c.airtime_ms_per_s, c.delay_ms, c.delay_95_ms, c.octets_per_s, c.link_s, c.delivered);
  EXPECT_GE(c.delivered, packets * 6 / 10) << r.flows << " flows, " << r.interval_ms << " ms";
  EXPECT_GT(c.octets_per_s, 0);
}

}  // namespace

TEST(cover_cost, curves) {
  const char* wanted = std::getenv("PROSE_COVER_COST");
  const bool all = wanted != nullptr && std::string(wanted) == "all";
  std::printf("COST tm flows interval_ms airtime_ms_per_s delay_ms delay_95_ms octets_per_s link_s delivered_of_%d\n",
              packets);
  for (const auto tm : {phy::transmission_mode::tm2, phy::transmission_mode::tm4}) {
    report({tm, 0, 500});
    for (const int flows : {1, 2, 4, 8})
      for (const int interval : {200, 500, 1000, 2000}) {
        if (interval < flows * (tm == phy::transmission_mode::tm2 ? 80 : 100)) continue;
        if (all || (flows == 4 && interval == 500)) report({tm, flows, interval});
      }
  }
}
