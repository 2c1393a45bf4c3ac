#include "mac/sync_reference.h"

#include <algorithm>
#include <cmath>

namespace prose::mac {

namespace {
constexpr int first_oon_id = 168;
constexpr int times_to_follow = 3;  // that a reference must have been heard, but where there is no other timing to keep
constexpr int silence_lead_periods = 3;   // transmissions are decided ahead
constexpr int silence_after_periods = 5;  // of a silence, after whoever depends on it has fallen silent too
constexpr int shared_gap_periods =
    32;  // a reference listens to its own SLSS subframes every 15 periods at least, and may miss some
constexpr int shared_periods = 100;  // who follows a follower has heard the reference long before
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
void sync_reference::draw_id() { n_sl_id_ = first_oon_id + static_cast<int>(random_(random_context_) % 168U); }

// NOT 3GPP: a reference listens in one of eight of its own SLSS subframes. Two references with the same timing (both
// had followed one that left) would otherwise always transmit together and never hear each other. Likewise in every
// other period of a scan, for two whose SLSS fall into the same time, and in all that follow once one was heard that
// may be followed.
bool sync_reference::mutes(std::int64_t local) const {
  const std::int64_t period = config_.period_subframes;
  if (local >= scan_from_ && local < scan_until_ &&
      ((local - scan_from_) / period % 2 == scan_parity_ || local < scan_listens_until_))
    return true;
  return muted_at_random(local / period);
}

// Each eight draws its own: from a seed and a hash, whoever watches which are left out could find the seed. One in each
// eight, because two references that have not heard each other go on until one listens.
bool sync_reference::muted_at_random(std::int64_t period) const {
  constexpr int group = 8;
  const auto size = static_cast<std::int64_t>(muted_.size());
  const std::int64_t at = period / group;
  if (at >= muted_until_ + size) muted_from_ = muted_until_ = at;
  if (at < muted_from_) return false;  // it is over
  for (; muted_until_ <= at; ++muted_until_) {
    muted_[muted_until_ % size] = static_cast<std::uint8_t>(muting_(random_context_) % group);
    muted_from_ = std::max(muted_from_, muted_until_ + 1 - size);
  }
  return muted_[at % size] == period % group;
}

std::optional<int> sync_reference::reference_id() const {
  return role_ == sync_role::follower ? std::optional<int>(current_.n_sl_id) : std::nullopt;
}

int sync_reference::dfn_subframe(std::int64_t local) const {
  return static_cast<int>(modulo(local + dfn_offset_, dfn_subframes));
}

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
  return c.dfn_offset != dfn_offset_ || std::abs(c.timing_offset_samples) >= config_.same_timing_samples;
}

int sync_reference::scan_jitter(int below) {
  return static_cast<int>(random_(random_context_) % static_cast<std::uint32_t>(below));
}

// What would change nothing need not be heard again: a scan leaves out own SLSS, and others scan for those. The own
// identity is to be told from another's.
bool sync_reference::may_be_followed(const candidate& c) const {
  const int own_group = role_ == sync_role::follower ? priority_group(current_) : 2;
  if (priority_group(c) != own_group) return priority_group(c) < own_group;
  if (role_ == sync_role::reference) return c.n_sl_id <= n_sl_id_;
  return !config_.merge_by_identity || c.n_sl_id < current_.n_sl_id;
}

// Several UEs that start together may all become references; none hears the others at its own SLSS offsets. So the
// first scans come soon after a change of timing. A reference is followed once it was heard several times, in a row: a
// scan goes on for that.
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
    scan_parity_ = scan_jitter(2);  // two that scan at once must not leave out the same
    scan_until_ = now + config_.scan_periods * period + 2;
    next_scan_ = scan_until_ + scan_gap_ + scan_jitter(scan_gap_ / 4 + 1);
    scan_gap_ = std::min(2 * scan_gap_, config_.scan_every_subframes);
  }
}

