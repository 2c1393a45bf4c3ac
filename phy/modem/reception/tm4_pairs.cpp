#include "phy/modem/reception/tm4_pairs.h"

#include <algorithm>
#include <utility>

#include "phy/modem/band_watch.h"
#include "phy/modem/reception/thresholds.h"
#include "phy/types/open_bits.h"
#include "phy/types/tbs.h"

namespace prose::phy {
namespace {

// A DMRS metric above this ends the search for n_ssf: no wrong sequence reaches it. Few resource elements scatter more.
// Chosen, not derived.
constexpr float decisive_metric = 0.35F, decisive_metric_of_few_prbs = 0.6F;
constexpr int few_prbs = 3;  ///< fewer than these
/// An n_ssf that is known is decided at so many times the least metric. Chosen, not derived.
constexpr float decisive_over_least = 2.0F;
/// Where the pool's subframes are not known the gap may be longer than the SCI says, and stored subframes may have
/// gaps. The factor is chosen, not derived.
constexpr int longest_gap_factor = 20;

/// The fields (TS 36.212 5.4.3.1.2) in which the SCIs of a block's two transmissions agree.
bool same_block(const sci_format1& a, const sci_format1& b) {
  return a.mcs == b.mcs && a.priority == b.priority && a.resource_reservation == b.resource_reservation &&
         a.time_gap == b.time_gap && a.transmission_format == b.transmission_format;
}

}  // namespace

tm4_pairs::tm4_pairs() : payload_(max_transport_block_bits) {}

int tm4_pairs::examine(const subframe_view& sf, soft_buffers& buffers, const v2x_pool& pool) {
  const auto found = find(sf, sf.absolute < 0 ? pool.pscch_prbs() : pool.pscch_candidates(sf.absolute));
  for (const pscch_result& sci : found) {
    sci_event e;
    e.rx = sf.at(sci.signal);
    e.format = 1;
    e.prb = sci.config.prb;
    e.cyclic_shift = sci.config.cyclic_shift;
    e.n_subchannels = pool.config().n_subchannels;
    const auto fields = unpack_sci_format1(sci.payload(), e.n_subchannels);
    e.fields = fields;
    if (sf.out.add(e, sci.payload())) {
      ++sf.statistics.sci;
      count_announced(sf, sci, fields);
    }
    if (sf.watch != nullptr) sf.watch->explain(e.prb, 2);
    if (receive(sf, buffers, sci, pool)) count_decoded(sf, sci);
  }
  return std::ssize(found);
}

void tm4_pairs::forget(soft_buffers& buffers) {
  for (pending& p : pending_) {
    buffers.give_back(p.loan);
    p.used = false;
  }
  n_ssf_index_ = -1;
}

std::span<const pscch_result> tm4_pairs::find(const subframe_view& sf, std::span<const int> prbs) {
  if (prbs.empty()) return {};
  sf.statistics.pscch_candidates += prbs.size();
  std::size_t n = 0;
  for (const pscch_result& r : sf.rx.find_pscch(prbs)) {
    if (n == found_.size() || !sf.credible(r.signal)) continue;
    found_[n++] = r;
  }
  return std::span(found_).first(n);
}

bool tm4_pairs::receive(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, const v2x_pool& pool) {
  announcement a;
  a.sci = unpack_sci_format1(sci.payload(), pool.config().n_subchannels);
  const auto grant = pool.pssch(a.sci, sci.config.prb, sci.crc, 0);
  const auto where = pool.allocation_of(a.sci, sci.config.prb);
  if (!grant || !where) return false;
  a.pssch = *grant;
  a.length = where->n_subchannels;
  a.own_subchannel = where->first_subchannel;
  if (where->has_other) a.other_subchannel = where->other_first_subchannel;
  if (sf.watch != nullptr) sf.watch->explain(a.pssch.prb_start, a.pssch.n_prb);
  if (measure(sf, sci, a.pssch, &pool) < least_pssch_metric_tm4(a.pssch)) return false;
  return decode(sf, buffers, sci, a, &pool);
}

int tm4_pairs::expected_n_ssf(const subframe_view& sf, const v2x_pool* pool) const {
  if (pool != nullptr && sf.absolute >= 0 && pool->knows_subframes()) return pool->n_ssf(sf.absolute);
  // Where every subframe is in the pool the numbers simply go on: a guess worth trying first.
  if (n_ssf_index_ >= 0) return static_cast<int>(((sf.index - n_ssf_index_ + n_ssf_seen_) % 10 + 10) % 10);
  return -1;
}

float tm4_pairs::measure(const subframe_view& sf, const pscch_result& sci, pssch_config& c, const v2x_pool* pool,
                         float at_least) {
  const signal_hints hints = hints_of(sci.signal);
  // The likely values first.
  const int expected = expected_n_ssf(sf, pool);
  const float decisive = c.n_prb < few_prbs ? decisive_metric_of_few_prbs : decisive_metric;
  const bool known = expected >= 0 && pool != nullptr && pool->knows_subframes() && sf.absolute >= 0;
  std::array<int, 12> order;
  std::size_t n_order = 0;
  if (expected >= 0) order[n_order++] = expected;
  if (n_ssf_index_ >= 0) order[n_order++] = n_ssf_seen_;
  for (int n = 0; n < 10; ++n) order[n_order++] = n;
  int best = 0;
  float best_metric = -1;
  unsigned done = 0;
  for (std::size_t i = 0; i < n_order; ++i) {
    if ((done >> order[i]) & 1U) continue;
    done |= 1U << order[i];
    c.n_ssf = order[i];
    if (!sf.rx.pssch_plausible(c, hints, at_least)) continue;
    const float m = sf.rx.pssch_dmrs_metric(c, hints);
    if (m > best_metric) {
      best_metric = m;
      best = order[i];
    }
    if (m > decisive || (known && i == 0 && m > decisive_over_least * least_pssch_metric_tm4(c))) break;
  }
  c.n_ssf = best;
  return best_metric;
}

tm4_pairs::pending* tm4_pairs::first_transmission(const subframe_view& sf, const announcement& a,
                                                  const v2x_pool* pool) {
  if (a.sci.retransmission_index == 0 || a.sci.time_gap == 0) return nullptr;
  const int k = pool != nullptr && sf.absolute >= 0 ? pool->index_of(sf.absolute) : -1;
  pending* best = nullptr;
  for (pending& p : pending_) {
    if (!p.used || p.index >= sf.index) continue;
    if (!same_block(p.first.sci, a.sci) || p.first.length != a.length || p.first.pssch.n_prb != a.pssch.n_prb) continue;
    if (a.own_subchannel >= 0 && p.first.other_subchannel >= 0 && p.first.other_subchannel != a.own_subchannel)
      continue;
    if (k >= 0 && p.pool_index >= 0) {
      const int set = pool->set_size();
      if ((k - p.pool_index + set) % set != a.sci.time_gap) continue;
    } else if (sf.index - p.index > longest_gap_factor * a.sci.time_gap) {
      continue;
    }
    if (best == nullptr || p.index > best->index) best = &p;
  }
  return best;
}

void tm4_pairs::keep(const subframe_view& sf, soft_buffers& buffers, const announcement& a, const v2x_pool* pool,
                     bool decoded) {
  const auto same = std::ranges::find_if(pending_, [&](const pending& p) {
    return p.used && p.index == sf.index && p.first.sci == a.sci && p.first.pssch == a.pssch;
  });
  // Examined again: what failed at a guessed start replaces nothing, and what is decoded stays so.
  if (same != pending_.end() && (same->decoded || (sf.trial && !decoded))) return;
  const auto free = std::ranges::find_if(pending_, [](const pending& p) { return !p.used; });
  pending* slot = same != pending_.end()   ? &*same
                  : free != pending_.end() ? &*free
                                           : &*std::ranges::min_element(pending_, {}, &pending::index);
  buffers.give_back(slot->loan);
  *slot = {true, sf.index, pool != nullptr && sf.absolute >= 0 ? pool->index_of(sf.absolute) : -1, a, decoded, {}};
  if (!decoded) slot->loan = buffers.keep_scratch(sf.index, sf.statistics.soft_buffers_evicted);
}

bool tm4_pairs::decode(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, const announcement& a,
                       const v2x_pool* pool) {
  const signal_hints hints = hints_of(sci.signal);
  const auto payload = std::span(payload_).first(a.pssch.tbs);
  pending* first = first_transmission(sf, a, pool);
  if (first != nullptr && first->decoded && sf.addressed != nullptr) return false;  // it says nothing new
  const bool needs_both =
      beyond_capacity(sf.rx.config().carrier, a.pssch.n_prb, {a.pssch.modulation_order, a.pssch.tbs}, 1);
  transport_result r;
  int transmissions = 1;
  bool tried = false;
  // The buffer of the first transmission stays as it is: this may not be its second one (another layout, another start
  // of the subframe), or be examined again.
  if (first != nullptr && !first->decoded && first->first.pssch.tbs == a.pssch.tbs)
    if (soft_buffer* both = buffers.copy_of(first->loan, sf.index)) {
      r = sf.rx.decode_pssch(a.pssch, hints, *both, payload);
      transmissions = 2;
      tried = true;
      if (r.crc_ok) {
        first->decoded = true;
        buffers.give_back(first->loan);
      }
    }
  const bool expects_second = a.sci.retransmission_index == 0 && a.sci.time_gap != 0;
  if (!r.crc_ok && (!needs_both || expects_second)) {
    r = sf.rx.decode_pssch(a.pssch, hints, buffers.scratch(a.pssch.tbs), payload);
    transmissions = 1;
    tried = true;
  }
  if (expects_second) keep(sf, buffers, a, pool, r.crc_ok);
  if (tried) report(sf, a, r, transmissions, pool != nullptr);
  return tried && r.crc_ok;
}

void tm4_pairs::report(const subframe_view& sf, const announcement& a, const transport_result& r, int transmissions,
                       bool pool_known) {
  tb_event e;
  e.rx = sf.at(r.signal);
  e.prb_start = a.pssch.prb_start;
  e.n_prb = a.pssch.n_prb;
  e.tbs = a.pssch.tbs;
  e.mcs = a.sci.mcs;
  e.modulation_order = a.pssch.modulation_order;
  e.rv = a.pssch.rv;
  e.n_transmissions = transmissions;
  e.n_x_id = a.pssch.n_x_id;
  e.n_ssf = a.pssch.n_ssf;
  e.crc_ok = r.crc_ok;
  if (r.crc_ok) {
    if (sf.watch != nullptr) sf.watch->explain(a.pssch.prb_start, a.pssch.n_prb);
    n_ssf_index_ = sf.index;
    n_ssf_seen_ = a.pssch.n_ssf;
    e.repetition = recent_.seen(std::span(payload_).first(a.pssch.tbs));
  } else {
    if (transmissions == 1 && e.rv == 0)
      e.open_bits = open_bits(sf.rx.config().carrier, e.mcs, e.n_prb, a.sci.transmission_format);
    if (!pool_known) e.prb_start = e.n_prb = 0;  // one of many guesses
  }
  sf.add_block(e, std::span(payload_).first(a.pssch.tbs), sf.report_failed_tbs && pool_known);
}

bool tm4_pairs::announced::waits(std::int64_t now) const {
  return sci.retransmission_index == 0 && sci.time_gap != 0 && now - index <= longest_gap_factor * sci.time_gap;
}

void tm4_pairs::count_announced(const subframe_view& sf, const pscch_result& sci, const sci_format1& fields) {
  if (fields.retransmission_index == 1 && fields.time_gap != 0)
    for (announced& a : announced_) {
      if (a.index < 0 || a.index >= sf.index || !a.waits(sf.index) || !same_block(a.sci, fields)) continue;
      a = {sf.index, sci.config.prb, sci.crc, fields, a.decoded};
      return;
    }
  ++sf.statistics.blocks_announced;
  // Where a second transmission is still to come is replaced last.
  announced& slot = *std::ranges::min_element(
      announced_, {}, [&](const announced& a) { return std::pair(a.waits(sf.index), a.index); });
  slot = {sf.index, sci.config.prb, sci.crc, fields, false};
}

void tm4_pairs::count_decoded(const subframe_view& sf, const pscch_result& sci) {
  for (announced& a : announced_) {
    if (a.index != sf.index || a.prb != sci.config.prb || a.crc != sci.crc || a.decoded) continue;
    a.decoded = true;
    ++sf.statistics.blocks_decoded;
    return;
  }
}

}  // namespace prose::phy
