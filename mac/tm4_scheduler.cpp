#include "mac/tm4_scheduler.h"

#include <algorithm>

#include "mac/random.h"
#include "phy/types/open_bits.h"

namespace prose::mac {

namespace {
constexpr int largest_gap = 15;      // SF_gap has four bits (TS 36.213 14.1.1.7)
constexpr int smallest_t2 = 20;      // 20 <= T2 <= 100 (14.1.1.6)
constexpr int reservation_t2 = 100;  // also how far ahead a process counts as serving a flow
constexpr int unused_limit = 1000;   // subframes of the pool: "1 second" of TS 36.321 5.14.1.1
constexpr int blocks_a_turn = 8;  // NOT 3GPP: then a process gives way to another flow; 160 ms at the shortest period
constexpr std::int64_t never = INT64_MAX / 2;  // the next transmission of a process that ends
constexpr int cyclic_shifts[] = {0, 3, 6, 9};  // of the PSCCH DMRS (TS 36.211 9.8), drawn for each transmission
constexpr int codes_of_p_step = 10;            // resource reservation 1..10: that many times P_step
constexpr int code_half = 11, code_fifth = 12;
constexpr int period_half = sensing_p_step / 2, period_fifth = sensing_p_step / 5;

// TS 36.213 table 14.2.1-2.
int reservation_code(int period_ms) {
  if (period_ms == period_half) return code_half;
  if (period_ms == period_fifth) return code_fifth;
  return period_ms / sensing_p_step;
}
int reservation_period(int code) {
  if (code >= 1 && code <= codes_of_p_step) return code * sensing_p_step;
  if (code == code_half) return period_half;
  return code == code_fifth ? period_fifth : 0;
}
sensing_config sensing_of(const tm4_config& c, const phy::v2x_pool& pool) {
  sensing_config s;
  s.n_subchannels = pool.config().n_subchannels;
  s.threshold_dbm = c.threshold_dbm;
  return s;
}
}  // namespace

bool leaves_bits_open(const phy::v2x_pool& pool, int mcs, int n_subchannels) {
  const auto prbs = pool.pssch_prbs(0, n_subchannels);
  return prbs &&
         phy::open_bits({.n_prb = pool.config().n_prb, .tm = phy::transmission_mode::tm4}, mcs, prbs->length) > 0;
}

// Short gaps keep the blocks of several processes from interleaving.
int most_gap(const tm4_config& c) {
  return c.reservation_period_ms != 0 ? std::clamp(c.reservation_period_ms / (2 * c.max_processes), 2, largest_gap)
                                      : largest_gap;
}

tm4_scheduler::tm4_scheduler(const tm4_config& config, const phy::v2x_pool& pool, security_port& security)
    : config_(config), pool_(pool), security_(security), history_(sensing_of(config, pool)) {
  config_.max_subchannels = std::min(config_.max_subchannels, pool_.config().n_subchannels);
}

void tm4_scheduler::reset() {
  processes_.clear();
  announced_.clear();
  history_.clear();
}

std::size_t tm4_scheduler::octets_of(int count) const {
  const auto prbs = pool_.pssch_prbs(0, count);
  if (!prbs) return 0;
  const auto t = phy::pssch_transport(phy::transmission_mode::tm4, config_.mcs, prbs->length);
  const std::size_t octets = t ? t->tbs / 8 : 0;
  if (!config_.retransmit && leaves_bits_open(pool_, config_.mcs, count)) return 0;
  return octets >= min_block_octets ? octets : 0;
}

std::size_t tm4_scheduler::block_capacity() const {
  std::size_t largest = 0;
  for (int c = 1; c <= config_.max_subchannels; ++c) largest = std::max(largest, octets_of(c));
  return largest;
}

// k of t_k^SL, continued over the cycles of the DFN.
std::int64_t tm4_scheduler::index_of(std::int64_t local, int absolute) const {
  const int k = pool_.index_of(absolute);
  if (k < 0) return -1;
  std::int64_t cycle = (local - absolute) / dfn_subframes;
  if ((local - absolute) % dfn_subframes < 0) --cycle;
  return (cycle + 1) * pool_.set_size() + k;
}

// SL_RESOURCE_RESELECTION_COUNTER (TS 36.321 5.14.1.1): 25..75, 10..30 or 5..15.
int tm4_scheduler::draw_counter(int period, security::random_port& random) {
  const auto uniform = [&](int low, int high) { return low + below(random, high - low + 1); };
  if (period == period_fifth) return uniform(25, 75);
  if (period == period_half) return uniform(10, 30);
  return uniform(5, 15);
}

void tm4_scheduler::heard_sci(std::int64_t local, int absolute, const phy::sci_format1& sci, int pscch_prb,
                              double rsrp_dbm) {
  const std::int64_t y = index_of(local, absolute);
  const auto a = pool_.allocation_of(sci, pscch_prb);
  if (y < 0 || !a) return;
  sensed_sci s{
      y,       a->first_subchannel, a->n_subchannels, sci.priority + 1, reservation_period(sci.resource_reservation),
      rsrp_dbm};
  history_.heard(s);
  if (a->has_other && a->other_distance > 0) {
    s.y += a->other_distance;
    s.first_subchannel = a->other_first_subchannel;
    history_.heard(s);
  }
}

void tm4_scheduler::subframe_over(std::int64_t local, int absolute, bool transmitted, std::span<const double> rssi) {
  if (const std::int64_t y = index_of(local, absolute); y >= 0) history_.subframe(y, !transmitted, rssi);
}

bool tm4_scheduler::own_use(std::int64_t y) const {
  // A place that a process reserved and gave up counts as taken, as any other UE's would. A transmission there would
  // tell that its sender is the UE that reserved it.
  if (std::find(announced_.begin(), announced_.end(), y) != announced_.end()) return true;
  for (const auto& p : processes_) {
    if (p.block && p.gap != 0 && p.block_at + p.gap == y) return true;
    if (y == p.next || (p.gap != 0 && y == p.next + p.gap)) return true;
    // Also before its next transmission: what starts there recurs in the same period.
    if (p.period != 0 && p.next != never &&
        ((y - p.next) % p.period == 0 || (p.gap != 0 && (y - p.next - p.gap) % p.period == 0)))
      return true;
  }
  return false;
}

bool tm4_scheduler::is_served(const tx_flow& f) const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [&](const process& p) { return p.next != never && serves(p, f); });
}

