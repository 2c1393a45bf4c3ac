#include "phy/modem/unannounced.h"

#include <algorithm>

#include "phy/types/subframe_set.h"
#include "phy/types/tbs.h"

namespace prose::phy {
namespace {

/// A group that was not heard for one period of DFN is forgotten. Chosen, not derived.
constexpr std::int64_t memory_subframes = n_absolute_subframes;
/// Power over that of the neighbour or of the quietest PRB that makes an edge (6 dB): more than fading makes within an
/// allocation. Chosen, not derived.
constexpr double step = 4.0;
/// Below this share of the strongest PRB's power (-40 dB) there is only leakage. Chosen, not derived.
constexpr double below_strongest = 1e-4;
/// The quietest PRB may rise by half in 400 subframes: a carrier that is full for a while must not pass for noise.
constexpr double forgetting = 1.001;
/// Limits of the work in one subframe. Chosen, not derived.
constexpr std::size_t most_edges = 6;
constexpr std::size_t most_candidates = 512;

}  // namespace

unannounced_search::unannounced_search(const carrier_config& carrier)
    : carrier_(carrier), explained_(carrier.n_prb), power_(carrier.n_prb) {
  found_.reserve(most_candidates);
}

void unannounced_search::learn(const pssch_config& c, int mcs, std::int64_t index) {
  group* slot = &groups_[0];
  for (group& g : groups_) {
    if (g.mcs == mcs && g.n_x_id == c.n_x_id && g.n_prb == c.n_prb) {
      slot = &g;
      break;
    }
    if (slot->mcs >= 0 && (g.mcs < 0 || g.last_index < slot->last_index)) slot = &g;
  }
  *slot = {c.n_x_id, mcs, c.n_prb, index};
}

void unannounced_search::begin_subframe() { std::ranges::fill(explained_, std::uint8_t{0}); }

void unannounced_search::explain(const pssch_config& c) {
  std::fill_n(explained_.begin() + c.prb_start, c.n_prb, std::uint8_t{1});
}

// In the symbols that carry PSSCH with either prefix.
void unannounced_search::measure(const subframe_view& sf) {
  const resource_grid& g = sf.rx.grid(0);
  double least = 1e300;
  for (int p = 0; p < carrier_.n_prb; ++p) {
    double sum = 0;
    for (int l = 1; l < g.n_symbols() - 1; ++l)
      for (const cf32& y : g.symbol(l).subspan(p * subcarriers_per_prb, subcarriers_per_prb)) sum += std::norm(y);
    power_[p] = sum;
    least = std::min(least, sum);
  }
  quietest_ = quietest_ == 0 ? least : std::min(least, quietest_ * forgetting);
}

std::span<const unannounced_search::candidate> unannounced_search::candidates(const subframe_view& sf,
                                                                              std::span<const int> pool, int n_ssf) {
  found_.clear();
  if (std::ranges::none_of(groups_,
                           [&](const group& g) { return g.mcs >= 0 && sf.index - g.last_index < memory_subframes; }))
    return {};
  measure(sf);
  // An allocation begins where power rises from the neighbour below and ends where it falls to the neighbour above.
  // Next to explained PRBs and at a border of the pool an edge is possible anywhere.
  const double floor = std::max(step * quietest_, below_strongest * *std::ranges::max_element(power_));
  std::array<int, most_edges> starts{}, ends{};
  std::size_t n_starts = 0, n_ends = 0;
  for (std::size_t i = 0; i < pool.size(); ++i) {
    const double here = power_[pool[i]];
    if (explained_[pool[i]] != 0 || here < floor) continue;
    const auto edge = [&](bool border, int neighbour) {
      if (border || explained_[neighbour] != 0) return true;
      return here > step * power_[neighbour];
    };
    const bool first = i == 0 || pool[i - 1] != pool[i] - 1, last = i + 1 == pool.size() || pool[i + 1] != pool[i] + 1;
    if (n_starts < most_edges && edge(first, pool[i] - 1)) starts[n_starts++] = pool[i];
    if (n_ends < most_edges && edge(last, pool[i] + 1)) ends[n_ends++] = pool[i] + 1;
  }
  // An allocation lies between two edges. Neighbours of like power show no edge between them, so the group's last size
  // is tried at a single edge as well.
  for (const group& g : groups_) {
    if (g.mcs < 0 || sf.index - g.last_index >= memory_subframes) continue;
    for (std::size_t a = 0; a < n_starts; ++a) {
      for (std::size_t b = 0; b < n_ends; ++b) add(g, starts[a], ends[b] - starts[a], n_ssf);
      if (starts[a] + g.n_prb <= pool.back() + 1) add(g, starts[a], g.n_prb, n_ssf);
    }
    for (std::size_t b = 0; b < n_ends; ++b)
      if (ends[b] - g.n_prb >= pool.front()) add(g, ends[b] - g.n_prb, g.n_prb, n_ssf);
  }
  return found_;
}

void unannounced_search::add(const group& g, int start, int n_prb, int n_ssf) {
  if (n_prb < 1 || !is_235(n_prb) || found_.size() == most_candidates) return;
  const auto first = explained_.begin() + start;
  if (std::any_of(first, first + n_prb, [](std::uint8_t x) { return x != 0; })) return;
  const auto transport = pssch_transport(carrier_.tm, g.mcs, n_prb);
  if (!transport) return;
  const candidate c{{.prb_start = start,
                     .n_prb = n_prb,
                     .tbs = transport->tbs,
                     .modulation_order = transport->modulation_order,
                     .n_x_id = g.n_x_id,
                     .n_ssf = n_ssf},
                    g.mcs};
  if (std::ranges::none_of(found_,
                           [&](const candidate& other) { return other.mcs == c.mcs && other.config == c.config; }))
    found_.push_back(c);
}

}  // namespace prose::phy
