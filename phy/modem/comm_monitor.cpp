#include "phy/modem/comm_monitor.h"

#include <algorithm>

#include "phy/modem/band_watch.h"

namespace prose::phy {
namespace {

/// Longest sc-Period, for pools that nobody told of.
constexpr std::int64_t longest_period_subframes = 320;

float least_metric(const pssch_config& c) { return std::max(0.1F, 7.0F / static_cast<float>(c.n_prb * subcarriers_per_prb * 2)); }

/// What one subframe and all four transmissions of a block carry decides whether decoding can work at all.
bool beyond_capacity(const carrier_config& carrier, const pssch_config& c, int transmissions) {
  const int symbols = carrier.cp == cyclic_prefix::normal ? 11 : 9;
  return c.tbs + 24 > c.n_prb * subcarriers_per_prb * symbols * c.modulation_order * transmissions;
}

}  // namespace

comm_monitor::comm_monitor(const carrier_config& carrier, comm_pool pool, bool unannounced)
    : carrier_(carrier),
      pool_(std::move(pool)),
      period_subframes_(pool_.config().known ? pool_.config().sc_period_subframes : longest_period_subframes),
      payload_(max_transport_block_bits) {
  for (int p = 0; p < carrier.n_prb; ++p) all_prbs_.push_back(p);
  if (unannounced && pool_.config().known) unannounced_.emplace(carrier);
}

void comm_monitor::close_block(monitor_statistics& statistics, grant& g) {
  if (!g.used || !g.counted || g.block < 0) return;
  if (g.decoded || g.present) ++statistics.blocks_announced;
  else ++statistics.blocks_absent;
  if (g.decoded) ++statistics.blocks_decoded;
  g.present = false;
}

bool comm_monitor::shows_power(const subframe_view& sf, const grant& g, const pssch_config& c) const {
  if (sf.watch == nullptr || !sf.watch->occupied(c.prb_start, c.n_prb)) return false;
  for (const grant& other : grants_) {
    if (!other.used || &other == &g) continue;
    const auto there = pool_.pssch_at(other.sci, sf.absolute);
    if (there && there->config.prb_start < c.prb_start + c.n_prb && c.prb_start < there->config.prb_start + there->config.n_prb) return false;
  }
  return true;
}

int comm_monitor::follow_grants(const subframe_view& sf, soft_buffers& buffers, signal_estimate& strongest, bool beside) {
  int n_received = 0;
  const auto received = [&](const signal_estimate& s) {
    if (n_received++ == 0 || s.power_db > strongest.power_db) strongest = s;
  };
  for (grant& g : grants_) {
    if (!g.used) continue;
    if (sf.index - g.first_index >= period_subframes_) {
      close_block(sf.statistics, g);
      buffers.give_back(g.loan);
      g.used = false;
      continue;
    }
    if (sf.index <= g.first_index) continue;
    if (beside)
      if (const auto c = pool_.pssch(g.sci, 0); !c || sf.watch->explained(c->prb_start, c->n_prb) || !sf.watch->occupied(c->prb_start, c->n_prb)) continue;
    signal_estimate s;
    const bool got = timing_known(sf) ? receive_scheduled(sf, buffers, g, s) : receive_searched(sf, buffers, g, s);
    if (got) received(s);
  }
  return n_received;
}

int comm_monitor::search_pscch(const subframe_view& sf, std::span<const int> prbs, signal_estimate& strongest, int n_received) {
  if (prbs.empty()) return n_received;
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
    if (n_received++ == 0 || r.signal.power_db > strongest.power_db) strongest = r.signal;
    note(sf, sci, r.signal, told);
  }
  return n_received;
}

int comm_monitor::examine(const subframe_view& sf, soft_buffers& buffers, signal_estimate& strongest) {
  int n_received = follow_grants(sf, buffers, strongest, false);
  if (signal_estimate s; unannounced_ && receive_unannounced(sf, buffers, s))
    if (n_received++ == 0 || s.power_db > strongest.power_db) strongest = s;
  return search_pscch(sf, timing_known(sf) ? pool_.pscch_candidates(sf.absolute) : std::span<const int>(all_prbs_), strongest, n_received);
}

int comm_monitor::examine_beside(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs, signal_estimate& strongest) {
  return search_pscch(sf, prbs, strongest, follow_grants(sf, buffers, strongest, true));
}