/// The flow that one more process is to be selected for, if any.
const tx_flow* tm4_scheduler::lacks_process(std::int64_t y, tx_flows& flows) const {
  // A process that has not sent yet will carry what waits. Another one is selected only for more than that.
  auto fresh =
      std::count_if(processes_.begin(), processes_.end(), [](const process& p) { return p.next != never && !p.flow; });
  const auto waiting = flows.waiting();
  for (const auto* f : waiting)
    if (!is_served(*f) && fresh-- == 0) return f;
  for (const auto* f : waiting) {
    std::size_t coming = 0;
    for (const auto& p : processes_)
      if ((!p.flow || serves(p, *f)) && p.next >= y && p.next - y <= reservation_t2) coming += octets_of(p.count);
    if (flows.backlog(*f) > coming) return f;
  }
  return nullptr;
}

void tm4_scheduler::decide(std::int64_t local, int absolute, tx_flows& flows, time_ms now, subframe_transmission& out) {
  const std::int64_t y = index_of(local, absolute);
  if (y < 0) return;
  std::erase_if(announced_, [&](std::int64_t at) { return at < y; });
  const bool may_select = static_cast<int>(processes_.size()) < config_.max_processes;
  const bool due = std::any_of(processes_.begin(), processes_.end(), [&](const process& p) { return p.next == y; });
  if ((may_select || due) && flows.any_waiting()) flows.prepare(2 * block_capacity(), now);
  if (may_select)
    if (const tx_flow* f = lacks_process(y, flows)) select(y, *f, flows);
  fill(y, absolute, flows, now, out);
}