// NOT 3GPP: a MIB-SL does not tell how far its reference is. Where A follows a reference and B follows A, the reference
// leaves and A hears B, the two follow each other for ever, and propagation delay makes their timing run away. So B is
// silent at times for a little longer than A needs to lose a reference. Where A falls silent too, it depended on B; B
// becomes the reference and keeps identity and timing, and A comes back. Others lose nothing: who loses B keeps the
// timing for hold_periods. Of more than two in a ring nobody would notice.
void sync_reference::plan_silence(std::int64_t now, sync_actions& out) {
  const std::int64_t period = config_.period_subframes;
  if (silent_until_ > silent_from_ && now >= silent_until_) {
    const std::int64_t lost = silent_until_ - silence_after_periods * period;
    const bool was_heard = current_.last_heard >= silent_from_ + (config_.loss_periods - 3) * period;
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
  // Who follows a follower sends where the reference itself may be.
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

// 5.10.8.2: in coverage first, then an in-coverage identity out of coverage, then the rest.
int sync_reference::priority_group(const candidate& c) {
  if (c.in_coverage) return 0;
  return c.n_sl_id < first_oon_id ? 1 : 2;
}

bool sync_reference::suitable(const candidate& c) const {
  if (!c.used || c.s_rsrp_dbm < config_.min_s_rsrp_dbm + config_.min_hysteresis_db) return false;
  // NOT 3GPP: one reference heard at both offsets is itself at the first (as ours are), its followers at the second.
  // Who took one of those for it would send where the reference sends, and two that follow each other drift away
  // together.
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
    dfn_offset_ = static_cast<std::int64_t>(random_(random_context_) % static_cast<std::uint32_t>(dfn_subframes));
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

sync_actions sync_reference::step(std::int64_t now, std::span<const slss_heard> heard) {
  sync_actions out;
  if (role_ == sync_role::gnss) return out;
  const std::int64_t period = config_.period_subframes;
  muted_from_ = std::max(muted_from_, (now / period - 1) / 8);
  muted_until_ = std::max(muted_until_, muted_from_);
  if (!search_ends_) {
    const auto spread = static_cast<std::uint32_t>(config_.search_periods * config_.period_subframes);
    search_ends_ = now + config_.search_periods * period + static_cast<std::int64_t>(random_(random_context_) % spread);
  }
  for (const auto& h : heard) {
    if (h.n_sl_id < 0 || h.n_sl_id >= 336 || h.dfn_subframe < 0 || h.dfn_subframe >= dfn_subframes) continue;
    const auto dfn_offset = modulo(h.dfn_subframe - h.local_subframe, dfn_subframes);
    candidate& c = slot_for(h, dfn_offset);
    const bool fresh = !c.used;
    c.used = true;
    c.n_sl_id = h.n_sl_id;
    c.in_coverage = h.in_coverage;
    c.dfn_offset = dfn_offset;
    c.last_heard = h.local_subframe;
    c.timing_offset_samples =
        h.timing_offset_samples - out.shift_samples;  // measured before what this call has tracked
    c.slss_offset = static_cast<int>(modulo(h.dfn_subframe, period));
    // Layer-3 filtering with a = 1/2 (TS 36.331 5.5.3.2, filterCoefficient fc4).
    c.s_rsrp_dbm = fresh ? h.s_rsrp_dbm : 0.5 * c.s_rsrp_dbm + 0.5 * h.s_rsrp_dbm;
    ++c.n_heard;
    if (role_ == sync_role::follower && c.n_sl_id == current_.n_sl_id && c.dfn_offset == current_.dfn_offset &&
        c.slss_offset == current_.slss_offset) {
      current_.last_heard = c.last_heard;
      current_.s_rsrp_dbm = c.s_rsrp_dbm;
      const double step = config_.tracking_gain * h.timing_offset_samples;
      out.shift_samples += step;
      for (auto& o : heard_) o.timing_offset_samples -= step;
    }
    // Two references drew the same identity: another timing tells them apart. One odd reception (multipath) is no
    // proof. With our timing and where we send ourselves it may also be who follows our follower: it looks for us and
    // ends soon, and a new identity would leave those two to follow each other.
    if (role_ == sync_role::reference && c.n_sl_id == n_sl_id_) {
      c.conflicts = other_timing(c) ? c.conflicts + 1 : 0;
      if (c.conflicts == 0 && c.slss_offset == tx_offset_) {
        if (h.local_subframe - shared_last_ > shared_gap_periods * period) shared_from_ = h.local_subframe;
        shared_last_ = h.local_subframe;
      }
      if (c.conflicts >= 3 || shared_last_ - shared_from_ > shared_periods * period) {
        for (auto& o : heard_) o.conflicts = 0;
        shared_from_ = shared_last_;
        draw_id();
        out.role_changed = true;
      }
    }
  }
  for (auto& c : heard_)
    if (c.used && now - c.last_heard > config_.loss_periods * period) c.used = false;

  if (role_ == sync_role::follower &&
      (now - current_.last_heard > config_.loss_periods * period || current_.s_rsrp_dbm < config_.min_s_rsrp_dbm)) {
    // Whoever followed the same reference misses it now too: who waits least becomes the next one.
    role_ = sync_role::holdover;
    out.role_changed = true;
    search_ends_ =
        now + config_.hold_periods * period +
        static_cast<std::int64_t>(random_(random_context_) %
                                  static_cast<std::uint32_t>(config_.search_periods * config_.period_subframes));
  }
  candidate* best = nullptr;
  for (auto& c : heard_) {
    if (!suitable(c)) continue;
    if (best == nullptr || priority_group(c) < priority_group(*best) ||
        (priority_group(c) == priority_group(*best) && c.s_rsrp_dbm > best->s_rsrp_dbm))
      best = &c;
  }
  switch (role_) {
    case sync_role::searching:
    case sync_role::holdover:
      // A whole search first, so that the strongest is known; it ends early once something was heard for three periods.
      if (best != nullptr && (best->n_heard >= times_to_follow || now >= *search_ends_)) {
        follow(*best, out);
      } else if (now >= *search_ends_) {
        become_reference(out);
      }
      break;
    case sync_role::reference: {
      // NOT 3GPP: of two references that hear each other the one with the smaller identity stays, or both would adopt
      // the other's timing at once. An identity in coverage always wins.
      candidate* smallest = nullptr;
      for (auto& c : heard_)
        if (suitable(c) && c.n_heard >= 2 && (priority_group(c) < 2 || c.n_sl_id < n_sl_id_))
          if (smallest == nullptr || priority_group(c) < priority_group(*smallest) ||
              (priority_group(c) == priority_group(*smallest) && c.n_sl_id < smallest->n_sl_id))
            smallest = &c;
      if (smallest != nullptr) follow(*smallest, out);
      break;
    }
    case sync_role::follower: {
      const candidate* other = nullptr;
      for (const auto& c : heard_) {
        if (!suitable(c)) continue;
        if (c.n_sl_id == current_.n_sl_id && c.dfn_offset == current_.dfn_offset) {
          // The reference itself instead of its follower; else, once it has left, two could follow each other for ever.
          if (current_.slss_offset == config_.offset_2 && c.slss_offset == config_.offset_1) {
            other = &c;
            break;
          }
          continue;
        }
        if (c.n_heard < times_to_follow) continue;
        bool better = priority_group(c) < priority_group(current_);
        if (priority_group(c) == priority_group(current_)) {
          better = config_.merge_by_identity && other_timing(c)
                       ? c.n_sl_id < current_.n_sl_id
                       : c.s_rsrp_dbm >= current_.s_rsrp_dbm + config_.diff_hysteresis_db;
        }
        if (better && (other == nullptr || priority_group(c) < priority_group(*other) ||
                       (priority_group(c) == priority_group(*other) && c.s_rsrp_dbm > other->s_rsrp_dbm)))
          other = &c;
      }
      if (other != nullptr) follow(candidate(*other), out);
      break;
    }
    case sync_role::gnss:
      break;
  }
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