// The second PSCCH of a period says the same again. In a new period the same words are a new grant.
void comm_monitor::note(const subframe_view& sf, const sci_format0& sci, const signal_estimate& signal, bool told) {
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
  // A UE has one grant a period: new words for the same group from an earlier period replace the old ones only by age.
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

transport_result comm_monitor::combine(const subframe_view& sf, soft_buffers& buffers, grant& g, const pssch_config& c, bool fresh) {
  soft_buffer* b = fresh ? nullptr : buffers.get(g.loan, sf.index);
  if (b == nullptr || b->tbs() != c.tbs) {
    buffers.give_back(g.loan);
    g.loan = buffers.borrow(c.tbs, sf.index, sf.statistics.soft_buffers_evicted);
    b = buffers.get(g.loan, sf.index);
    g.combined = 0;
  }
  ++g.combined;
  auto r = sf.rx.decode_pssch(c, hints_of(g.signal), *b, std::span(payload_).first(static_cast<std::size_t>(c.tbs)));
  r.crc_ok = r.crc_ok && sf.credible(r.signal);
  return r;
}

transport_result comm_monitor::alone(const subframe_view& sf, soft_buffers& buffers, const pssch_config& c,
                                     const signal_hints& hints) {
  if (beyond_capacity(carrier_, c, 1)) return {};
  // Grants of several periods for one group lead to the same transmission: what failed once in a subframe fails again.
  if (failed_sample_ != sf.sample) {
    failed_sample_ = sf.sample;
    n_failed_ = 0;
  }
  const bool repeatable = !hints.cfo_hz && !hints.timing_offset_samples;
  const auto failed_end = failed_.begin() + static_cast<std::ptrdiff_t>(n_failed_);
  if (repeatable && std::find(failed_.begin(), failed_end, c) != failed_end) return {};
  auto loan = buffers.borrow(c.tbs, sf.index, sf.statistics.soft_buffers_evicted);
  auto r =
      sf.rx.decode_pssch(c, hints, *buffers.get(loan, sf.index), std::span(payload_).first(static_cast<std::size_t>(c.tbs)));
  buffers.give_back(loan);
  r.crc_ok = r.crc_ok && sf.credible(r.signal);
  if (repeatable && !r.crc_ok && n_failed_ < failed_.size()) failed_[n_failed_++] = c;
  return r;
}

void comm_monitor::report(const subframe_view& sf, int mcs, const pssch_config& c, const transport_result& r, int transmissions) {
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
  const auto payload = std::span(payload_).first(static_cast<std::size_t>(c.tbs));
  if (r.crc_ok && sf.watch != nullptr) sf.watch->explain(c.prb_start, c.n_prb);
  if (r.crc_ok) {
    e.repetition = recent_.seen(payload);
    if (unannounced_) unannounced_->learn(c, mcs, sf.index);
    if (sf.out.add(e, payload)) ++sf.statistics.tb_ok;
  } else {
    ++sf.statistics.tb_failed;
    if (sf.report_failed_tbs) sf.out.add(e, {});
  }
}

// Pool and timing known: the time resource pattern says which transmission this is.
bool comm_monitor::receive_scheduled(const subframe_view& sf, soft_buffers& buffers, grant& g, signal_estimate& signal) {
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
  if (sf.watch != nullptr) sf.watch->explain(c.prb_start, c.n_prb);  // decoded or not, it is accounted for
  g.last_index = sf.index;
  const bool fresh = occasion->block != g.block;
  if (fresh) close_block(sf.statistics, g);
  if (fresh) g.decoded = false;
  g.block = occasion->block;
  g.present = g.present || power;
  if (beyond_capacity(carrier_, c, 4)) return false;
  if (g.decoded) return false;  // the other transmissions of this block say nothing new
  // Nothing there (out of range, or not sent): noise added to the buffer would do harm.
  const float metric = sf.rx.pssch_dmrs_metric(c, hints_of(g.signal));
  g.present = g.present || metric >= std::max(0.3F, 1.5F * least_metric(c));
  if (metric < 0.5F * least_metric(c) && !fresh) return false;
  transport_result r = combine(sf, buffers, g, c, fresh);
  int transmissions = g.combined;
  if (!r.crc_ok && transmissions > 1) {
    r = alone(sf, buffers, c, {});
    transmissions = 1;
  }
  g.decoded = r.crc_ok;
  if (r.crc_ok) signal = r.signal;
  report(sf, g.sci.mcs, c, r, transmissions);
  return r.crc_ok;
}

bool comm_monitor::receive_unannounced(const subframe_view& sf, soft_buffers& buffers, signal_estimate& signal) {
  if (!timing_known(sf) || sf.trial || pool_.pssch_index(sf.absolute) < 0) return false;
  unannounced_->begin_subframe();
  for (const grant& g : grants_)
    if (g.used)
      if (const auto occasion = pool_.pssch_at(g.sci, sf.absolute)) unannounced_->explain(occasion->config);
  bool any = false;
  for (const auto& k : unannounced_->candidates(sf, pool_.pssch_prbs(), pool_.n_ssf(sf.absolute))) {
    pssch_config c = k.config;
    if (!sf.rx.pssch_plausible(c) || sf.rx.pssch_dmrs_metric(c) < least_metric(c)) continue;
    for (const int rv : rv_order) {
      c.rv = rv;
      const transport_result r = alone(sf, buffers, c, {});
      if (!r.crc_ok) continue;
      if (!any || r.signal.power_db > signal.power_db) signal = r.signal;
      any = true;
      report(sf, k.mcs, c, r, 1);
      break;
    }
  }
  return any;
}

// Nothing known but the SCI: any later subframe may hold a transmission, with any n_ssf. Its DMRS tell; which of the four it is
// follows from counting, and where that fails from trying.
bool comm_monitor::receive_searched(const subframe_view& sf, soft_buffers& buffers, grant& g, signal_estimate& signal) {
  struct choice {
    pssch_config config;
    float metric = 0;
  };
  std::array<choice, 3> choices;  // the strongest, best first
  std::size_t n = 0;
  const signal_hints hints{};  // PSSCH need not be where PSCCH was, and its DMRS give timing and carrier offset as well
  for (int n_ssf = 0; n_ssf < 10; ++n_ssf) {
    const auto c = pool_.pssch(g.sci, n_ssf);
    if (!c || beyond_capacity(carrier_, *c, 4) || !sf.rx.pssch_plausible(*c, hints_of(g.signal))) continue;
    const float m = sf.rx.pssch_dmrs_metric(*c, hints_of(g.signal));
    if (m < least_metric(*c)) continue;
    std::size_t at = n;
    while (at > 0 && choices[at - 1].metric < m) --at;
    if (at == choices.size()) continue;
    n = std::min(n + 1, choices.size());
    for (std::size_t i = n - 1; i > at; --i) choices[i] = choices[i - 1];
    choices[at] = {*c, m};
  }
  if (n == 0) return false;
  const float best = choices[0].metric;
  const int turn = g.count % 4;
  if (!sf.trial) {
    if (turn == 0) close_block(sf.statistics, g);
    g.block = g.count / 4;
    g.present = g.present || best >= 0.5F;
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (choices[i].metric < 0.6F * best) break;
    pssch_config c = choices[i].config;
    transport_result r;
    int transmissions = 1;
    // As the count has it: the next transmission of the block in the buffer, or the first of a new one.
    if (i == 0 && !sf.trial) {
      const bool fresh = turn == 0;
      if (fresh) g.decoded = false;
      c.rv = rv_order[static_cast<std::size_t>(turn)];
      if (!g.decoded) {
        r = combine(sf, buffers, g, c, fresh);
        transmissions = g.combined;
        ++g.count;
        if (r.crc_ok) g.decoded = true;
      } else {
        ++g.count;
        r = alone(sf, buffers, c, hints);
      }
    }
    // Out of step: try every redundancy version by itself. Within a block that is decoded already only the first of another one is
    // of interest.
    for (int t = 0; t < (g.decoded ? 1 : 4) && !r.crc_ok; ++t) {
      c.rv = rv_order[static_cast<std::size_t>(t)];
      r = alone(sf, buffers, c, hints);
      transmissions = 1;
      if (r.crc_ok) {
        g.count = g.count / 4 * 4 + t + 1;
        g.decoded = true;
      }
    }
    if (r.crc_ok) {
      signal = r.signal;
      g.last_index = sf.index;
      report(sf, g.sci.mcs, c, r, transmissions);
      return true;
    }
  }
  // Not decoded, but clearly there: it may need the others of its block.
  if (sf.trial || best < 0.5F) return false;
  signal = g.signal;
  return true;
}

}  // namespace prose::phy
