#include "security/ts33303/direct_links.h"

#include <algorithm>

#include "security/ts33303/direct_link_state.h"

namespace prose::security::ts33303 {

const char* name_of(const algorithms& a) {
  static constexpr std::array<std::array<const char*, 3>, 4> names{
      {{"EEA0/128-EIA1", "EEA0/128-EIA2", "EEA0/128-EIA3"},
       {"128-EEA1/128-EIA1", "128-EEA1/128-EIA2", "128-EEA1/128-EIA3"},
       {"128-EEA2/128-EIA1", "128-EEA2/128-EIA2", "128-EEA2/128-EIA3"},
       {"128-EEA3/128-EIA1", "128-EEA3/128-EIA2", "128-EEA3/128-EIA3"}}};
  return known(a.ciphering) && known(a.integrity)
             ? names[static_cast<std::size_t>(a.ciphering)][static_cast<std::size_t>(a.integrity) - 1]
             : "?";
}

direct_links::direct_links(const direct_link_config& config, kd_table kds, peer_table& peers,
                           discovery_engine& discovery)
    : config_(config), kds_(std::move(kds)), peers_(peers), discovery_(discovery) {}
direct_links::~direct_links() = default;

session::session(peer_id with, role r, l2_id own_id, l2_id other_id, made_context&& first, time_ms now)
    : peer(with),
      own_role(r),
      own(own_id),
      other(other_id),
      contexts(std::move(first.context)),
      fingerprint(first.fingerprint),
      born(now),
      last_heard(now) {}

result<received_data, drop_reason> direct_links::receive(std::uint8_t lcid, l2_id src, l2_id dst, bytes_view octets,
                                                         time_ms now, bytes_span buffer, actions& out) {
  auto r = dispatch({lcid, src, dst, octets, now, buffer}, out);
  if (!r) ++drops_[r.error()];
  return r;
}

result<received_data, drop_reason> direct_links::dispatch(const arrived& a, actions& out) {
  if (a.lcid == lcid_pc5s_security_mode) return on_security_mode(a, out);
  if (a.lcid == lcid_pc5s_protected || carries_data(a.lcid)) return on_record(a, out);
  if (a.lcid != lcid_pc5s_unprotected) return tl::unexpected(drop_reason::wrong_channel);
  if (const auto why = on_unprotected(a, out)) return tl::unexpected(*why);
  return received_data{0, 0, false, sdu_type::pc5s, {}};
}

void direct_links::tick(time_ms now, actions& out) {
  for (auto& [peer, state] : peers_state_) {
    tick_attempt(state, now, out);
    std::erase_if(state.half_open, [now](const half_open_link& h) { return now >= h.expires; });
    tick_live(state, now, out);
  }
  tick_closing(now, out);
}

void direct_links::tick_attempt(peer_links& state, time_ms now, actions& out) {
  auto& t = state.attempt;
  if (!t || now < t->next_send) return;
  if (t->sends_left == 0) {
    const auto peer = t->peer;
    t.reset();
    if (!state.live && state.half_open.empty()) out.push_back(attempt_failed{peer});
    return;
  }
  --t->sends_left;
  t->next_send = now + config_.request.every_ms;
  if (t->staged)
    send(*t->staged, lcid_pc5s_security_mode, t->complete, out);
  else
    out.push_back(send_message{t->peer, lcid_pc5s_unprotected, t->own, t->other, t->request});
}

session* direct_links::find_live(link_id id) {
  for (auto& [peer, state] : peers_state_)
    if (state.live && state.live->id == id) return state.live.get();
  return nullptr;
}

const session* direct_links::find_live(link_id id) const {
  for (const auto& [peer, state] : peers_state_)
    if (state.live && state.live->id == id) return state.live.get();
  return nullptr;
}

void direct_links::drop_live(peer_links& state, lost_reason why, actions& out) {
  if (!state.live) return;
  out.push_back(link_lost{state.live->peer, state.live->id, why});
  state.live.reset();
}

void direct_links::remove_peer(peer_id peer, time_ms now, actions& out) {
  const auto at = peers_state_.find(peer);
  if (at == peers_state_.end()) return;
  if (at->second.live) (void)release(at->second.live->id, now, out);
  peers_state_.erase(at);
}

std::optional<link_info> direct_links::info(link_id id, time_ms now) const {
  const session* s = find_live(id);
  if (s == nullptr) return std::nullopt;
  const auto& p = s->contexts.sending();
  return link_info{s->peer,
                   s->id,
                   s->own_role,
                   p.kd_sess_id,
                   suite{},
                   s->fingerprint,
                   0,
                   s->own,
                   s->other,
                   now - s->born,
                   name_of({p.ciphering_algorithm, p.integrity_algorithm})};
}

std::optional<link_id> direct_links::link_with(peer_id peer) const {
  const auto at = peers_state_.find(peer);
  if (at == peers_state_.end() || !at->second.live) return std::nullopt;
  return at->second.live->id;
}

void direct_links::append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const {
  discovery_.append_own_l2_ids(now, out);
  std::vector<l2_pair> pairs;
  append_own_l2_pairs(now, pairs);
  for (const auto& p : pairs) out.push_back(p.own);
}

/// LCID 29 also carries what renews the keys of a link, so both kinds of pair are its own.
void direct_links::append_own_l2_pairs(time_ms, std::vector<l2_pair>& out) const {
  const auto add = [&](l2_id own, l2_id other, bool keys) {
    out.push_back({own, other, false});
    if (keys) out.push_back({own, other, true});
  };
  for (const auto& [peer, state] : peers_state_) {
    if (state.attempt) add(state.attempt->own, state.attempt->other, state.attempt->staged != nullptr);
    for (const auto& h : state.half_open) add(h.keys->own, h.keys->other, true);
    if (state.live) add(state.live->own, state.live->other, true);
  }
  for (const auto& c : closing_) add(c.keys->own, c.keys->other, true);
}

std::size_t direct_links::closing() const { return closing_.size(); }

std::size_t direct_links::half_open() const {
  std::size_t n = 0;
  for (const auto& [peer, state] : peers_state_) n += state.half_open.size();
  return n;
}

}  // namespace prose::security::ts33303
