#include "mac/ue.h"

#include <algorithm>

#include "mac/random.h"

namespace prose::mac {

namespace {
constexpr std::int64_t tick_subframes = 100;  // security::link_engine::tick: at least every 100 ms
/// The statistics of a half-open set-up whose end was not reported. It lives 8 s at most in the security sublayer
/// (half_open_lifetime_ms).
constexpr time_ms setup_lifetime_ms = 10'000;
constexpr std::size_t max_wanted_queries = 1024;   // a bound on memory, far above security::max_peers
constexpr std::size_t max_slss_a_subframe = 16;    // more than one carrier can hold
constexpr std::int64_t sensed_late_subframes = 8;  // subframes that a late caller skipped, noted as not sent in
constexpr time_ms max_signalling_spread_ms = 1000;
constexpr int max_lead_subframes = 100;
constexpr int max_mcs = 28;  // TS 36.213 table 8.6.1-1: 29 to 31 name no block size
template <security::stream_purpose purpose>
std::uint32_t draw(void* port) {
  std::array<std::uint8_t, 4> b{};
  static_cast<security_port*>(port)->random(purpose).fill(b);
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;
}  // namespace

result<std::unique_ptr<ue>> ue::make(const ue_config& config, security_port& security) {
  auto discovery = phy::discovery_pool::make(config.discovery);
  if (!discovery) return fail("discovery pool: " + discovery.error().message);
  std::optional<phy::comm_pool> comm;
  std::optional<phy::v2x_pool> v2x;
  if (phy::is_v2x(config.tm)) {
    auto p = phy::v2x_pool::make(config.v2x);
    if (!p) return fail("v2x pool: " + p.error().message);
    if (!p->knows_subframes()) return fail("v2x pool: subframe_bitmap is missing");
    v2x = std::move(*p);
  } else {
    auto p = phy::comm_pool::make(config.comm);
    if (!p) return fail("communication pool: " + p.error().message);
    comm = std::move(*p);
  }
  if (config.signalling_spread_ms < 0 || config.signalling_spread_ms > max_signalling_spread_ms)
    return fail("signalling_spread_ms: accepted 0 to " + std::to_string(max_signalling_spread_ms));
  if (config.lead_subframes < 1 || config.lead_subframes > max_lead_subframes)
    return fail("lead_subframes: accepted 1 to " + std::to_string(max_lead_subframes));
  const int mcs = comm ? config.tm2.mcs : config.tm4.mcs;
  if (mcs < 0 || mcs > max_mcs) return fail("mcs: accepted 0 to " + std::to_string(max_mcs));
  auto made = std::unique_ptr<ue>(new ue(config, security, std::move(*discovery), std::move(comm), std::move(v2x)));
  if ((made->tm2_ ? made->tm2_->block_capacity() : made->tm4_->block_capacity()) < min_block_octets)
    return fail("sidelink: mcs " + std::to_string(mcs) + " with " +
                (made->tm2_ ? "max_prb " + std::to_string(config.tm2.max_prb)
                            : "max_subchannels " + std::to_string(config.tm4.max_subchannels)) +
                " has no block of " + std::to_string(min_block_octets) +
                " octets; accepted: a larger mcs (up to 20) or more " + (made->tm2_ ? "PRBs" : "sub-channels"));
  return made;
}

ue::ue(const ue_config& config, security_port& security, phy::discovery_pool d, std::optional<phy::comm_pool> c,
       std::optional<phy::v2x_pool> v)
    : config_(config),
      security_(security),
      sync_(config.sync, config.n_prb, draw<security::stream_purpose::synchronisation>, &security_,
            draw<security::stream_purpose::slss_muting>),
      discovery_pool_(std::move(d)),
      comm_pool_(std::move(c)),
      v2x_pool_(std::move(v)),
      flows_(config.limits, security),
      rx_(security),
      discovery_(config.discovery_tx, discovery_pool_, security_) {
  if (comm_pool_) tm2_.emplace(config_.tm2, *comm_pool_, security_);
  if (v2x_pool_) tm4_.emplace(config_.tm4, *v2x_pool_, security_);
  sent_at_.fill(INT64_MIN);
}

void ue::timing_changed() {
  // Subframe numbers jumped: what was chosen by the old ones would collide with other UEs' transmissions.
  if (tm2_) tm2_->reset();
  if (tm4_) tm4_->reset();
  discovery_.reset();
}

void ue::renumber(std::int64_t subframes) {
  if (subframes == 0) return;
  sync_.renumber(subframes);
  timing_changed();
}

void ue::enter_slot(slot_t slot, step_output& out) {
  const bool ok = security_.advance(slot, now_);
  if (!ok && !clock_refused_) out.events.push_back(ev_clock_refused{slot});
  clock_refused_ = !ok;
  slot_ = slot;
  rx_.invalidate_destinations();
}

void ue::synchronise(const step_input& in, step_output& out) {
  std::array<slss_heard, max_slss_a_subframe> heard;
  std::size_t n_heard = 0;
  for (const auto& f : in.frames)
    if (const auto* s = std::get_if<rx_slss>(&f.content); s != nullptr && n_heard < heard.size())
      heard[n_heard++] = s->heard;
  const auto sync = sync_.step(in.subframe, {heard.data(), n_heard});
  out.shift_samples = sync.shift_samples;
  if (sync.timing_changed) timing_changed();
  if (sync.role_changed) out.events.push_back(ev_sync{sync_.role(), sync_.n_sl_id(), sync.timing_changed});
}

void ue::sense(const step_input& in) {
  // Subframes that a simulation skipped hold nothing of ours, or it would have stepped.
  const std::int64_t from = std::max(last_subframe_ + 1, in.subframe - sensed_late_subframes);
  for (std::int64_t n = from; n <= in.subframe; ++n)
    tm4_->subframe_over(n, sync_.dfn_subframe(n), sent_in(n),
                        n == in.subframe ? in.subchannel_rssi_dbm : std::span<const double>{});
}

void ue::tick(std::int64_t subframe) {
  next_tick_ = subframe + tick_subframes;
  security_.tick(now_, actions_);
  rx_.invalidate_destinations();
  flows_.expire(now_);
  std::erase_if(setups_, [&](const auto& s) { return now_ - s.second.since > setup_lifetime_ms; });
  rx_.expire(now_);
}

void ue::decide_ahead(std::int64_t subframe, step_output& out) {
  const std::int64_t to = subframe + config_.lead_subframes;
  for (std::int64_t n = std::max(last_decided_ + 1, subframe + 1); n <= to; ++n) decide(n, out);
  last_decided_ = std::max(last_decided_, to);
}

void ue::step(const step_input& in, step_output& out) {
  out.transmissions.clear();
  out.events.clear();
  out.shift_samples = 0;
  if (last_subframe_ != INT64_MIN && in.subframe < last_subframe_) {
    ++counters_.late;
    return;
  }
  now_ = std::max(now_, in.now_ms);
  rx_.begin_subframe();
  if (in.utc_slot && in.utc_slot != slot_) enter_slot(*in.utc_slot, out);
  synchronise(in, out);
  if (tm4_ && sync_.has_timing()) sense(in);
  for (const auto& f : in.frames) receive(f, out);
  if (in.subframe >= next_tick_) tick(in.subframe);
  if (query_due_ && slot_) {
    discovery_.enqueue_queries(security_.queries(queries_, now_));
    queries_.clear();
    query_due_ = false;
  }
  security_.release_due(now_, actions_);
  flush_actions(out);
  flows_.release_held(now_);
  if (sync_.has_timing()) decide_ahead(in.subframe, out);
  last_subframe_ = in.subframe;
}

void ue::decide(std::int64_t subframe, step_output& out) {
  subframe_transmission t;
  t.subframe = subframe;
  t.absolute_subframe = sync_.dfn_subframe(subframe);
  const auto slss_at = [&](std::int64_t n) { return sync_.transmission(n).has_value(); };
  t.slss = sync_.transmission(subframe);
  if (tm2_)
    tm2_->decide(subframe, t.absolute_subframe, flows_, now_, slss_at, t);
  else
    tm4_->decide(subframe, t.absolute_subframe, flows_, now_, t);
  discovery_.decide(subframe, t.absolute_subframe, now_, slss_at, t);
  if (t.empty()) return;
  // SLSS first (TS 36.211 9.1: nothing else in that subframe), then communication, then discovery (TS 36.213 14).
  if (t.slss && (t.pscch || t.pssch || t.psdch)) {
    t.pscch.reset();
    t.pssch.reset();
    t.psdch.reset();
    ++counters_.dropped_for_priority;
  }
  if ((t.pscch || t.pssch) && t.psdch) {
    t.psdch.reset();
    ++counters_.dropped_for_priority;
  }
  ++counters_.subframes_sent;
  counters_.slss_sent += t.slss.has_value();
  counters_.discovery_sent += t.psdch.has_value();
  if (t.pscch || t.pssch)
    for (auto& [peer, s] : setups_) {
      ++s.frames;
      if (t.pssch) s.air_octets += t.pssch->config.tbs / 8;
    }
  sent_at_[subframe % sent_at_.size()] = subframe;
  out.transmissions.push_back(std::move(t));
}

void ue::receive(const received_frame& f, step_output& out) {
  std::visit(overloaded{
                 [](const rx_slss&) {},
                 [&](const rx_sci1& s) {
                   if (tm4_ && sync_.has_timing())
                     tm4_->heard_sci(f.subframe, sync_.dfn_subframe(f.subframe), s.sci, s.prb, s.rsrp_dbm);
                 },
                 [&](const rx_block& b) {
                   rx_.receive(b.octets, b.group_destination_id, now_, actions_, [&](const data_received& d) {
                     flush_actions(out);  // what made the record valid, as a new link, is told before its data
                     out.events.push_back(ev_data{d.peer, d.type, {d.data.begin(), d.data.end()}});
                   });
                   if (const auto peer = rx_.verified_peer(); peer != 0) heard_[peer] = {now_, b.signal};
                   flush_actions(out);
                 },
                 [&](const rx_discovery& d) { hear_discovery(d, out); },
             },
             f.content);
}

void ue::hear_discovery(const rx_discovery& d, step_output& out) {
  ++counters_.discovery_heard;
  const auto e = security_.discovery(d.message, now_);
  if (!e) return;
  ++counters_.discovery_matched;
  if (const auto* q = std::get_if<security::query_heard>(&*e)) {
    discovery_.enqueue_response(q->response, q->peer);
    rx_.invalidate_destinations();
    return;
  }
  const auto& h = std::get<security::peer_heard>(*e);
  out.events.push_back(ev_peer_discovered{h.peer, h.t, h.kind == security::discovery_type::response});
  try_connect(h, out);
}

void ue::try_connect(const security::peer_heard& h, step_output& out) {
  if (!config_.auto_connect && !wanted_.contains(h.peer)) return;
  if (security_.link_with(h.peer)) return;
  if (const auto at = connect_not_before_.find(h.peer); at != connect_not_before_.end() && now_ < at->second) return;
  if (security_.connect(h, now_, actions_)) {
    setups_[h.peer] = {now_, 0, 0};
    rx_.invalidate_destinations();
  }
  flush_actions(out);
}

void ue::flush_actions(step_output& out) {
  if (actions_.empty()) return;
  security::actions now_done;
  now_done.swap(actions_);
  apply(now_done, out);
}

void ue::queue_message(security::send_message& m) {
  if (is_set_up_channel(m.lcid)) {
    auto& s = setups_.try_emplace(m.peer, setup{now_, 0, 0, 0}).first->second;
    s.octets += m.octets.size() + security::pdcp_header_octets;
  }
  const auto spread = static_cast<int>(config_.signalling_spread_ms);
  const time_ms hold = spread > 0 && !carries_data(m.lcid)
                           ? below(security_.random(security::stream_purpose::signalling_spread, m.peer), spread + 1)
                           : 0;
  flows_.enqueue_signalling(m, now_, hold);
}

void ue::note_link(security::link_established& e, step_output& out) {
  const auto info = security_.info(e.link, now_);
  const auto s = setups_.try_emplace(e.peer, setup{now_}).first->second;
  setups_.erase(e.peer);
  wanted_.erase(e.peer);
  connect_not_before_.erase(e.peer);
  if (info) out.events.push_back(ev_link_established{e.peer, *info, s.frames, s.octets, s.air_octets, now_ - s.since});
}

void ue::note_loss(security::link_lost& e, step_output& out) {
  out.events.push_back(ev_link_lost{e.peer, e.reason});
  if (e.reason == security::lost_reason::replaced) return;
  flows_.drop_peer(e.peer);
  connect_not_before_[e.peer] = now_ + connect_backoff(e.peer);
}

void ue::apply(security::actions& actions, step_output& out) {
  const auto apply_one = overloaded{
      [&](security::send_message& m) { queue_message(m); },
      [&](security::link_established& e) { note_link(e, out); },
      [&](security::epoch_entered& e) {
        out.events.push_back(ev_epoch{e.peer, e.link, e.epoch});
      },
      [&](security::rekeyed& e) {
        if (const auto info = security_.info(e.link, now_)) out.events.push_back(ev_rekeyed{e.peer, *info});
      },
      [&](security::link_lost& e) { note_loss(e, out); },
      [&](security::attempt_failed& e) {
        setups_.erase(e.peer);
        connect_not_before_[e.peer] = now_ + connect_backoff(e.peer);
        out.events.push_back(ev_attempt_failed{e.peer});
      },
  };
  security_.sift(actions, now_);
  for (auto& a : actions) std::visit(apply_one, a);
  actions.clear();
  rx_.invalidate_destinations();
}

time_ms ue::connect_backoff(peer_id peer) {
  return config_.connect_backoff_ms + below(security_.random(security::stream_purpose::connect_backoff, peer),
                                            static_cast<int>(config_.connect_backoff_ms) + 1);
}

std::int64_t ue::next_wakeup(std::int64_t now) const {
  std::int64_t next = std::min(next_tick_, sync_.next_deadline());
  if (query_due_ && slot_) next = now + 1;
  for (const time_ms due : {security_.next_due(), flows_.next_held()})
    if (due != INT64_MAX) next = std::min(next, now + std::max<std::int64_t>(due - now_, 1));
  if (sync_.has_timing()) {
    const std::int64_t tx = next_transmission(std::max(last_decided_, now + config_.lead_subframes) + 1);
    if (tx != INT64_MAX) next = std::min(next, tx - config_.lead_subframes);
  }
  return std::max(next, now + 1);
}

// The first subframe not before `from` in which this UE may send; the decision is `lead` earlier. INT64_MAX: none.
std::int64_t ue::next_transmission(std::int64_t from) const {
  std::int64_t tx = INT64_MAX;
  const int dfn = sync_.dfn_subframe(from);
  const auto to_next = [](const phy::pool_period::position& p, int length) {
    return p.offset == 0 ? 0 : length - p.offset;
  };
  if (discovery_.planned()) tx = from;
  if (discovery_.announcing() || discovery_.waiting()) {
    const auto at = discovery_pool_.locate(dfn);
    tx = std::min(tx, at ? from + to_next(*at, discovery_pool_.config().disc_period_subframes) : from);
  }
  const bool waiting = flows_.any_waiting();
  if (tm2_ && (tm2_->has_grants() || waiting)) {
    const auto at = comm_pool_->locate(dfn);
    tx = tm2_->has_grants() || !at ? from : std::min(tx, from + to_next(*at, comm_pool_->config().sc_period_subframes));
  }
  if (tm4_ && (tm4_->busy() || waiting)) tx = from;
  if (tx > from && (sync_.role() == sync_role::reference || sync_.role() == sync_role::follower))
    for (std::int64_t n = from; n < from + config_.sync.period_subframes && n < tx; ++n)
      if (sync_.transmission(n)) tx = n;
  return tx;
}

bool ue::send(peer_id peer, security::sdu_type type, std::span<const std::uint8_t> data, std::uint8_t lcid) {
  if (security_.covers()) return security_.enqueue(peer, type, data, now_);
  return flows_.enqueue_data(peer, lcid, type, data, now_);
}

void ue::query(std::span<const peer_id> peers) {
  query_due_ = true;
  for (const auto p : peers)
    if (queries_.size() < max_wanted_queries &&
        (p == 0 || std::find(queries_.begin(), queries_.end(), p) == queries_.end()))
      queries_.push_back(p);
}

bool ue::rekey(peer_id peer) {
  const auto link = security_.link_with(peer);
  return link && security_.rekey(*link, now_, actions_);
}

bool ue::release(peer_id peer) {
  const auto link = security_.link_with(peer);
  return link && security_.release(*link, now_, actions_);
}

void ue::forget(peer_id peer) {
  flows_.drop_peer(peer);
  setups_.erase(peer);
  connect_not_before_.erase(peer);
  wanted_.erase(peer);
  heard_.erase(peer);
}

std::optional<ue::peer_hearing> ue::hearing(peer_id peer) const {
  const auto at = heard_.find(peer);
  return at == heard_.end() ? std::nullopt : std::optional(at->second);
}

ue_counters ue::counters() const {
  ue_counters c = counters_;
  c.rx = rx_.counters();
  c.tx = flows_.counters();
  c.tx.sdus_expired += security_.expired();
  c.scheduler = tm2_ ? tm2_->counters() : tm4_->counters();
  return c;
}

std::size_t ue::held_items() const {
  return flows_.n_flows() + flows_.queued_plaintext_octets() + rx_.n_entities() + setups_.size() + heard_.size() +
         connect_not_before_.size() + wanted_.size() + queries_.size() + actions_.size() +
         (tm4_ ? tm4_->n_processes() : 0);
}

}  // namespace prose::mac
