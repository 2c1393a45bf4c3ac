#include "security/discovery.h"

#include <algorithm>

namespace prose::security {
namespace {
/// A learnt offset is forgotten after so long a silence (2 min): the peer's clock may have been set anew.
constexpr slot_t offset_kept_slots = 120;

/// The number of draws depends on the length alone.
template <class T>
void shuffle(std::vector<T>& v, random_port& random) {
  for (std::size_t i = v.size(); i > 1; --i) std::swap(v[i - 1], v[random.below(static_cast<std::uint32_t>(i))]);
}
slot_t saturating_add(slot_t t, std::int64_t d) {
  return static_cast<slot_t>(std::clamp<std::int64_t>(std::int64_t{t} + d, 0, UINT32_MAX));
}
}  // namespace

discovery_engine::discovery_engine(const discovery_config& config, peer_table& peers, std::optional<slot_t> stored_mark)
    : config_(config), peers_(peers), clock_(stored_mark) {
  config_.entries = std::max(config_.entries, 1U);
  const std::size_t dummies = std::max(config_.entries, config_.query_entries);
  for (std::size_t i = 0; i < dummies; ++i) dummies_.push_back(make_dummy_keys(peers_.ports_used().random));
  for (const auto& p : peers_.all()) take_seat(p->id);
}

void discovery_engine::take_seat(peer_id peer) {
  std::vector<bool> taken(monitored_.size() + 1);
  for (const auto& [id, m] : monitored_)
    if (m.seat < taken.size()) taken[m.seat] = true;
  monitored_[peer].seat = static_cast<std::size_t>(std::find(taken.begin(), taken.end(), false) - taken.begin());
}

std::uint64_t discovery_engine::key_of(std::span<const std::uint8_t, discovery_octets> pdu) {
  std::uint64_t k = 0;
  for (std::size_t i = 1; i <= 8; ++i) k = k << 8 | pdu[i];
  return k;
}

discovery_engine::window discovery_engine::wanted_window(const monitored& m) const {
  const slot_t t = *clock_.now();
  const std::int64_t half = m.offset ? config_.narrow_window_slots : config_.wide_window_slots;
  const offset_range offset = m.offset.value_or(offset_range{0, 0});
  return {saturating_add(t, offset.low - half), saturating_add(t, offset.high + half)};
}

/// Removes the slots that left the window from the table and adds those that entered it. Slots that were acted on, or
/// lie before the mark found at boot, are never added.
void discovery_engine::move_window(const peer& p, discovery_type type, window& have, window want,
                                   std::optional<slot_t> last) {
  const direction_keys& keys = type == discovery_type::query ? p.ours : p.theirs;
  const auto outside = [](const window& w, slot_t t) { return w.empty() || t < w.from || t > w.to; };
  if (!have.empty()) {
    for (std::uint64_t t = have.from; t <= have.to; ++t) {
      const auto slot = static_cast<slot_t>(t);
      if (!outside(want, slot)) continue;
      expected_.erase(key_of(make_discovery(type, keys, slot)));
    }
  }
  if (!want.empty()) {
    for (std::uint64_t t = want.from; t <= want.to; ++t) {
      const auto slot = static_cast<slot_t>(t);
      if (!outside(have, slot) || !clock_.after_boot_mark(slot) || (last && slot <= *last)) continue;
      const auto pdu = make_discovery(type, keys, slot);
      expected_.insert_or_assign(key_of(pdu), expectation{p.id, slot, pdu, rendezvous_l2_id(keys, slot)});
    }
  }
  have = want;
}

void discovery_engine::refresh(const peer& p, monitored& m) {
  const slot_t heard = std::max(m.last_announcement.value_or(0), m.last_response.value_or(0));
  if (m.offset && *clock_.now() > saturating_add(std::max(heard, m.offset_learnt_at), offset_kept_slots))
    m.offset.reset();  // from now on it is looked for as widely as a new peer
  const window want = wanted_window(m);
  if (config_.monitor) move_window(p, discovery_type::announcement, m.announcements, want, m.last_announcement);
  if (config_.answer_queries) move_window(p, discovery_type::query, m.queries, want, m.last_query);
  const bool asked = *clock_.now() <= m.responses_until && m.responses_until != 0;
  move_window(p, discovery_type::response, m.responses, asked ? want : window{}, m.last_response);
}

slot_clock::step_result discovery_engine::advance(slot_t t, time_ms now, bool operator_confirmed) {
  const auto r = clock_.set(t, now, operator_confirmed);
  expire_rendezvous(now);
  if (r != slot_clock::step_result::advanced) return r;
  entered_ms_ = now;
  for (const auto& p : peers_.all()) refresh(*p, monitored_[p->id]);
  return r;
}

void discovery_engine::remember_rendezvous(const peer& p, slot_t t, time_ms now) {
  if (const auto& used = monitored_[p.id].own_used; used && t <= *used) return;
  for (auto& r : rendezvous_) {
    if (r.peer == p.id && r.t == t) {
      r.last_sent_ms = now;
      return;
    }
  }
  rendezvous_.push_back({p.id, t, rendezvous_l2_id(p.ours, t), now, 0, {}});
}

void discovery_engine::expire_rendezvous(time_ms now) {
  std::erase_if(rendezvous_, [&](const auto& r) { return now - r.last_sent_ms > config_.request_validity_ms; });
}

std::span<const discovery_pdu> discovery_engine::announcements(time_ms now) {
  if (!config_.announce || !may_emit(now)) return {};
  const slot_t t = *clock_.now();
  if (current_slot_ != t) {
    current_slot_ = t;
    current_.clear();
    current_peers_.clear();
    const auto& all = peers_.all();
    const std::size_t shown = std::min<std::size_t>(all.size(), config_.entries);
    std::vector<const peer*> seats(config_.entries);
    for (std::size_t i = 0; i < shown; ++i) {
      const peer& p = *all[(turn_ + i) % all.size()];
      auto& seat = monitored_[p.id].seat;
      if (all.size() <= config_.entries && seat >= config_.entries) take_seat(p.id);  // there are fewer now
      seats[all.size() <= config_.entries ? seat : i] = &p;
      current_peers_.push_back(p.id);
    }
    if (!all.empty()) turn_ = (turn_ + shown) % all.size();
    for (std::size_t i = 0; i < seats.size(); ++i)
      current_.push_back(
          make_discovery(discovery_type::announcement, seats[i] != nullptr ? seats[i]->ours : dummies_[i], t));
    shuffle(current_, peers_.stream(stream_purpose::announcement_order));
  }
  for (const peer_id id : current_peers_)
    if (const peer* p = peers_.find(id)) remember_rendezvous(*p, t, now);
  return current_;
}

std::vector<discovery_pdu> discovery_engine::queries(std::span<const peer_id> wanted, time_ms now) {
  expire_rendezvous(now);
  if (!may_emit(now)) return {};
  const slot_t t = *clock_.now();
  if (queries_slot_ == t) return current_queries_;
  queries_slot_ = t;
  current_queries_.clear();
  const std::size_t asked = std::min<std::size_t>(wanted.size(), config_.query_entries);
  for (std::size_t i = 0; i < config_.query_entries; ++i) {
    const peer* p = i < asked ? peers_.find(wanted[(query_turn_ + i) % wanted.size()]) : nullptr;
    current_queries_.push_back(make_discovery(discovery_type::query, p != nullptr ? p->theirs : dummies_[i], t));
    if (p == nullptr) continue;
    monitored& m = monitored_[p->id];
    m.responses_until = saturating_add(t, config_.wide_window_slots);
    refresh(*p, m);
  }
  if (!wanted.empty()) query_turn_ = (query_turn_ + asked) % wanted.size();
  shuffle(current_queries_, peers_.stream(stream_purpose::query_order));
  return current_queries_;
}

std::optional<slot_t>& discovery_engine::last_of(monitored& m, discovery_type type) {
  switch (type) {
    case discovery_type::query:
      return m.last_query;
    case discovery_type::response:
      return m.last_response;
    case discovery_type::announcement:
      break;
  }
  return m.last_announcement;
}

std::optional<discovery_event> discovery_engine::receive(std::span<const std::uint8_t, discovery_octets> pdu,
                                                         time_ms now) {
  const auto at = expected_.find(key_of(pdu));
  if (at == expected_.end()) {
    last_drop_ = drop_reason::nothing_new;
    return std::nullopt;
  }
  const expectation found = at->second;
  // Type, code, MIC and counter LSB in one compare: the MIC of an expected slot is known beforehand.
  if (!equal_constant_time(found.pdu, pdu)) {
    last_drop_ = drop_reason::bad_token;
    return std::nullopt;
  }
  const peer* p = peers_.find(found.peer);
  if (p == nullptr) return std::nullopt;
  if (!in_use(now)) {  // the table stands still with the clock, so an hour-old code would look fresh
    last_drop_ = drop_reason::stale;
    return std::nullopt;
  }
  const auto type = static_cast<discovery_type>(pdu[0]);
  auto& last = last_of(monitored_[found.peer], type);
  if (last && found.t <= *last) {  // each code counts once, and no older one after it
    last_drop_ = drop_reason::replayed;
    return std::nullopt;
  }
  if (type != discovery_type::query) {
    last = found.t;
    return peer_heard{found.peer, found.t, found.rendezvous, type};
  }
  if (!clock_.may_emit()) {
    last_drop_ = drop_reason::stale;
    return std::nullopt;
  }
  last = found.t;
  const slot_t t = *clock_.now();
  remember_rendezvous(*p, t, now);
  return query_heard{found.peer, found.t, make_discovery(discovery_type::response, p->ours, t)};
}

void discovery_engine::learn_offset(peer_id id, slot_t peer_slot, slot_t not_before) {
  const peer* p = peers_.find(id);
  if (p == nullptr || !clock_.now()) return;
  monitored& m = monitored_[id];
  // A peer that was met through the wide window cannot be further off; one that claims to be gains nothing.
  const std::int64_t limit = config_.wide_window_slots;
  const auto minus = [&](slot_t own) { return std::clamp(std::int64_t{peer_slot} - std::int64_t{own}, -limit, limit); };
  const offset_range now{minus(*clock_.now()), minus(not_before)};
  // A late copy says less than is known already, and does not contradict it.
  if (!m.offset || m.offset->low < now.low || m.offset->high > now.high) m.offset = now;
  m.offset_learnt_at = *clock_.now();
  refresh(*p, m);
}

void discovery_engine::peer_added(peer_id id) {
  const peer* p = peers_.find(id);
  if (p == nullptr) return;
  take_seat(id);
  monitored& m = monitored_[id];
  m.last_announcement = m.last_query = m.last_response = removed_heard_;
  m.own_used = removed_own_;
  if (clock_.now()) refresh(*p, m);
}

void discovery_engine::peer_removed(peer_id id) {
  std::erase_if(expected_, [id](const auto& e) { return e.second.peer == id; });
  std::erase_if(rendezvous_, [id](const auto& r) { return r.peer == id; });
  if (const auto at = monitored_.find(id); at != monitored_.end()) {
    const monitored& m = at->second;  // empty is less than any slot
    removed_heard_ = std::max({removed_heard_, m.last_announcement, m.last_query, m.last_response});
    removed_own_ = std::max(removed_own_, clock_.now());
    monitored_.erase(at);
  }
}

void discovery_engine::find_rendezvous(l2_id dst, time_ms now, std::vector<rendezvous_slot*>& out) {
  out.clear();
  for (auto& r : rendezvous_)
    if (r.id == dst && now - r.last_sent_ms <= config_.request_validity_ms) out.push_back(&r);
}

void discovery_engine::append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const {
  for (const auto& r : rendezvous_)
    if (now - r.last_sent_ms <= config_.request_validity_ms) out.push_back(r.id);
}

}  // namespace prose::security
