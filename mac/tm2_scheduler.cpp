#include "mac/tm2_scheduler.h"

#include <algorithm>

#include "mac/random.h"

namespace prose::mac {

namespace {
/// Draws of a pattern or a place before the grant is given up. In the first half, patterns that meet an own
/// transmission are refused; 20 draws leave a free pattern unseen with 1e-6 where half of the patterns are free.
constexpr int draws = 40;
/// TS 36.213 14.1.1.1: a transport block takes four subframes of the pool, one for each redundancy version.
constexpr int transmissions_a_block = std::ssize(phy::rv_order);
/// First I_TRP and number of patterns of weight 1, 2, 4 (FDD, N_TRP = 8: table 14.1.1.1.1-1).
struct weight_class {
  int weight, first, count;
};
constexpr weight_class fdd_patterns[] = {{1, 0, 8}, {2, 8, 28}, {4, 36, 70}};
}  // namespace

tm2_scheduler::tm2_scheduler(const tm2_config& config, const phy::comm_pool& pool, security_port& security)
    : config_(config), pool_(pool), security_(security) {
  const auto prbs = pool_.pssch_prbs();
  int longest = 0;
  for (int i = 0; i < std::ssize(prbs); ++i) {
    if (i == 0 || prbs[i] != prbs[i - 1] + 1) runs_.push_back({i, 0});
    longest = std::max(longest, ++runs_.back().length);
  }
  for (int n = 1; n <= std::min(config_.max_prb, longest); ++n)
    if (phy::largest_235(n) == n && octets_of(n) >= min_block_octets) allocations_.push_back(n);
}

std::size_t tm2_scheduler::octets_of(int n_prb) const {
  const auto t = phy::pssch_transport(phy::transmission_mode::tm2, config_.mcs, n_prb);
  return t ? t->tbs / 8 : 0;
}

std::size_t tm2_scheduler::block_capacity() const { return allocations_.empty() ? 0 : octets_of(allocations_.back()); }

std::size_t tm2_scheduler::period_capacity() const {
  const auto blocks = pool_.pssch_subframes().size() / 2 / transmissions_a_block;  // k_TRP is 4 of 8 at most
  return std::max<std::size_t>(blocks, 1) * block_capacity();
}

void tm2_scheduler::choose(tx_flows& flows, time_ms now) {
  flows.prepare(period_capacity(), now);
  int weight_left = config_.max_pattern_weight;
  auto waiting = flows.waiting();
  const int n = std::min(static_cast<int>(waiting.size()), config_.max_grants_per_period);
  for (int i = 0; i < n && weight_left > 0; ++i) {
    // A weight of 2 is kept back for each later grant.
    const int keep = std::max(0, std::min(n - i - 1, weight_left - 2)) * 2;
    weight_left -= choose_one(*waiting[i], flows.backlog(*waiting[i]), std::max(weight_left - keep, 1));
  }
}

int tm2_scheduler::choose_one(const tx_flow& f, std::size_t backlog, int weight_left) {
  if (allocations_.empty() || pool_.n_pscch_resources() == 0) return 0;
  ++counters_.selections;
  auto random = for_one_decision(security_.random(security::stream_purpose::grants, f.peer));
  const std::size_t needed = backlog + block_header_octets;
  const auto smallest =
      std::find_if(allocations_.begin(), allocations_.end(), [&](int n_prb) { return octets_of(n_prb) >= needed; });
  const int n_prb = smallest != allocations_.end() ? *smallest : allocations_.back();

  grant g;
  g.src = f.src;
  g.dst = f.dst;
  g.tbs_octets = octets_of(n_prb);
  const std::size_t blocks_wanted = (needed + g.tbs_octets - 1) / g.tbs_octets;
  const auto chosen = choose_pattern(static_cast<int>(blocks_wanted), weight_left, random);
  if (!chosen || !place_pscch(g, random)) return 0;
  const int start = place_prbs(n_prb, random);
  g.sci.resource_block_assignment = static_cast<std::uint16_t>(phy::riv_encode(pool_.config().n_prb, start, n_prb));
  g.sci.time_resource_pattern = static_cast<std::uint8_t>(chosen->trp);
  g.sci.mcs = static_cast<std::uint8_t>(config_.mcs);
  g.sci.group_destination_id = static_cast<std::uint8_t>(f.dst);
  for (const auto& p : g.pscch) taken_[p.subframe] = 1;
  for (int t = 0; t < chosen->blocks * transmissions_a_block; ++t) {
    g.subframes.push_back(pool_.pssch_subframe(chosen->trp, t));
    taken_[g.subframes.back()] = 1;
  }
  grants_.push_back(std::move(g));
  ++counters_.grants;
  return chosen->weight;
}

// The heaviest pattern that the limit admits. With k_TRP = 4 two UEs that transmit in the same eight subframes miss
// each other in all four transmissions of a block with probability 1/70; with k_TRP = 2 (two turns of the pattern) with
// 1/28, and a pair of unequal patterns fares worse still. Blocks that are not needed are not sent.
std::optional<tm2_scheduler::pattern> tm2_scheduler::choose_pattern(int blocks_wanted, int weight_left,
                                                                    security::random_port& random) const {
  for (auto w = std::rbegin(fdd_patterns); w != std::rend(fdd_patterns); ++w) {
    if (w->weight > weight_left) continue;
    std::optional<pattern> best;
    for (int i = 0; i < draws; ++i) {
      pattern p{w->first + below(random, w->count), 0, w->weight};
      p.blocks = pool_.n_pssch_transmissions(p.trp) / transmissions_a_block;
      if (std::min(p.blocks, blocks_wanted) <= std::min(best ? best->blocks : 0, blocks_wanted)) continue;
      // Part of a pattern may fall on an own SLSS. That costs one transmission of one block, and is taken last.
      if (meets_own_transmission(p) && (i < draws / 2 || !grants_.empty())) continue;
      best = p;
    }
    if (best) return best;
  }
  return std::nullopt;
}

bool tm2_scheduler::meets_own_transmission(const pattern& p) const {
  for (int t = 0; t < p.blocks * transmissions_a_block; ++t)
    if (taken_[pool_.pssch_subframe(p.trp, t)] != 0) return true;
  return false;
}

// TS 36.213 14.2.1.2: n uniform; here among those that meet no other own transmission.
bool tm2_scheduler::place_pscch(grant& g, security::random_port& random) const {
  for (int i = 0; i < draws; ++i) {
    const int resource = below(random, pool_.n_pscch_resources());
    g.pscch = {pool_.pscch_resource(resource, 0), pool_.pscch_resource(resource, 1)};
    if (taken_[g.pscch[0].subframe] == 0 && taken_[g.pscch[1].subframe] == 0) return true;
  }
  return false;
}

// The first PRB, uniform over places side by side: blocks of equal size then meet wholly or not at all.
int tm2_scheduler::place_prbs(int n_prb, security::random_port& random) const {
  int places = 0;
  for (const auto& r : runs_) places += r.length / n_prb;
  int place = below(random, places);
  for (const auto& r : runs_) {
    const int here = r.length / n_prb;
    if (place >= here) {
      place -= here;
      continue;
    }
    const int start = r.first + place * n_prb;
    return places == 1 ? start + below(random, r.length - n_prb + 1) : start;
  }
  return 0;  // not reached: an allocation fits the longest run
}

void tm2_scheduler::fill(int offset, int absolute, tx_flows& flows, time_ms now, subframe_transmission& out) {
  for (auto& g : grants_) {
    for (const auto& p : g.pscch)
      if (p.subframe == offset) {
        out.pscch = pscch_transmission{{p.prb, 0}, g.sci};
        ++counters_.pscch;
        return;
      }
    const auto at = std::find(g.subframes.begin(), g.subframes.end(), offset);
    if (at == g.subframes.end()) continue;
    const auto transmission = (at - g.subframes.begin()) % transmissions_a_block;
    if (transmission == 0) {
      g.block.reset();
      auto octets = std::make_shared<std::vector<std::uint8_t>>(g.tbs_octets);
      if (tx_flow* f = flows.find(g.src, g.dst);
          f != nullptr && flows.build(*f, sl_sch_version::unicast, *octets, now)) {
        g.block = std::move(octets);
        ++counters_.blocks;
      }
    }
    if (!g.block) {
      ++counters_.unused;
      return;
    }
    const auto occasion = pool_.pssch_at(g.sci, absolute);
    if (!occasion) return;
    auto config = occasion->config;
    config.rv = phy::rv_order[occasion->transmission];
    out.pssch = pssch_transmission{config, g.block};
    ++counters_.pssch;
    return;
  }
}

}  // namespace prose::mac
