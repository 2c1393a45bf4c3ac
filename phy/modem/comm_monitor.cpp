#include "phy/modem/comm_monitor.h"

#include <algorithm>
#include <array>

#include "phy/modem/band_watch.h"
#include "phy/modem/reception/thresholds.h"

namespace prose::phy {

comm_monitor::comm_monitor(const carrier_config& carrier, comm_pool pool, bool unannounced)
    : grants_(carrier, std::move(pool)) {
  for (int p = 0; p < carrier.n_prb; ++p) all_prbs_.push_back(p);
  if (unannounced && grants_.pool().config().known) unannounced_.emplace(carrier);
}

int comm_monitor::follow_grants(const subframe_view& sf, soft_buffers& buffers, signal_estimate& strongest,
                                bool beside) {
  int n_received = 0;
  for (tm2_grants::grant& g : grants_.grants()) {
    if (!grants_.is_open(sf, buffers, g)) continue;
    if (beside)
      if (const auto c = grants_.pool().pssch(g.sci, 0);
          !c || sf.watch->explained(c->prb_start, c->n_prb) || !sf.watch->occupied(c->prb_start, c->n_prb))
        continue;
    signal_estimate s;
    const bool known = grants_.timing_known(sf);
    if (!(known ? grants_.receive(sf, buffers, g, s) : receive_searched(sf, buffers, g, s))) continue;
    if (known && unannounced_) unannounced_->learn(grants_.last_decoded(), g.sci.mcs, sf.index);
    if (n_received++ == 0 || s.power_db > strongest.power_db) strongest = s;
  }
  return n_received;
}

int comm_monitor::search_pscch(const subframe_view& sf, std::span<const int> prbs, signal_estimate& strongest,
                               int n_received) {
  signal_estimate s;
  const int n = grants_.search(sf, prbs, s);
  if (n > 0 && (n_received == 0 || s.power_db > strongest.power_db)) strongest = s;
  return n_received + n;
}

int comm_monitor::examine(const subframe_view& sf, soft_buffers& buffers, signal_estimate& strongest) {
  int n_received = follow_grants(sf, buffers, strongest, false);
  if (signal_estimate s; unannounced_ && receive_unannounced(sf, buffers, s))
    if (n_received++ == 0 || s.power_db > strongest.power_db) strongest = s;
  return search_pscch(
      sf, grants_.timing_known(sf) ? grants_.pool().pscch_candidates(sf.absolute) : std::span<const int>(all_prbs_),
      strongest, n_received);
}

int comm_monitor::examine_beside(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs,
                                 signal_estimate& strongest) {
  return search_pscch(sf, prbs, strongest, follow_grants(sf, buffers, strongest, true));
}

bool comm_monitor::receive_unannounced(const subframe_view& sf, soft_buffers& buffers, signal_estimate& signal) {
  if (!grants_.timing_known(sf) || sf.trial || grants_.pool().pssch_index(sf.absolute) < 0) return false;
  unannounced_->begin_subframe();
  for (const tm2_grants::grant& g : grants_.grants())
    if (g.used)
      if (const auto occasion = grants_.pool().pssch_at(g.sci, sf.absolute)) unannounced_->explain(occasion->config);
  bool any = false;
  for (const auto& k : unannounced_->candidates(sf, grants_.pool().pssch_prbs(), grants_.pool().n_ssf(sf.absolute))) {
    pssch_config c = k.config;
    if (!sf.rx.pssch_plausible(c) || sf.rx.pssch_dmrs_metric(c) < least_pssch_metric_tm2(c)) continue;
    for (const int rv : rv_order) {
      c.rv = rv;
      const transport_result r = grants_.alone(sf, buffers, c, {});
      if (!r.crc_ok) continue;
      if (!any || r.signal.power_db > signal.power_db) signal = r.signal;
      any = true;
      grants_.report(sf, k.mcs, c, r, 1);
      unannounced_->learn(c, k.mcs, sf.index);
      break;
    }
  }
  return any;
}

// Nothing known but the SCI: any later subframe may hold a transmission, with any n_ssf. Its DMRS tell; which of the
// four it is follows from counting, and where that fails from trying.
bool comm_monitor::receive_searched(const subframe_view& sf, soft_buffers& buffers, tm2_grants::grant& g,
                                    signal_estimate& signal) {
  struct choice {
    pssch_config config;
    float metric = 0;
  };
  std::array<choice, 3> choices;  // the strongest, best first
  std::size_t n = 0;
  const signal_hints hints{};  // PSSCH need not be where PSCCH was, and its DMRS give timing and carrier offset as well
  for (int n_ssf = 0; n_ssf < 10; ++n_ssf) {
    const auto c = grants_.pool().pssch(g.sci, n_ssf);
    if (!c || grants_.beyond_capacity(*c, 4) || !sf.rx.pssch_plausible(*c, hints_of(g.signal))) continue;
    const float m = sf.rx.pssch_dmrs_metric(*c, hints_of(g.signal));
    if (m < least_pssch_metric_tm2(*c)) continue;
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
    if (turn == 0) tm2_grants::close_block(sf.statistics, g);
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
      c.rv = rv_order[turn];
      if (!g.decoded) {
        r = grants_.combine(sf, buffers, g, c, fresh);
        transmissions = g.combined;
        ++g.count;
        if (r.crc_ok) g.decoded = true;
      } else {
        ++g.count;
        r = grants_.alone(sf, buffers, c, hints);
      }
    }
    // Out of step: try every redundancy version by itself. Within a block that is decoded already only the first of
    // another one is of interest.
    for (int t = 0; t < (g.decoded ? 1 : 4) && !r.crc_ok; ++t) {
      c.rv = rv_order[t];
      r = grants_.alone(sf, buffers, c, hints);
      transmissions = 1;
      if (r.crc_ok) {
        g.count = g.count / 4 * 4 + t + 1;
        g.decoded = true;
      }
    }
    if (r.crc_ok) {
      signal = r.signal;
      g.last_index = sf.index;
      grants_.report(sf, g.sci.mcs, c, r, transmissions);
      if (unannounced_) unannounced_->learn(c, g.sci.mcs, sf.index);
      return true;
    }
  }
  // Not decoded, but clearly there: it may need the others of its block.
  if (sf.trial || best < 0.5F) return false;
  signal = g.signal;
  return true;
}

}  // namespace prose::phy
