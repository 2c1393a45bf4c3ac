// Does the place of a discovery message tell whose it is? Two UEs with a link between them announce for hours of
// simulated time; a linker sees every message with its resource and must say which of the two announcers of one slot is
// which of the next (TR 33.836 KI#1).
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "mac/default_pools.h"
#include "tests/mac/sim_air.h"

using namespace prose;
using namespace prose::mac;
using namespace prose::mac::test;

namespace {

struct sighting {
  std::int64_t period;  ///< first subframe of the discovery period
  std::int64_t slot;    ///< of the code, told by the counter LSB that every message carries
  int node;
  int resource;  ///< of the pool
};

std::vector<sighting> watch(phy::transmission_mode tm, std::uint64_t seed, std::int64_t subframes) {
  air_config a;
  a.seed = seed;
  sim_air air(a);
  const auto c = default_ue_config(tm, 25);
  auto& john = air.add("john", c);
  auto& peter = air.add("peter", c);
  air.permit(john, peter);
  const auto pool = *phy::discovery_pool::make(c.discovery);
  std::vector<sighting> out;
  air.run(2000);
  air.on_air = [&](int node, const subframe_transmission& t) {
    if (!t.psdch) return;
    auto slot = static_cast<std::int64_t>(air.slot_of(john));
    while (slot % 256 != t.psdch->message[28]) --slot;
    for (int i = 0; i < pool.n_candidates(t.absolute_subframe); ++i) {
      const auto k = pool.candidate_at(t.absolute_subframe, i);
      if (k.config.prb == t.psdch->config.prb)
        out.push_back({t.subframe - pool.locate(t.absolute_subframe)->offset, slot, node, k.n});
    }
  };
  air.run(subframes);
  return out;
}

struct score {
  std::size_t hits = 0, n = 0;
  std::size_t ties = 0;
  void judge(double same, double other) {
    ++n;
    if (same == other)
      hits += ties++ % 2;
    else
      hits += same > other;
  }
  /// Standard deviations from chance.
  double z() const {
    return (static_cast<double>(hits) - 0.5 * static_cast<double>(n)) / std::sqrt(0.25 * static_cast<double>(n));
  }
};

/// Places used by each of the two in consecutive rotations or periods.
using intervals = std::map<std::int64_t, std::array<std::vector<int>, 2>>;
template <class F>
intervals cut(const std::vector<sighting>& all, F&& key) {
  intervals out;
  for (const auto& s : all) out[key(s)][s.node].push_back(s.resource);
  return out;
}

double in_common(const std::vector<int>& a, const std::vector<int>& b, int modulo = 1 << 20, int divide = 1) {
  int n = 0;
  for (const int x : a)
    for (const int y : b) n += (x / divide) % modulo == (y / divide) % modulo;
  return n;
}

/// Same places, same subframes, same PRBs, as many messages, nearest mean place. Resource n is pair n / n_t of subframe
/// n mod n_t.
void link(const intervals& all, int n_t, const std::string& suffix, std::map<std::string, score>& out) {
  for (const auto& [at, x] : all) {
    const auto next = all.find(at + 1);
    if (next == all.end()) continue;
    for (std::size_t k = 0; k < 2; ++k) {
      const auto &a = x[k], &same = next->second[k], &other = next->second[1 - k];
      if (a.empty() || same.empty() || other.empty()) continue;
      out["places" + suffix].judge(in_common(a, same), in_common(a, other));
      out["subframes" + suffix].judge(in_common(a, same, n_t), in_common(a, other, n_t));
      out["PRBs" + suffix].judge(in_common(a, same, 1 << 20, n_t), in_common(a, other, 1 << 20, n_t));
      const auto size = [](const auto& v) { return static_cast<double>(v.size()); };
      out["number" + suffix].judge(-std::abs(size(a) - size(same)), -std::abs(size(a) - size(other)));
      const auto mean = [&](const std::vector<int>& v) {
        double sum = 0;
        for (const int r : v) sum += r;
        return sum / size(v);
      };
      out["mean place" + suffix].judge(-std::abs(mean(a) - mean(same)), -std::abs(mean(a) - mean(other)));
    }
  }
}
intervals by_rotation(const std::vector<sighting>& all) {
  return cut(all, [](const sighting& s) { return s.slot; });
}
intervals by_period(const std::vector<sighting>& all) {
  return cut(all, [](const sighting& s) { return s.period / 320; });
}

}  // namespace

