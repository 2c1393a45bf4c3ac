#include "phy/modem/reception/psdch_combiner.h"

#include <algorithm>
#include <utility>

#include "phy/modem/band_watch.h"
#include "phy/modem/reception/thresholds.h"

namespace prose::phy {
namespace {
/// Chosen, not derived: more transmitters than a period's messages are likely to come from.
constexpr std::size_t n_resources_kept = 128;
/// A signal is in the resource if its DMRS metric is so many times the least. Chosen, not derived.
constexpr float present_over_least = 2;
}  // namespace

psdch_combiner::psdch_combiner(discovery_pool pool) : pool_(std::move(pool)) {
  if (pool_.n_transmissions() > 1) resources_.resize(n_resources_kept);
}

int psdch_combiner::examine(const subframe_view& sf) {
  int n = 0;
  const int candidates = pool_.n_candidates(sf.absolute);
  for (int i = 0; i < candidates; ++i) n += receive(sf, pool_.candidate_at(sf.absolute, i)) ? 1 : 0;
  return n;
}

void psdch_combiner::forget() {
  for (resource& r : resources_) r.used = false;
}

void psdch_combiner::count(const subframe_view& sf, int prb, float metric, bool decoded) const {
  // Power that another channel explains is not this one's. If the power is not known, only clear DMRS count.
  const bool there = sf.watch != nullptr ? sf.watch->occupied(prb, 2) && !sf.watch->touched(prb, 2)
                                         : metric >= present_over_least * least_psdch_metric;
  if (decoded || there) ++sf.statistics.discovery_occupied;
  if (decoded) ++sf.statistics.discovery_decoded;
}

// A message is sent within one period, and its first transmission starts it; that one may have been missed.
psdch_combiner::resource* psdch_combiner::resource_of(const subframe_view& sf, const discovery_pool::candidate& c) {
  const auto at = pool_.locate(sf.absolute);
  if (!at) return nullptr;
  const std::int64_t longest_ago = c.transmission == 0 ? 0 : at->offset;
  for (resource& r : resources_)
    if (r.used && r.n == c.n && sf.index - r.index <= longest_ago) return &r;
  return nullptr;
}

psdch_combiner::resource& psdch_combiner::new_resource(const subframe_view& sf, int n) {
  const auto same = std::ranges::find_if(resources_, [&](const resource& r) { return r.used && r.n == n; });
  const auto free = std::ranges::find_if(resources_, [](const resource& r) { return !r.used; });
  resource& r = same != resources_.end()   ? *same  // of an earlier period
                : free != resources_.end() ? *free
                                           : *std::ranges::min_element(resources_, {}, &resource::index);
  if (r.used && r.n != n) ++sf.statistics.soft_buffers_evicted;
  r.used = true;
  r.n = n;
  r.combined = 0;
  r.decoded = false;
  r.by_order.reset(discovery_message_bits);
  r.all_first.reset(discovery_message_bits);
  return r;
}

bool psdch_combiner::receive(const subframe_view& sf, const discovery_pool::candidate& c) {
  psdch_config config = c.config;
  const float metric = sf.rx.psdch_dmrs_metric(config.prb);
  const bool once = pool_.n_transmissions() == 1;
  if (metric < least_psdch_metric) {
    if (once && !sf.trial) count(sf, config.prb, metric, false);
    return false;
  }
  resource* r = once ? nullptr : resource_of(sf, c);
  if (r != nullptr && r->decoded) {
    if (sf.watch != nullptr) sf.watch->explain(config.prb, 2);
    return false;
  }
  // Not what was already combined from another start, or is at a start that is only guessed.
  const bool combines = !once && !sf.trial && (r == nullptr || r->index != sf.index);
  if (combines) {
    if (r == nullptr) r = &new_resource(sf, c.n);
    r->index = sf.index;
    if (++r->combined == 1 && (sf.watch == nullptr || sf.watch->occupied(config.prb, 2)))
      ++sf.statistics.discovery_occupied;
  }
  int transmissions = 1;
  const auto attempt = [&](int rv, soft_buffer& buffer) {
    config.rv = rv;
    return sf.rx.decode_psdch(config, buffer, payload_);
  };
  const int in_order = once ? 0 : rv_order[c.transmission % 4];
  // TS 36.321 5.15.2.2.2. Alone first, since an earlier transmission may be another UE's.
  scratch_.reset(discovery_message_bits);
  auto got = attempt(in_order, scratch_);
  if (combines && !got.crc_ok) {
    transmissions = r->combined;
    if (r->combined == 1)
      std::swap(r->by_order, scratch_);  // the first one is already in it, and was tried
    else
      got = attempt(in_order, r->by_order);
    if (!got.crc_ok) got = attempt(0, r->all_first);
  }
  const bool decoded = got.crc_ok && sf.credible(got.signal);
  if (once && !sf.trial) count(sf, config.prb, metric, decoded);
  if (!decoded) return false;
  if (r != nullptr) {
    r->decoded = true;
    ++sf.statistics.discovery_decoded;
  }
  report_discovery(sf, config, got.signal, transmissions, payload_, recent_);
  return true;
}

void report_discovery(const subframe_view& sf, const psdch_config& c, const signal_estimate& s, int transmissions,
                      std::span<const std::uint8_t> payload, recent_blocks& recent) {
  discovery_event e;
  e.rx = sf.at(s);
  e.prb = c.prb;
  e.rv = c.rv;
  e.n_transmissions = transmissions;
  e.crc_ok = true;
  e.repetition = recent.seen(payload);
  if (sf.watch != nullptr) sf.watch->explain(c.prb, 2);
  if (sf.out.add(e, payload)) ++sf.statistics.discovery;
}

}  // namespace prose::phy