void tm4_scheduler::select(std::int64_t y, const tx_flow& f, const tx_flows& flows) {
  const std::size_t backlog = flows.backlog(f);
  process p;
  for (int c = 1; c <= config_.max_subchannels; ++c) {
    if (octets_of(c) == 0) continue;
    p.count = c;
    if (octets_of(c) >= backlog + block_header_octets) break;
  }
  auto& random = p.random.emplace(for_one_decision(security_.random(security::stream_purpose::grants, f.peer)));
  p.period = config_.reservation_period_ms;
  p.counter = p.period != 0 ? draw_counter(p.period, random) : 1;
  selection_request q;
  q.n = y;
  q.n_subchannels = p.count;
  q.priority = config_.priority;
  q.period_subframes = p.period;
  q.c_resel = p.period != 0 ? 10 * p.counter : 1;
  // The decision runs ahead of the air by the modem's lead, which stands for T1.
  q.t1 = 1;
  q.t2 = p.period != 0 ? std::clamp(p.period, smallest_t2, reservation_t2) : config_.t2;
  usable_.assign(q.t2 - q.t1 + 1, 0);
  for (int i = 0; i < std::ssize(usable_); ++i) {
    const std::int64_t at = y + q.t1 + i;
    usable_[i] = pool_.contains(pool_.subframe_of(static_cast<int>(at % pool_.set_size()))) && !own_use(at) ? 1 : 0;
  }
  q.usable = usable_;
  const auto outcome = history_.candidates(q, candidates_);
  ++counters_.selections;
  counters_.raised_thresholds += outcome.threshold_raises;
  if (candidates_.empty()) return;
  const auto first = candidates_[below(random, static_cast<int>(candidates_.size()))];
  p.next = first.y;
  p.first = p.other_first = first.first_subchannel;
  if (config_.retransmit) {
    // 36.213 14.1.1.7: within 15 subframes of the pool, and not a multiple of the period away.
    const int gap = most_gap(config_);
    std::erase_if(candidates_, [&](const candidate_resource& c) {
      const auto d = c.y - first.y;
      return d == 0 || d > gap || d < -gap || (p.period != 0 && d % p.period == 0);
    });
    if (!candidates_.empty()) {
      const auto second = candidates_[below(random, static_cast<int>(candidates_.size()))];
      const bool later = second.y > first.y;
      p.next = later ? first.y : second.y;
      p.first = later ? first.first_subchannel : second.first_subchannel;
      p.other_first = later ? second.first_subchannel : first.first_subchannel;
      p.gap = static_cast<int>(later ? second.y - first.y : first.y - second.y);
    }
  }
  if (p.gap == 0 && leaves_bits_open(pool_, config_.mcs, p.count)) return;  // the next subframe has other candidates
  processes_.push_back(std::move(p));
  ++counters_.grants;
}

void tm4_scheduler::emit(process& p, bool second, std::int64_t y, int absolute, subframe_transmission& out) {
  phy::sci_format1 sci;
  sci.priority = static_cast<std::uint8_t>(config_.priority - 1);
  sci.resource_reservation = static_cast<std::uint8_t>(reservation_code(p.last ? 0 : p.period));
  sci.time_gap = static_cast<std::uint8_t>(p.gap);
  sci.mcs = static_cast<std::uint8_t>(config_.mcs);
  sci.retransmission_index = second ? 1 : 0;
  const int own = second ? p.other_first : p.first;
  sci.frequency_location = pool_.frequency_location(p.gap == 0 ? own : second ? p.first : p.other_first, p.count);
  const int prb = pool_.pscch_prbs()[own];
  auto config = pool_.pssch(sci, prb, 0, pool_.n_ssf(absolute));
  if (!config) return;
  out.pscch = pscch_transmission{{prb, cyclic_shifts[below(*p.random, std::ssize(cyclic_shifts))]}, sci};
  out.pssch = pssch_transmission{*config, p.block};
  if (!p.last && p.period != 0) announced_.push_back(y + p.period);
  ++counters_.pscch;
  ++counters_.pssch;
}

