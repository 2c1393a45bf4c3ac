#include "mac/sync_reference.h"

#include <algorithm>
#include <cmath>

#include "phy/types/channels.h"

namespace prose::mac {

namespace {
// SLSSIDs (TS 36.211 9.7): 0..167 name a network's timing, the others a UE's own, out of coverage.
constexpr int first_oon_id = 168;
constexpr double filter_a = 0.5;  // layer-3 filtering (TS 36.331 5.5.3.2) with filterCoefficient fc4

// Chosen, and tried in simulated starts and lines of UEs (mac/README.md).
constexpr int times_to_follow = 3;        // SLSS of a reference before it is followed; one may be a fault of reception
constexpr int times_to_yield = 2;         // likewise of another reference, before a reference follows it
constexpr int conflicts_to_redraw = 3;    // SLSS in a row with our identity and another timing; fewer may be multipath
constexpr int silence_lead_periods = 3;   // a silence begins so much later: transmissions are decided ahead
constexpr int silence_after_periods = 5;  // a silence goes on so long after whoever depends on us has fallen silent too
constexpr int heard_margin_periods = 3;   // in a silence, who does not depend on us was heard until so near its end
constexpr int shared_gap_periods = 32;    // a reference hears its own SLSS subframes every 15 periods at least, and may
                                          // miss some
constexpr int shared_periods = 100;       // whoever follows our follower has heard us long before
constexpr int muting_group = 8;           // a reference listens in one of so many of its own SLSS subframes

// 5.10.8.2: in coverage first, then an in-coverage identity out of coverage, then the rest.
constexpr int group_in_coverage = 0;
constexpr int group_relays_coverage = 1;
constexpr int group_out_of_coverage = 2;

std::int64_t modulo(std::int64_t v, std::int64_t m) { return ((v % m) + m) % m; }
}  // namespace

const char* name_of(sync_role r) {
  switch (r) {
    case sync_role::searching:
      return "searching";
    case sync_role::reference:
      return "reference";
    case sync_role::follower:
      return "follower";
    case sync_role::holdover:
      return "holdover";
    case sync_role::gnss:
      return "gnss";
  }
  return "?";
}

sync_reference::sync_reference(const sync_config& config, int n_prb, std::uint32_t (*random)(void*),
                               void* random_context, std::uint32_t (*muting)(void*))
    : config_(config),
      n_prb_(n_prb),
      random_(random),
      random_context_(random_context),
      muting_(muting != nullptr ? muting : random) {
  if (config_.mode == time_mode::gnss) role_ = sync_role::gnss;
  tx_offset_ = config_.offset_1;
  draw_id();
}

// TS 36.331 5.10.7.3: without a reference, SLSSID is drawn uniformly from the out-of-coverage set.
void sync_reference::draw_id() {
  constexpr std::uint32_t n_oon_ids = phy::n_slss_ids - first_oon_id;
  n_sl_id_ = first_oon_id + static_cast<int>(random_(random_context_) % n_oon_ids);
}

// NOT 3GPP: a reference listens in one of eight of its own SLSS subframes. Two references with the same timing (both
// had followed one that left) would otherwise always transmit together and never hear each other. During a scan it
// listens in every other period, and in all periods once a reference was heard that may be followed.
bool sync_reference::mutes(std::int64_t local) const {
  const std::int64_t period = config_.period_subframes;
  if (local >= scan_from_ && local < scan_until_ &&
      ((local - scan_from_) / period % 2 == scan_parity_ || local < scan_listens_until_))
    return true;
  return muted_at_random(local / period);
}

// The place is drawn anew for each group of eight. With a seed and a hash, an observer of the places could find the
// seed. There is one in every group, because two references that have not heard each other go on until one listens.
bool sync_reference::muted_at_random(std::int64_t period) const {
  const std::int64_t size = std::ssize(muted_);
  const std::int64_t at = period / muting_group;
  if (at >= muted_until_ + size) muted_from_ = muted_until_ = at;
  if (at < muted_from_) return false;  // it is over
  for (; muted_until_ <= at; ++muted_until_) {
    muted_[muted_until_ % size] = static_cast<std::uint8_t>(muting_(random_context_) % muting_group);
    muted_from_ = std::max(muted_from_, muted_until_ + 1 - size);
  }
  return muted_[at % size] == period % muting_group;
}

std::optional<int> sync_reference::reference_id() const {
  return role_ == sync_role::follower ? std::optional<int>(current_.n_sl_id) : std::nullopt;
}

int sync_reference::dfn_subframe(std::int64_t local) const {
  return static_cast<int>(modulo(local + dfn_offset_, dfn_subframes));
}

void sync_reference::renumber(std::int64_t subframes) { dfn_offset_ = modulo(dfn_offset_ + subframes, dfn_subframes); }

bool sync_reference::is_slss_subframe(std::int64_t local) const {
  if (role_ == sync_role::searching || role_ == sync_role::gnss) return false;
  const int at = dfn_subframe(local) % config_.period_subframes;
  return at == config_.offset_1 || at == config_.offset_2;
}

bool sync_reference::searches(std::int64_t local) const {
  if (role_ == sync_role::gnss) return false;
  return role_ == sync_role::searching || role_ == sync_role::holdover || (local >= scan_from_ && local < scan_until_);
}

bool sync_reference::other_timing(const candidate& c) const {
  return c.dfn_offset != dfn_offset_ || std::abs(c.timing_offset_samples) > config_.same_timing_samples;
}

int sync_reference::scan_jitter(int below) {
  return static_cast<int>(random_(random_context_) % static_cast<std::uint32_t>(below));
}

// A candidate that would change nothing need not be heard again: a scan costs own SLSS, for which others scan. The own
// identity counts, because another reference may have drawn it.
bool sync_reference::may_be_followed(const candidate& c) const {
  const int own_group = role_ == sync_role::follower ? priority_group(current_) : group_out_of_coverage;
  if (priority_group(c) != own_group) return priority_group(c) < own_group;
  if (role_ == sync_role::reference) return c.n_sl_id <= n_sl_id_;
  return !config_.merge_by_identity || c.n_sl_id < current_.n_sl_id;
}

// Several UEs that start together may all become references; none hears the others at its own SLSS offsets. So the
// first scans come soon after a change of timing. A reference is followed once it was heard several times; a scan is
// prolonged for that.
void sync_reference::plan_scan(std::int64_t now) {
  const std::int64_t period = config_.period_subframes;
  if (now < scan_until_) {
    const std::int64_t longest = scan_from_ + config_.longest_scan_periods * period;
    for (const auto& c : heard_)
      if (c.used && c.last_heard >= scan_from_ && c.n_heard < times_to_follow && other_timing(c) && suitable(c) &&
          may_be_followed(c))
        scan_until_ = scan_listens_until_ = std::max(scan_until_, std::min(longest, c.last_heard + 2 * period + 2));
  } else if (now >= next_scan_) {
    scan_from_ = now;
    scan_parity_ = scan_jitter(2);  // two UEs that scan at once must not leave out the same SLSS
    scan_until_ = now + config_.scan_periods * period + 2;
    next_scan_ = scan_until_ + scan_gap_ + scan_jitter(scan_gap_ / 4 + 1);
    scan_gap_ = std::min(2 * scan_gap_, config_.scan_every_subframes);
  }
}

// NOT 3GPP: a MIB-SL does not tell how far its sender is from the reference. Let A follow a reference and B follow A.
// If the reference leaves and A hears B, the two follow each other for ever, and propagation delay makes their timing
// run away. So B falls silent at times, for a little longer than A needs to lose a reference. If A falls silent too, it
// depended on B: B becomes the reference and keeps identity and timing, and A comes back. Other UEs lose nothing: a UE
// that loses B keeps the timing for hold_periods. A ring of more than two UEs would not be noticed.
void sync_reference::plan_silence(std::int64_t now, sync_actions& out) {
  const std::int64_t period = config_.period_subframes;
  if (silent_until_ > silent_from_ && now >= silent_until_) {
    const std::int64_t lost = silent_until_ - silence_after_periods * period;
    const bool was_heard = current_.last_heard >= silent_from_ + (config_.loss_periods - heard_margin_periods) * period;
    silent_from_ = silent_until_;
    if (was_heard && current_.last_heard < lost) {
      role_ = sync_role::reference;
      out.role_changed = true;
      return;
    }
  }
  if (now < next_silence_) return;
  silent_from_ = now + silence_lead_periods * period;
  silent_until_ = silent_from_ + (config_.loss_periods + silence_after_periods) * period;
  next_silence_ = silent_until_ + config_.silence_every_subframes + scan_jitter(config_.silence_every_subframes);
}

std::optional<slss_transmission> sync_reference::transmission(std::int64_t local) const {
  if (!config_.transmit_slss || (role_ != sync_role::reference && role_ != sync_role::follower)) return std::nullopt;
  // 5.10.7.2: a follower transmits only where its reference is weak.
  if (role_ == sync_role::follower && current_.s_rsrp_dbm >= config_.tx_threshold_dbm) return std::nullopt;
  const int dfn = dfn_subframe(local);
  if (dfn % config_.period_subframes != tx_offset_) return std::nullopt;
  if (follows_a_follower() && local >= silent_from_ && local < silent_until_) return std::nullopt;
  // A follower's follower sends at the offset where the reference itself may send.
  if ((role_ == sync_role::reference || tx_offset_ == config_.offset_1) && mutes(local)) return std::nullopt;
  slss_transmission t;
  t.n_sl_id = n_sl_id_;
  t.mib.n_prb = n_prb_;
  t.mib.direct_frame_number = static_cast<std::uint16_t>(dfn / 10);
  t.mib.direct_subframe_number = static_cast<std::uint8_t>(dfn % 10);
  return t;
}

std::int64_t sync_reference::next_deadline() const {
  if (role_ == sync_role::searching || role_ == sync_role::holdover) return search_ends_.value_or(0);
  if (role_ == sync_role::follower)
    return current_.last_heard + std::int64_t{config_.loss_periods} * config_.period_subframes + 1;
  return INT64_MAX;
}

int sync_reference::priority_group(const candidate& c) {
  if (c.in_coverage) return group_in_coverage;
  return c.n_sl_id < first_oon_id ? group_relays_coverage : group_out_of_coverage;
}

bool sync_reference::preferred(const candidate& c, const candidate* to) {
  if (to == nullptr) return true;
  if (priority_group(c) != priority_group(*to)) return priority_group(c) < priority_group(*to);
  return c.s_rsrp_dbm > to->s_rsrp_dbm;
}

bool sync_reference::suitable(const candidate& c) const {
  if (!c.used || c.s_rsrp_dbm < config_.min_s_rsrp_dbm + config_.min_hysteresis_db) return false;
  // NOT 3GPP: of one identity heard at both offsets, the reference sends at the first (as ours do) and its followers at
  // the second. A UE that took a follower for the reference would send where the reference sends, and two UEs that
  // follow each other drift away together.
  return c.in_coverage || c.slss_offset == config_.offset_1 ||
         std::none_of(heard_.begin(), heard_.end(), [&](const candidate& o) {
           return o.used && o.n_sl_id == c.n_sl_id && o.dfn_offset == c.dfn_offset &&
                  o.slss_offset == config_.offset_1 && o.s_rsrp_dbm >= config_.min_s_rsrp_dbm;
         });
}

sync_reference::candidate& sync_reference::slot_for(const slss_heard& h, std::int64_t dfn_offset) {
  candidate* oldest = &heard_[0];
  for (auto& c : heard_) {
    if (c.used && c.n_sl_id == h.n_sl_id && c.dfn_offset == dfn_offset &&
        c.slss_offset == static_cast<int>(modulo(h.dfn_subframe, config_.period_subframes)))
      return c;
    if (!c.used) {
      if (oldest->used) oldest = &c;
    } else if (oldest->used && c.last_heard < oldest->last_heard) {
      oldest = &c;
    }
  }
  *oldest = candidate{};
  return *oldest;
}

void sync_reference::become_reference(sync_actions& out) {
  // The timing that was kept so far goes on: what others hear does not jump when a reference leaves.
  const bool had_timing = role_ == sync_role::holdover;
  role_ = sync_role::reference;
  draw_id();
  tx_offset_ = config_.offset_1;
  if (!had_timing) {
    dfn_offset_ = random_(random_context_) % std::uint32_t{dfn_subframes};
    out.timing_changed = true;
  }
  out.role_changed = true;
}

void sync_reference::follow(const candidate& c, sync_actions& out) {
  const bool jump = role_ == sync_role::searching || other_timing(c);
  role_ = sync_role::follower;
  dfn_offset_ = c.dfn_offset;
  const double shift = c.timing_offset_samples;  // c may be one of heard_
  out.shift_samples += shift;
  out.timing_changed = out.timing_changed || jump;
  out.role_changed = true;
  current_ = c;
  // 5.10.7.3: the reference's identity; +168 where an out-of-coverage UE already relays an in-coverage one.
  n_sl_id_ = !c.in_coverage && c.n_sl_id < first_oon_id ? c.n_sl_id + first_oon_id : c.n_sl_id;
  // The other offset, so that the reference stays audible while we transmit.
  tx_offset_ = c.slss_offset == config_.offset_1 ? config_.offset_2 : config_.offset_1;
  silent_from_ = silent_until_ = 0;
  next_silence_ = c.last_heard + config_.silence_every_subframes + scan_jitter(config_.silence_every_subframes);
  for (auto& h : heard_) h.timing_offset_samples -= shift;
  current_.timing_offset_samples = 0;
}

std::int64_t sync_reference::random_part_of_search() {
  const std::uint32_t spread = config_.search_periods * config_.period_subframes;
  return random_(random_context_) % spread;
}

// One SLSS. Its sender becomes a candidate or is updated.
void sync_reference::hear(const slss_heard& h, sync_actions& out) {
  if (h.n_sl_id < 0 || h.n_sl_id >= phy::n_slss_ids || h.dfn_subframe < 0 || h.dfn_subframe >= dfn_subframes) return;
  const auto dfn_offset = modulo(h.dfn_subframe - h.local_subframe, dfn_subframes);
  candidate& c = slot_for(h, dfn_offset);
  const bool fresh = !c.used;
  c.used = true;
  c.n_sl_id = h.n_sl_id;
  c.in_coverage = h.in_coverage;
  c.dfn_offset = dfn_offset;
  c.last_heard = h.local_subframe;
  // It was measured before the tracking of this step.
  c.timing_offset_samples = h.timing_offset_samples - out.shift_samples;
  c.slss_offset = static_cast<int>(modulo(h.dfn_subframe, config_.period_subframes));
  c.s_rsrp_dbm = fresh ? h.s_rsrp_dbm : (1 - filter_a) * c.s_rsrp_dbm + filter_a * h.s_rsrp_dbm;
  ++c.n_heard;
  if (role_ == sync_role::follower && c.n_sl_id == current_.n_sl_id && c.dfn_offset == current_.dfn_offset &&
      c.slss_offset == current_.slss_offset)
    track(c, h.timing_offset_samples, out);
  if (role_ == sync_role::reference && c.n_sl_id == n_sl_id_) watch_own_identity(c, out);
}

void sync_reference::track(const candidate& c, double timing_offset_samples, sync_actions& out) {
  current_.last_heard = c.last_heard;
  current_.s_rsrp_dbm = c.s_rsrp_dbm;
  const double step = config_.tracking_gain * timing_offset_samples;
  out.shift_samples += step;
  for (auto& o : heard_) o.timing_offset_samples -= step;
}

// Two references may have drawn the same identity. Another timing tells them apart. With our timing, and where we send
// ourselves, the sender may also be a UE that follows our follower: it looks for us and stops soon, and a new identity
// would leave those two to follow each other.
void sync_reference::watch_own_identity(candidate& c, sync_actions& out) {
  const std::int64_t period = config_.period_subframes;
  c.conflicts = other_timing(c) ? c.conflicts + 1 : 0;
  if (c.conflicts == 0 && c.slss_offset == tx_offset_) {
    if (c.last_heard - shared_last_ > shared_gap_periods * period) shared_from_ = c.last_heard;
    shared_last_ = c.last_heard;
  }
  if (c.conflicts < conflicts_to_redraw && shared_last_ - shared_from_ <= shared_periods * period) return;
  for (auto& o : heard_) o.conflicts = 0;
  shared_from_ = shared_last_;
  draw_id();
  out.role_changed = true;
}

// The timing of a reference that is gone or too weak is kept for a while. Others that followed it miss it too; the one
// with the shortest random wait becomes the next reference.
void sync_reference::hold_over(std::int64_t now, sync_actions& out) {
  const std::int64_t period = config_.period_subframes;
  if (role_ != sync_role::follower) return;
  const bool gone = now - current_.last_heard > config_.loss_periods * period;
  if (!gone && current_.s_rsrp_dbm >= config_.min_s_rsrp_dbm) return;
  role_ = sync_role::holdover;
  out.role_changed = true;
  search_ends_ = now + config_.hold_periods * period + random_part_of_search();
}

// The search goes on to its end, so that the strongest reference is known. It ends early once one was heard often
// enough.
void sync_reference::end_search(std::int64_t now, sync_actions& out) {
  const candidate* best = nullptr;
  for (const auto& c : heard_)
    if (suitable(c) && preferred(c, best)) best = &c;
  if (best != nullptr && (best->n_heard >= times_to_follow || now >= *search_ends_)) {
    follow(*best, out);
  } else if (now >= *search_ends_) {
    become_reference(out);
  }
}

// NOT 3GPP: of two references that hear each other the one with the smaller identity stays; otherwise each would adopt
// the other's timing at once. An identity in coverage always wins.
const sync_reference::candidate* sync_reference::reference_to_yield_to() const {
  const candidate* smallest = nullptr;
  for (const auto& c : heard_) {
    if (!suitable(c) || c.n_heard < times_to_yield) continue;
    if (priority_group(c) == group_out_of_coverage && c.n_sl_id >= n_sl_id_) continue;
    if (smallest == nullptr || priority_group(c) < priority_group(*smallest) ||
        (priority_group(c) == priority_group(*smallest) && c.n_sl_id < smallest->n_sl_id))
      smallest = &c;
  }
  return smallest;
}

bool sync_reference::better_than_current(const candidate& c) const {
  if (priority_group(c) != priority_group(current_)) return priority_group(c) < priority_group(current_);
  if (config_.merge_by_identity && other_timing(c)) return c.n_sl_id < current_.n_sl_id;
  return c.s_rsrp_dbm >= current_.s_rsrp_dbm + config_.diff_hysteresis_db;
}

const sync_reference::candidate* sync_reference::better_reference() const {
  const candidate* best = nullptr;
  for (const auto& c : heard_) {
    if (!suitable(c)) continue;
    if (c.n_sl_id == current_.n_sl_id && c.dfn_offset == current_.dfn_offset) {
      // The reference itself is taken instead of its follower. Otherwise two UEs could follow each other for ever once
      // it has left.
      if (current_.slss_offset == config_.offset_2 && c.slss_offset == config_.offset_1) return &c;
      continue;
    }
    if (c.n_heard >= times_to_follow && better_than_current(c) && preferred(c, best)) best = &c;
  }
  return best;
}

void sync_reference::choose(std::int64_t now, sync_actions& out) {
  const candidate* other = nullptr;
  switch (role_) {
    case sync_role::searching:
    case sync_role::holdover:
      return end_search(now, out);
    case sync_role::reference:
      other = reference_to_yield_to();
      break;
    case sync_role::follower:
      other = better_reference();
      break;
    case sync_role::gnss:
      break;
  }
  if (other != nullptr) follow(*other, out);
}

sync_actions sync_reference::step(std::int64_t now, std::span<const slss_heard> heard) {
  sync_actions out;
  if (role_ == sync_role::gnss) return out;
  const std::int64_t period = config_.period_subframes;
  muted_from_ = std::max(muted_from_, (now / period - 1) / muting_group);
  muted_until_ = std::max(muted_until_, muted_from_);
  if (!search_ends_) search_ends_ = now + config_.search_periods * period + random_part_of_search();
  for (const auto& h : heard) hear(h, out);
  for (auto& c : heard_)
    if (c.used && now - c.last_heard > config_.loss_periods * period) c.used = false;
  hold_over(now, out);
  choose(now, out);
  if (out.timing_changed) {
    scan_gap_ = config_.scan_periods * config_.period_subframes;
    scan_until_ = now;
    next_scan_ = now + scan_gap_ + scan_jitter(scan_gap_);
  }
  if (follows_a_follower() && config_.transmit_slss) plan_silence(now, out);
  if (role_ == sync_role::reference || role_ == sync_role::follower) plan_scan(now);
  return out;
}

}  // namespace prose::mac
