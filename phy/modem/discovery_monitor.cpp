#include "phy/modem/discovery_monitor.h"

#include <algorithm>

#include "phy/modem/band_watch.h"
#include "phy/types/comm_pool.h"

namespace prose::phy {
namespace {

/// Share of the DMRS energy below which a resource is taken for empty: its 48 RE of DMRS show 1/48 in noise, and reach 0.2 about once
/// in 10^4 resources.
constexpr float least_metric = 0.2F;
constexpr std::size_t n_resources_kept = 128;

}  // namespace

discovery_monitor::discovery_monitor(const carrier_config& carrier, std::optional<discovery_pool> pool)
    : carrier_(carrier), pool_(std::move(pool)) {
  if (pool_ && pool_->n_transmissions() > 1) resources_.resize(n_resources_kept);
}

int discovery_monitor::examine(const subframe_view& sf, signal_estimate& strongest) {
  int n = 0;
  const auto received = [&](const signal_estimate& s) {
    if (n++ == 0 || s.power_db > strongest.power_db) strongest = s;
  };
  signal_estimate s;
  if (pool_ && sf.absolute >= 0) {
    const int count = pool_->n_candidates(sf.absolute);
    for (int i = 0; i < count; ++i)
      if (receive_known(sf, pool_->candidate_at(sf.absolute, i), s)) received(s);
    return n;
  }
  if (pool_) {  // its place in time is not known (yet)
    for (int a = 0; a < pool_->n_frequency(); ++a)
      if (pool_->pair_second(a) == pool_->pair_first(a) + 1 && receive_anywhere(sf, pool_->pair_first(a), s)) received(s);
    return n;
  }
  for (int prb = 0; prb + 2 <= carrier_.n_prb; ++prb) {
    if (!receive_anywhere(sf, prb, s)) continue;
    received(s);
    ++prb;  // the next pair cannot begin inside this one
  }
  return n;
}

int discovery_monitor::examine_beside(const subframe_view& sf, std::span<const int> prbs, signal_estimate& strongest) {
  int n = 0;
  for (std::size_t i = 0; i + 1 < prbs.size(); ++i) {
    signal_estimate s;
    if (prbs[i + 1] != prbs[i] + 1 || !receive_anywhere(sf, prbs[i], s)) continue;
    if (n++ == 0 || s.power_db > strongest.power_db) strongest = s;
    ++i;  // the next pair cannot begin inside this one
  }
  return n;
}

void discovery_monitor::count(const subframe_view& sf, int prb, float metric, bool decoded) const {
  // Power that another channel explains is none of this one; without a look at the power only clear DMRS count.
  const bool there = sf.watch != nullptr ? sf.watch->occupied(prb, 2) && !sf.watch->touched(prb, 2) : metric >= 2 * least_metric;
  if (decoded || there) ++sf.statistics.discovery_occupied;
  if (decoded) ++sf.statistics.discovery_decoded;
}

discovery_monitor::resource& discovery_monitor::resource_of(const subframe_view& sf, int n, int transmission) {
  resource* oldest = &resources_[0];
  resource* same = nullptr;
  for (resource& r : resources_) {
    if (r.used && r.n == n) same = &r;
    if (!r.used) {
      if (oldest->used) oldest = &r;
    } else if (oldest->used && r.index < oldest->index) {
      oldest = &r;
    }
  }
  // Transmissions of one period follow within it; the first one starts anew.
  const std::int64_t period = pool_->config().disc_period_subframes;
  if (same != nullptr && transmission > 0 && sf.index - same->index < period) {
    same->index = sf.index;
    return *same;
  }
  resource& r = same != nullptr ? *same : *oldest;
  if (r.used && same == nullptr) ++sf.statistics.soft_buffers_evicted;
  r.used = true;
  r.n = n;
  r.index = sf.index;
  r.combined = 0;
  r.decoded = false;
  r.by_order.reset(discovery_message_bits);
  r.all_first.reset(discovery_message_bits);
  return r;
}

bool discovery_monitor::receive_known(const subframe_view& sf, const discovery_pool::candidate& c, signal_estimate& s) {
  psdch_config config = c.config;
  const float metric = sf.rx.psdch_dmrs_metric(config.prb);
  if (metric < least_metric) {
    if (pool_->n_transmissions() == 1) count(sf, config.prb, metric, false);
    return false;
  }
  if (pool_->n_transmissions() == 1) {
    scratch_.reset(discovery_message_bits);
    config.rv = 0;
    const auto r = sf.rx.decode_psdch(config, scratch_, payload_);
    const bool decoded = r.crc_ok && sf.credible(r.signal);
    count(sf, config.prb, metric, decoded);
    if (!decoded) return false;
    report(sf, config, s = r.signal, 1);
    return true;
  }
  resource& res = resource_of(sf, c.n, c.transmission);
  if (++res.combined == 1 && (sf.watch == nullptr || sf.watch->occupied(config.prb, 2))) ++sf.statistics.discovery_occupied;
  if (sf.watch != nullptr && res.decoded) sf.watch->explain(config.prb, 2);
  if (res.decoded) return false;
  config.rv = rv_order[static_cast<std::size_t>(c.transmission % 4)];
  auto r = sf.rx.decode_psdch(config, res.by_order, payload_);
  if (!r.crc_ok) {
    config.rv = 0;
    r = sf.rx.decode_psdch(config, res.all_first, payload_);
  }
  if (!r.crc_ok || !sf.credible(r.signal)) return false;
  res.decoded = true;
  ++sf.statistics.discovery_decoded;
  report(sf, config, s = r.signal, res.combined);
  return true;
}

bool discovery_monitor::receive_anywhere(const subframe_view& sf, int prb, signal_estimate& s) {
  if (!sf.rx.psdch_plausible(prb) || sf.rx.psdch_dmrs_metric(prb) < least_metric) return false;
  for (const int rv : rv_order) {
    const psdch_config config{prb, rv};
    scratch_.reset(discovery_message_bits);
    const auto r = sf.rx.decode_psdch(config, scratch_, payload_);
    if (!r.crc_ok || !sf.credible(r.signal)) continue;
    report(sf, config, s = r.signal, 1);
    return true;
  }
  return false;
}

void discovery_monitor::report(const subframe_view& sf, const psdch_config& c, const signal_estimate& s, int transmissions) {
  discovery_event e;
  e.rx = sf.at(s);
  e.prb = c.prb;
  e.rv = c.rv;
  e.n_transmissions = transmissions;
  e.crc_ok = true;
  e.repetition = recent_.seen(payload_);
  if (sf.watch != nullptr) sf.watch->explain(c.prb, 2);
  if (sf.out.add(e, payload_)) ++sf.statistics.discovery;
}

}  // namespace prose::phy
