#include "phy/modem/reception/tm2_grants.h"

#include <algorithm>
#include <utility>

#include "phy/modem/band_watch.h"
#include "phy/modem/reception/thresholds.h"
#include "phy/types/open_bits.h"
#include "phy/types/tbs.h"

namespace prose::phy {
namespace {

/// Longest sc-Period (TS 36.331 SL-PeriodComm), for unknown pools.
constexpr std::int64_t longest_period_subframes = 320;
// DMRS metrics, times that which noise reaches (thresholds.h). Chosen, not derived.
constexpr float present_over_least = 1.5F;  ///< something was sent
constexpr float least_present = 0.3F;       ///< and at least this
constexpr float absent_below_least = 0.5F;  ///< nothing was sent: it is not added to the soft buffer

}  // namespace

tm2_grants::tm2_grants(const carrier_config& carrier, comm_pool pool)
    : carrier_(carrier),
      pool_(std::move(pool)),
      period_subframes_(pool_.config().known ? pool_.config().sc_period_subframes : longest_period_subframes),
      payload_(max_transport_block_bits) {}

int tm2_grants::examine(const subframe_view& sf, soft_buffers& buffers) {
  int n = 0;
  for (grant& g : grants_) n += is_open(sf, buffers, g) && receive(sf, buffers, g) ? 1 : 0;
  return n + search(sf, pool_.pscch_candidates(sf.absolute));
}

bool tm2_grants::is_due(int absolute) const {
  return !pool_.pscch_candidates(absolute).empty() ||
         std::any_of(grants_.begin(), grants_.end(), [](const grant& g) { return g.used; });
}

void tm2_grants::forget(soft_buffers& buffers) {
  for (grant& g : grants_) {
    buffers.give_back(g.loan);
    g.used = false;
  }
}

bool tm2_grants::is_open(const subframe_view& sf, soft_buffers& buffers, grant& g) {
  if (!g.used) return false;
  if (sf.index - g.first_index >= period_subframes_) {
    close_block(sf.statistics, g);
    buffers.give_back(g.loan);
    g.used = false;
    return false;
  }
  return sf.index > g.first_index;
}

void tm2_grants::close_block(monitor_statistics& statistics, grant& g) {
  if (!g.used || !g.counted || g.block < 0) return;
  if (g.decoded || g.present)
    ++statistics.blocks_announced;
  else
    ++statistics.blocks_absent;
  if (g.decoded) ++statistics.blocks_decoded;
  g.present = false;
}

bool tm2_grants::shows_power(const subframe_view& sf, const grant& g, const pssch_config& c) const {
  if (sf.watch == nullptr || !sf.watch->occupied(c.prb_start, c.n_prb)) return false;
  for (const grant& other : grants_) {
    if (!other.used || &other == &g) continue;
    const auto there = pool_.pssch_at(other.sci, sf.absolute);
    if (there && there->config.prb_start < c.prb_start + c.n_prb &&
        c.prb_start < there->config.prb_start + there->config.n_prb)
      return false;
  }
  return true;
}

int tm2_grants::search(const subframe_view& sf, std::span<const int> prbs) {
  if (prbs.empty()) return 0;
  sf.statistics.pscch_candidates += prbs.size();
  const auto found = sf.rx.find_pscch(prbs);
  std::size_t n = 0;
  for (const pscch_result& r : found)
    if (n < found_.size() && sf.credible(r.signal)) found_[n++] = r;
  for (std::size_t i = 0; i < n; ++i) {
    const pscch_result& r = found_[i];
    sci_event e;
    e.rx = sf.at(r.signal);
    e.format = 0;
    e.prb = r.config.prb;
    const sci_format0 sci = unpack_sci_format0(r.payload(), carrier_.n_prb);
    e.fields = sci;
    const bool told = sf.out.add(e, r.payload());
    if (told) ++sf.statistics.sci;
    if (sf.watch != nullptr) sf.watch->explain(e.prb, 1);
    if (sf.addressed == nullptr || (*sf.addressed)(sci.group_destination_id)) note(sf, sci, r.signal, told);
  }
  return n;
}

// The second PSCCH of a period repeats the first. In a new period the same SCI is a new grant.
void tm2_grants::note(const subframe_view& sf, const sci_format0& sci, const signal_estimate& signal, bool told) {
  int period_start = -1;
  if (timing_known(sf))
    if (const auto where = pool_.locate(sf.absolute)) period_start = where->start;
  grant* slot = nullptr;
  for (grant& g : grants_) {
    if (!g.used || !(g.sci == sci)) continue;
    // Without timing: a repetition comes before any PSSCH of the grant.
    const bool same = period_start >= 0 ? g.period_start == period_start : g.count == 0;
    if (same) {
      g.last_index = sf.index;
      return;
    }
    slot = &g;
    break;
  }
  // Another SCI is another grant, which replaces the one that was silent longest.
  if (slot == nullptr) {
    slot = &grants_[0];
    for (grant& g : grants_) {
      if (!g.used) {
        slot = &g;
        break;
      }
      if (g.last_index < slot->last_index) slot = &g;
    }
  }
  close_block(sf.statistics, *slot);
  const soft_buffers::loan kept = slot->used ? slot->loan : soft_buffers::loan{};
  *slot = grant{};
  slot->loan = kept;
  slot->used = true;
  slot->sci = sci;
  slot->first_index = slot->last_index = sf.index;
  slot->period_start = period_start;
  slot->signal = signal;
  slot->counted = told;
}

transport_result tm2_grants::combine(const subframe_view& sf, soft_buffers& buffers, grant& g, const pssch_config& c,
                                     bool fresh) {
  soft_buffer* b = fresh ? nullptr : buffers.get(g.loan, sf.index);
  if (b == nullptr || b->tbs() != c.tbs) {
    buffers.give_back(g.loan);
    g.loan = buffers.borrow(c.tbs, sf.index, sf.statistics.soft_buffers_evicted);
    b = buffers.get(g.loan, sf.index);
    g.combined = 0;
  }
  ++g.combined;
  auto r = sf.rx.decode_pssch(c, hints_of(g.signal), *b, std::span(payload_).first(c.tbs));
  r.crc_ok = r.crc_ok && sf.credible(r.signal);
  return r;
}

transport_result tm2_grants::alone(const subframe_view& sf, soft_buffers& buffers, const pssch_config& c,
                                   const signal_hints& hints) {
  if (beyond_capacity(carrier_, c.n_prb, {c.modulation_order, c.tbs}, 1)) return {};
  // Grants of several periods for one group lead to the same transmission: what failed once in a subframe is not tried
  // again. A guessed start believes less, so it says nothing of another.
  const bool repeatable = !sf.trial && !hints.cfo_hz && !hints.timing_offset_samples;
  if (repeatable && failed_sample_ != sf.sample) {
    failed_sample_ = sf.sample;
    n_failed_ = 0;
  }
  const auto failed_end = failed_.begin() + n_failed_;
  if (repeatable && std::find(failed_.begin(), failed_end, c) != failed_end) return {};
  auto r = sf.rx.decode_pssch(c, hints, buffers.scratch(c.tbs), std::span(payload_).first(c.tbs));
  r.crc_ok = r.crc_ok && sf.credible(r.signal);
  if (repeatable && !r.crc_ok && n_failed_ < failed_.size()) failed_[n_failed_++] = c;
  return r;
}

void tm2_grants::report(const subframe_view& sf, int mcs, const pssch_config& c, const transport_result& r,
                        int transmissions) {
  tb_event e;
  e.rx = sf.at(r.signal);
  e.prb_start = c.prb_start;
  e.n_prb = c.n_prb;
  e.tbs = c.tbs;
  e.mcs = mcs;
  e.modulation_order = c.modulation_order;
  e.rv = c.rv;
  e.n_transmissions = transmissions;
  e.n_x_id = c.n_x_id;
  e.n_ssf = c.n_ssf;
  e.crc_ok = r.crc_ok;
  const auto payload = std::span(payload_).first(c.tbs);
  if (r.crc_ok && sf.watch != nullptr) sf.watch->explain(c.prb_start, c.n_prb);
  if (r.crc_ok) {
    e.repetition = recent_.seen(payload);
    last_decoded_ = c;
  } else if (transmissions == 1 && e.rv == 0) {
    e.open_bits = open_bits(carrier_, e.mcs, e.n_prb);
  }
  sf.add_block(e, payload, sf.report_failed_tbs);
}

// Pool and timing known: the time resource pattern says which transmission this is.
bool tm2_grants::receive(const subframe_view& sf, soft_buffers& buffers, grant& g) {
  const auto where = pool_.locate(sf.absolute);
  if (!where || where->start != g.period_start) {
    if (where && g.period_start >= 0 && where->start != g.period_start) {
      close_block(sf.statistics, g);
      buffers.give_back(g.loan);
      g.used = false;
    }
    return false;
  }
  const auto occasion = pool_.pssch_at(g.sci, sf.absolute);
  if (!occasion || sf.trial) return false;
  const pssch_config& c = occasion->config;
  const bool power = shows_power(sf, g, c);
  if (sf.watch != nullptr) sf.watch->explain(c.prb_start, c.n_prb);  // decoded or not
  g.last_index = sf.index;
  const bool fresh = occasion->block != g.block;
  if (fresh) close_block(sf.statistics, g);
  if (fresh) g.decoded = false;
  g.block = occasion->block;
  g.present = g.present || power;
  if (beyond_capacity(carrier_, c.n_prb, {c.modulation_order, c.tbs}, rv_order.size())) return false;
  if (g.decoded) return false;  // the other transmissions of this block say nothing new
  const float metric = sf.rx.pssch_dmrs_metric(c, hints_of(g.signal));
  g.present = g.present || metric >= std::max(least_present, present_over_least * least_pssch_metric_tm2(c));
  // Nothing there (out of range, or not sent): noise in the buffer would do harm.
  if (metric < absent_below_least * least_pssch_metric_tm2(c) && !fresh) return false;
  const bool again = g.taken_index == sf.index;
  transport_result r;
  int transmissions = 1;
  if (!again) {
    g.taken_index = sf.index;
    r = combine(sf, buffers, g, c, fresh);
    transmissions = g.combined;
  }
  if (!r.crc_ok && (again || transmissions > 1)) {
    r = alone(sf, buffers, c, {});
    transmissions = 1;
  }
  if (again && !r.crc_ok) return false;
  g.decoded = r.crc_ok;
  report(sf, g.sci.mcs, c, r, transmissions);
  return r.crc_ok;
}

}  // namespace prose::phy
