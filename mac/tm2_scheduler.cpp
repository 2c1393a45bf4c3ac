#include "mac/tm2_scheduler.h"

#include <algorithm>

#include "mac/random.h"

namespace prose::mac {

namespace {
constexpr int draws = 40;
/// First I_TRP and number of patterns of weight 1, 2, 4 (FDD, N_TRP = 8: table 14.1.1.1.1-1).
struct weight_class {
  int weight, first, count;
};
constexpr weight_class fdd_patterns[] = {{1, 0, 8}, {2, 8, 28}, {4, 36, 70}};
}  // namespace

tm2_scheduler::tm2_scheduler(const tm2_config& config, const phy::comm_pool& pool, security_port& security)
    : config_(config), pool_(pool), security_(security) {
  const auto& c = pool_.config();
  const auto prbs = c.data ? phy::prbs_of(c.data->prb, c.n_prb, "prb") : result<std::vector<int>>(std::vector<int>());
  pool_prbs_ = c.data ? (prbs ? static_cast<int>(prbs->size()) : 0) : c.n_prb;
  for (int n = 1; n <= std::min(config_.max_prb, pool_prbs_); ++n)
    if (phy::largest_235(n) == n && static_cast<std::size_t>(octets_of(n)) >= min_block_octets)
      allocations_.push_back(n);
}

int tm2_scheduler::octets_of(int n_prb) const {
  const auto t = phy::pssch_transport(phy::transmission_mode::tm2, config_.mcs, n_prb);
  return t ? t->tbs / 8 : 0;
}

std::size_t tm2_scheduler::block_capacity() const {
  return allocations_.empty() ? 0 : static_cast<std::size_t>(octets_of(allocations_.back()));
}

std::size_t tm2_scheduler::period_capacity() const {
  const auto blocks = pool_.pssch_subframes().size() / 2 / 4;
  return std::max<std::size_t>(blocks, 1) * block_capacity();
}

void tm2_scheduler::choose(tx_flows& flows, time_ms now) {
  flows.prepare(period_capacity(), now);
  int weight_left = config_.max_pattern_weight;
  auto waiting = flows.waiting();
  const int n = std::min(static_cast<int>(waiting.size()), config_.max_grants_per_period);
  for (int i = 0; i < n && weight_left > 0; ++i) {
    // What later grants need at least is kept back.
    const int keep = std::max(0, std::min(n - i - 1, weight_left - 2)) * 2;
    int weight = 0;
    if (choose_one(*waiting[i], flows.backlog(*waiting[i]), std::max(weight_left - keep, 1), weight))
      weight_left -= weight;
  }
}

bool tm2_scheduler::choose_one(const tx_flow& f, std::size_t backlog, int weight_left, int& weight) {
  if (allocations_.empty() || pool_.n_pscch_resources() == 0) return false;
  ++counters_.selections;
  auto random = for_one_decision(security_.random(security::stream_purpose::grants, f.peer));
  const std::size_t needed = backlog + 24;  // headers of a block
  int n_prb = allocations_.back();
  for (const int a : allocations_)
    if (static_cast<std::size_t>(octets_of(a)) >= needed) {
      n_prb = a;
      break;
    }
  const int octets = octets_of(n_prb);
  const int blocks_wanted =
      static_cast<int>((needed + static_cast<std::size_t>(octets) - 1) / static_cast<std::size_t>(octets));

  grant g;
  g.src = f.src;
  g.dst = f.dst;
  g.tbs_octets = octets;
  // The heaviest pattern that the limit admits: with k_TRP = 4 two UEs that transmit in the same eight subframes are
  // deaf to each other in all four transmissions of a block with 1 of 70, with k_TRP = 2 (two turns of the pattern)
  // with 1 of 28, and a pair of unequal patterns fares worse still. Blocks that are not needed are not sent.
  int best = -1, best_blocks = 0;
  for (auto at = std::rbegin(fdd_patterns); at != std::rend(fdd_patterns); ++at) {
    const auto& w = *at;
    if (w.weight > weight_left) continue;
    for (int i = 0; i < draws; ++i) {
      const int trp = w.first + below(random, w.count);
      const int blocks = pool_.n_pssch_transmissions(trp) / 4;
      if (std::min(blocks, blocks_wanted) <= std::min(best_blocks, blocks_wanted)) continue;
      bool free = true;
      for (int t = 0; t < blocks * 4 && free; ++t) free = taken_[pool_.pssch_subframe(trp, t)] == 0;
      // Part of a pattern may fall on an own SLSS; that costs one repetition of one block and is taken last.
      if (!free && i < draws / 2) continue;
      if (!free && !grants_.empty()) continue;
      best = trp;
      best_blocks = blocks;
      weight = w.weight;
    }
    if (best >= 0) break;
  }
  if (best < 0) return false;
  // TS 36.213 14.2.1.2: n uniform; here among those that meet no other own transmission.
  bool placed = false;
  int resource = 0;
  for (int i = 0; i < draws && !placed; ++i) {
    resource = below(random, pool_.n_pscch_resources());
    g.pscch = {pool_.pscch_resource(resource, 0), pool_.pscch_resource(resource, 1)};
    placed = taken_[g.pscch[0].subframe] == 0 && taken_[g.pscch[1].subframe] == 0;
  }
  if (!placed) return false;
  // Uniform over places side by side: blocks of equal size then meet wholly or not at all.
  const int places = pool_prbs_ / n_prb;
  const int spare = pool_prbs_ - places * n_prb;
  const int start = below(random, places) * n_prb + (places == 1 ? below(random, spare + 1) : 0);
  g.sci.resource_block_assignment = static_cast<std::uint16_t>(phy::riv_encode(pool_.config().n_prb, start, n_prb));
  g.sci.time_resource_pattern = static_cast<std::uint8_t>(best);
  g.sci.mcs = static_cast<std::uint8_t>(config_.mcs);
  g.sci.group_destination_id = static_cast<std::uint8_t>(f.dst);
  for (const auto& p : g.pscch) taken_[p.subframe] = 1;
  for (int t = 0; t < best_blocks * 4; ++t) {
    g.subframes.push_back(pool_.pssch_subframe(best, t));
    taken_[g.subframes.back()] = 1;
  }
  grants_.push_back(std::move(g));
  ++counters_.grants;
  return true;
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
    const auto transmission = (at - g.subframes.begin()) % 4;
    if (transmission == 0) {
      g.block.reset();
      auto octets = std::make_shared<std::vector<std::uint8_t>>(static_cast<std::size_t>(g.tbs_octets));
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