/// The flow whose block the process carries next: its own, or, if it has none yet, the most urgent that no process
/// serves.
tx_flow* tm4_scheduler::next_flow(const process& p, std::int64_t y, tx_flows& flows) const {
  // RLC UM has no reordering on STCH (window 0). So a flow's next block waits until the one before has been repeated;
  // otherwise a later block would overtake one whose first transmission was lost.
  const auto held = [&](const tx_flow& f) {
    return std::any_of(processes_.begin(), processes_.end(), [&](const process& o) {
      return &o != &p && serves(o, f) && (o.again > 0 || (o.block && o.gap != 0 && o.block_at + o.gap >= y));
    });
  };
  tx_flow* second_choice = nullptr;
  for (auto* f : flows.waiting()) {
    if (held(*f) || (p.flow && !serves(p, *f))) continue;
    if (p.flow || !is_served(*f)) return f;
    if (second_choice == nullptr) second_choice = f;
  }
  return second_choice;
}

/// NOT 3GPP: a process serves one flow, so it gives way once another flow waits and no process is left for it. It does
/// so at once if it carried nothing, if its flow has another process and for signalling, else after some blocks. Two
/// links and PC5-S take turns with two processes.
bool tm4_scheduler::must_yield(const process& p, tx_flows& flows) const {
  int others = 0;  // processes that are free for another flow, now or soon
  int own = 0;     // processes that serve this one's flow
  for (const auto& o : processes_) {
    others += &o != &p && (!o.flow || o.next == never);
    own += o.next != never && o.flow == p.flow;
  }
  others += config_.max_processes - static_cast<int>(processes_.size());
  for (const auto* f : flows.waiting())
    if (!is_served(*f) && others-- <= 0)
      return p.flow && (!p.block || own > 1 || f->has_signalling() || p.turns >= blocks_a_turn);
  return false;
}

void tm4_scheduler::fill(std::int64_t y, int absolute, tx_flows& flows, time_ms now, subframe_transmission& out) {
  for (auto& p : processes_) {
    if (p.block && p.gap != 0 && y == p.block_at + p.gap) {
      if (!out.pssch && pool_.contains(absolute)) emit(p, true, y, absolute, out);
      p.block.reset();
      p.last = false;
      continue;
    }
    // If a stall has skipped a planned subframe, the process goes on with its next opportunity.
    while (p.next < y && p.period != 0) p.next += p.period;
    if (p.next != y) continue;
    p.block.reset();
    const bool usable = !out.pssch && pool_.contains(absolute);
    tx_flow* f = usable && p.again == 0 ? next_flow(p, y, flows) : nullptr;
    auto octets = std::make_shared<std::vector<std::uint8_t>>(octets_of(p.count));
    if (p.again > 0 && usable) {
      p.block = p.kept;
      if (--p.again == 0) p.kept.reset();
    } else if (f != nullptr && flows.build(*f, sl_sch_version::v2x, *octets, now)) {
      p.block = std::move(octets);
      p.flow = {f->src, f->dst};
      p.again = config_.repeat - 1;
      p.kept = p.again > 0 ? p.block : nullptr;
      ++counters_.blocks;
    } else {
      ++p.missed;
      ++counters_.unused;
    }
    // TS 36.321 5.14.1.1: resources are given up that were not used so many times in a row, or for a second.
    bool keep = p.period != 0 && p.missed < config_.reselect_after && p.missed * p.period < unused_limit;
    if (p.block) {
      p.block_at = y;
      p.missed = 0;
      ++p.turns;
      // 5.14.1.2.2: the counter counts PDUs that are sent. It is looked at one PDU ahead, because the last PDU
      // announces no reservation.
      if (keep && --p.counter == 0) {
        keep = chance(*p.random, config_.prob_resource_keep);
        if (keep)
          p.counter = draw_counter(p.period, *p.random);
        else
          ++counters_.reselections;
      }
    }
    if (keep && p.again == 0 && must_yield(p, flows)) keep = false;
    p.last = !keep;
    if (!keep) p.again = 0, p.kept.reset();
    if (p.block) emit(p, false, y, absolute, out);
    p.next = keep ? y + p.period : never;
  }
  std::erase_if(processes_, [&](const process& p) {
    const bool over = p.next < y || p.next == never;
    return over && (!p.block || p.gap == 0 || p.block_at + p.gap <= y);
  });
}

}  // namespace prose::mac
