#include "phy/modem/comm_monitor.h"

#include <algorithm>
#include <array>

#include "phy/modem/band_watch.h"
#include "phy/modem/reception/thresholds.h"
#include "phy/types/tbs.h"

namespace prose::phy {
namespace {

constexpr int transmissions_per_block = rv_order.size();
/// Places where a PSSCH of unknown timing is decoded have at least this share of the best one's DMRS metric. Chosen,
/// not derived.
constexpr float worth_decoding = 0.6F;

}  // namespace

comm_monitor::comm_monitor(const carrier_config& carrier, comm_pool pool, bool unannounced)
    : grants_(carrier, std::move(pool)) {
  for (int p = 0; p < carrier.n_prb; ++p) all_prbs_.push_back(p);
  if (unannounced && grants_.pool().config().known) unannounced_.emplace(carrier);
}

int comm_monitor::follow_grants(const subframe_view& sf, soft_buffers& buffers, bool only_unexplained) {
  int n_received = 0;
  for (tm2_grants::grant& g : grants_.grants()) {
    if (!grants_.is_open(sf, buffers, g)) continue;
    if (only_unexplained)
      if (const auto c = grants_.pool().pssch(g.sci, 0);
          !c || sf.watch->explained(c->prb_start, c->n_prb) || !sf.watch->occupied(c->prb_start, c->n_prb))
        continue;
    const bool known = grants_.timing_known(sf);
    if (!(known ? grants_.receive(sf, buffers, g) : receive_searched(sf, buffers, g))) continue;
    if (known && unannounced_) unannounced_->learn(grants_.last_decoded(), g.sci.mcs, sf.index);
    ++n_received;
  }
  return n_received;
}

int comm_monitor::examine(const subframe_view& sf, soft_buffers& buffers) {
  int n_received = follow_grants(sf, buffers, false);
  if (unannounced_ && receive_unannounced(sf, buffers)) ++n_received;
  const auto prbs =
      grants_.timing_known(sf) ? grants_.pool().pscch_candidates(sf.absolute) : std::span<const int>(all_prbs_);
  return n_received + grants_.search(sf, prbs);
}

int comm_monitor::examine_unexplained(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs) {
  const int n_received = follow_grants(sf, buffers, true);
  return n_received + grants_.search(sf, prbs);
}

bool comm_monitor::receive_unannounced(const subframe_view& sf, soft_buffers& buffers) {
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
      any = true;
      grants_.report(sf, k.mcs, c, r, 1);
      unannounced_->learn(c, k.mcs, sf.index);
      break;
    }
  }
  return any;
}

// Nothing is known but the SCI: any later subframe may hold a transmission, with any n_ssf, which its DMRS tell.
bool comm_monitor::receive_searched(const subframe_view& sf, soft_buffers& buffers, tm2_grants::grant& g) {
  std::array<choice, 3> room;
  const std::span<const choice> choices = find_choices(sf, g, room);
  if (choices.empty()) return false;
  const float best = choices[0].metric;
  const bool counts = !sf.trial && g.taken_index != sf.index;
  if (counts) {
    if (g.count % transmissions_per_block == 0) tm2_grants::close_block(sf.statistics, g);
    g.block = g.count / transmissions_per_block;
    g.present = g.present || best >= clear_pssch_metric;
  }
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (choices[i].metric < worth_decoding * best) break;
    if (receive_choice(sf, buffers, g, choices[i].config, i == 0 && counts)) return true;
  }
  // Not decoded, but clearly there: it may need the others of its block.
  return !sf.trial && best >= clear_pssch_metric;
}

// The grant's PSSCH with each n_ssf: those with the highest DMRS metric, the best first.
std::span<const comm_monitor::choice> comm_monitor::find_choices(const subframe_view& sf, const tm2_grants::grant& g,
                                                                 std::span<choice> room) const {
  std::size_t n = 0;
  for (int n_ssf = 0; n_ssf < 10; ++n_ssf) {
    const auto c = grants_.pool().pssch(g.sci, n_ssf);
    if (!c ||
        beyond_capacity(sf.rx.config().carrier, c->n_prb, {c->modulation_order, c->tbs}, transmissions_per_block) ||
        !sf.rx.pssch_plausible(*c, hints_of(g.signal)))
      continue;
    const float m = sf.rx.pssch_dmrs_metric(*c, hints_of(g.signal));
    if (m < least_pssch_metric_tm2(*c)) continue;
    std::size_t at = n;
    while (at > 0 && room[at - 1].metric < m) --at;
    if (at == room.size()) continue;
    n = std::min(n + 1, room.size());
    for (std::size_t i = n - 1; i > at; --i) room[i] = room[i - 1];
    room[at] = {*c, m};
  }
  return room.first(n);
}

// Which of the four transmissions of its block it is follows from counting, and where that fails from trying.
bool comm_monitor::receive_choice(const subframe_view& sf, soft_buffers& buffers, tm2_grants::grant& g, pssch_config c,
                                  bool in_turn) {
  const signal_hints hints{};  // PSSCH need not be where PSCCH was, and its DMRS give timing and carrier offset as well
  transport_result r;
  int transmissions = 1;
  if (in_turn) {  // the next transmission of the block in the buffer, or the first of a new one
    g.taken_index = sf.index;
    const int turn = g.count++ % transmissions_per_block;
    const bool fresh = turn == 0;
    if (fresh) g.decoded = false;
    c.rv = rv_order[turn];
    if (!g.decoded) {
      r = grants_.combine(sf, buffers, g, c, fresh);
      transmissions = g.combined;
      if (r.crc_ok) g.decoded = true;
    } else {
      r = grants_.alone(sf, buffers, c, hints);
    }
  }
  // Out of step: every redundancy version by itself. If its block is decoded already, only the first transmission of
  // another block is of interest.
  for (int t = 0; t < (g.decoded ? 1 : transmissions_per_block) && !r.crc_ok; ++t) {
    c.rv = rv_order[t];
    r = grants_.alone(sf, buffers, c, hints);
    transmissions = 1;
    if (r.crc_ok) {
      g.count = g.count / transmissions_per_block * transmissions_per_block + t + 1;
      g.decoded = true;
    }
  }
  if (!r.crc_ok) return false;
  g.last_index = sf.index;
  grants_.report(sf, g.sci.mcs, c, r, transmissions);
  if (unannounced_) unannounced_->learn(c, g.sci.mcs, sf.index);
  return true;
}

}  // namespace prose::phy