class discovery_places : public testing::TestWithParam<phy::transmission_mode> {};

TEST_P(discovery_places, tell_no_linker_whose_a_message_is) {
  const auto pool = *phy::discovery_pool::make(default_ue_config(GetParam(), 25).discovery);
  std::map<std::string, score> total;
  std::map<std::string, score> sticky;
  std::vector<double> used(static_cast<std::size_t>(pool.n_resources()));
  double again = 0, again_expected = 0;
  for (const std::uint64_t seed : {1, 2, 3}) {
    auto all = watch(GetParam(), seed, 2'000'000);
    const auto periods = by_period(all);
    link(by_rotation(all), pool.n_time(), " from rotation to rotation", total);
    link(periods, pool.n_time(), " from period to period", total);
    for (const auto& s : all) ++used[s.resource];
    for (const auto& [at, x] : periods)
      if (const auto next = periods.find(at + 1); next != periods.end())
        for (std::size_t k = 0; k < 2; ++k) {
          again += in_common(x[k], next->second[k]);
          again_expected += static_cast<double>(x[k].size() * next->second[k].size()) / pool.n_resources();
        }
    // The control: a UE that keeps the place of one message in ten from the period before.
    for (int node = 0; node < 2; ++node) {
      int kept = 0, n = 0;
      for (auto& s : all)
        if (s.node == node && n++ % 10 == 0) {
          if (n > 1) s.resource = kept;
          kept = s.resource;
        }
    }
    link(by_rotation(all), pool.n_time(), " from rotation to rotation", sticky);
  }
  for (const auto& [what, s] : total) {
    printf("  linker by %s: %zu of %zu (%.4f), %+.1f standard deviations, %zu ties\n", what.c_str(), s.hits, s.n,
           static_cast<double>(s.hits) / static_cast<double>(s.n), s.z(), s.ties);
    EXPECT_GE(s.n, 10'000U) << what;
    EXPECT_LE(std::abs(s.z()), 4) << what;
  }
  const auto& control = sticky["places from rotation to rotation"];
  printf("  control, one message in ten stays where it was: %zu of %zu, %+.1f standard deviations\n", control.hits,
         control.n, control.z());
  EXPECT_GE(control.z(), 10);
  double sum = 0, chi2 = 0;
  for (const double n : used) sum += n;
  const double mean = sum / pool.n_resources(), freedom = pool.n_resources() - 1;
  for (const double n : used) chi2 += (n - mean) * (n - mean) / mean;
  printf(
      "  %.0f messages over %d resources: chi^2 %.0f for %.0f degrees of freedom; %.0f places kept from a period to "
      "the next, %.0f by chance\n",
      sum, pool.n_resources(), chi2, freedom, again, again_expected);
  EXPECT_LE(std::abs(chi2 - freedom), 4 * std::sqrt(2 * freedom)) << "each resource equally often";
  EXPECT_LE(std::abs(again - again_expected), 4 * std::sqrt(again_expected)) << "independent from period to period";
}
INSTANTIATE_TEST_SUITE_P(modes, discovery_places,
                         testing::Values(phy::transmission_mode::tm2, phy::transmission_mode::tm4),
                         [](const auto& i) { return "tm" + std::to_string(static_cast<int>(i.param)); });

namespace {
/// Every place that an SCI of one UE reserved, and which flow its next transmission there belonged to.
struct reservations {
  std::uint64_t reserved = 0, same_flow = 0, new_ids = 0, other_link = 0, announced_none = 0;
};

reservations watch_reservations(std::uint64_t seed, int processes, double keep, std::uint64_t& epochs) {
  air_config a;
  a.seed = seed;
  sim_air air(a);
  auto c = default_ue_config(phy::transmission_mode::tm4, 25);
  c.tm4.max_processes = processes;
  c.tm4.prob_resource_keep = keep;
  security::ue_config s;
  s.links.epochs.min_ms = 1000, s.links.epochs.max_ms = 2000;
  auto& mary = air.add("mary", c, s);
  auto& john = air.add("john", c, s);
  auto& peter = air.add("peter", c, s);
  air.permit(mary, john);
  air.permit(john, peter);
  const auto pool = *phy::v2x_pool::make(c.v2x);
  struct user {
    std::uint32_t src, dst;
    bool operator==(const user&) const = default;
  };
  std::map<std::uint32_t, int> link_of;  // of John's own L2 IDs: the peer
  std::map<std::tuple<int, std::int64_t, int>, user> reserved;
  struct crossing {
    user before, after;
  };
  std::vector<crossing> crossings;
  reservations r;
  auto pdu = std::make_unique<sl_sch_pdu>();
  air.on_air = [&](int node, const subframe_transmission& t) {
    if (!t.pssch) return;
    ASSERT_EQ(parse(*t.pssch->block, *pdu), sl_sch_status::ok);
    const user u{pdu->header.src, pdu->header.dst};
    const std::int64_t cycle = (t.subframe - t.absolute_subframe + 1000 * dfn_subframes) / dfn_subframes;
    const std::int64_t k = cycle * pool.set_size() + pool.index_of(t.absolute_subframe);
    const int prb = t.pscch->config.prb;
    if (const auto x = reserved.find({node, k, prb}); x != reserved.end()) {
      if (x->second == u)
        ++r.same_flow;
      else
        crossings.push_back({x->second, u});
      reserved.erase(x);
    }
    const auto& sci = std::get<phy::sci_format1>(t.pscch->sci);
    if (sci.resource_reservation == 0) {
      ++r.announced_none;
      return;
    }
    ++r.reserved;
    reserved[{node, k + c.tm4.reservation_period_ms, prb}] = u;
    std::erase_if(reserved, [&](const auto& x) { return std::get<1>(x.first) < k - 100; });
  };
  EXPECT_TRUE(air.run_until([&] { return john.established.size() == 2; }, 30'000));
  std::mt19937 rng(static_cast<unsigned>(seed));
  for (int i = 0; i < 3000; ++i) {
    for (const auto& [x, y] : {std::pair{&mary, &john}, {&john, &mary}, {&john, &peter}, {&peter, &john}})
      if (rng() % 3 != 0)
        x->mac().send(x->id_of(*y), security::sdu_type::ip, std::vector<std::uint8_t>(20 + rng() % 300, 1));
    // Which link an ID belongs to, for the two kinds of crossing.
    for (auto* peer : {&mary, &peter})
      if (const auto l = john.sec().links().link_with(john.id_of(*peer)))
        if (const auto info = john.sec().links().info(*l, 0)) link_of[info->own_l2] = peer->index();
    air.run(20 + static_cast<std::int64_t>(rng() % 40));
  }
  for (const auto& x : crossings) {
    const auto before = link_of.find(x.before.src), after = link_of.find(x.after.src);
    const bool both = before != link_of.end() && after != link_of.end();
    ++(both && before->second != after->second ? r.other_link : r.new_ids);
  }
  for (const auto& n : air.nodes())
    for (const auto& [peer, k] : n.epochs) epochs += static_cast<std::uint64_t>(k);
  return r;
}
}  // namespace

TEST(tm4_reservations, are_used_by_the_flow_that_made_them_only) {
  for (const auto& [processes, keep] : {std::pair{2, 0.4}, {2, 0.8}, {1, 0.0}, {4, 0.4}}) {
    reservations sum;
    std::uint64_t epochs = 0;
    for (const std::uint64_t seed : {1, 2, 3}) {
      const auto r = watch_reservations(seed, processes, keep, epochs);
      sum.reserved += r.reserved, sum.same_flow += r.same_flow, sum.new_ids += r.new_ids,
          sum.other_link += r.other_link;
      sum.announced_none += r.announced_none;
    }
    printf(
        "  %d processes, probResourceKeep %.1f: %llu epochs, %llu reserved places: %llu used by their flow, %llu under "
        "other identifiers, %llu by another link; "
        "%llu transmissions reserved none\n",
        processes, keep, static_cast<unsigned long long>(epochs), static_cast<unsigned long long>(sum.reserved),
        static_cast<unsigned long long>(sum.same_flow), static_cast<unsigned long long>(sum.new_ids),
        static_cast<unsigned long long>(sum.other_link), static_cast<unsigned long long>(sum.announced_none));
    EXPECT_GE(epochs, 500U);
    EXPECT_GE(sum.same_flow, 10'000U) << "control: the linker sees reservations and their use";
    EXPECT_EQ(sum.new_ids, 0U);
    EXPECT_EQ(sum.other_link, 0U);
  }
}
