#include "security/link_engine.h"

#include <algorithm>

#include "security/link.h"

namespace prose::security {

const char* name_of(lost_reason r) {
  switch (r) {
    case lost_reason::silence:
      return "silence";
    case lost_reason::released_by_us:
      return "released_by_us";
    case lost_reason::released_by_peer:
      return "released_by_peer";
    case lost_reason::replaced:
      return "replaced";
    case lost_reason::key_age:
      return "key_age";
  }
  return "?";
}

link_engine::link_engine(const link_config& config, peer_table& peers, discovery_engine& discovery)
    : config_(config), peers_(peers), discovery_(discovery), ports_(peers.ports_used()) {
  for (const suite s : config_.suites) offered_ = static_cast<std::uint16_t>(offered_ | suite_bit(s));
}
link_engine::~link_engine() = default;

result<received_data, drop_reason> link_engine::receive(std::uint8_t lcid, l2_id src, l2_id dst, bytes_view octets,
                                                        time_ms now, bytes_span buffer, actions& out) {
  auto r = dispatch(lcid, src, dst, octets, now, buffer, out);
  if (!r) ++drops_[r.error()];
  return r;
}

result<received_data, drop_reason> link_engine::dispatch(std::uint8_t lcid, l2_id src, l2_id dst, bytes_view octets,
                                                         time_ms now, bytes_span buffer, actions& out) {
  if (channel_index(lcid)) return on_record(lcid, src, dst, octets, now, buffer, out);
  if (lcid != lcid_pc5s_unprotected && lcid != lcid_pc5s_security_mode)
    return tl::unexpected(drop_reason::wrong_channel);
  const auto h = read_message_header(octets, false);
  if (!h) return tl::unexpected(drop_reason::malformed);
  const bool is_request = h->type == message_type::direct_communication_request;
  if (is_request != (lcid == lcid_pc5s_unprotected)) return tl::unexpected(drop_reason::wrong_channel);
  const refusal r = is_request                                       ? on_request(src, dst, octets, h->seq, now, out)
                    : h->type == message_type::security_mode_command ? on_command(src, dst, octets, h->seq, now, out)
                                                                     : on_complete(src, dst, octets, h->seq, now, out);
  if (r) return tl::unexpected(*r);
  return received_data{0, 0, false, sdu_type::pc5s, {}};
}

link* link_engine::find_live(link_id id) {
  for (auto& [peer, state] : peers_state_)
    if (state.live && state.live->id == id) return state.live.get();
  return nullptr;
}

void link_engine::drop_live(peer_links& state, lost_reason why, actions& out) {
  if (!state.live) return;
  out.push_back(link_lost{state.live->peer, state.live->id, why});
  state.live.reset();
}

void link_engine::tick(time_ms now, actions& out) {
  release_due(now, out);
  // A missed one is of use while its octets may come again.
  std::erase_if(jobs_, [&](const link_job& j) {
    const bool repeated =
        j.what != link_job_kind::connect && j.what != link_job_kind::rekey && now - j.due < config_.request_lifetime_ms;
    return j.missed && j.work->done() && !repeated;
  });
  for (auto& [peer, state] : peers_state_) tick_link(state, now, out);
  std::erase_if(peers_state_, [](const auto& s) { return !s.second.attempt && !s.second.pending && !s.second.live; });
  tick_closing(now, out);
}

void link_engine::tick_link(peer_links& state, time_ms now, actions& out) {
  tick_attempt(state, now, out);
  tick_pending(state, now, out);
  tick_live(state, now, out);
}

void link_engine::tick_attempt(peer_links& state, time_ms now, actions& out) {
  auto& a = state.attempt;
  if (!a) return;
  if (now >= a->expires) {
    const bool other_way = state.pending != nullptr || state.live != nullptr;
    if (!other_way) out.push_back(attempt_failed{a->peer});
    a.reset();
  } else if (now >= a->next_send) {
    const auto r = a->handshake->request();
    out.push_back(
        send_message{a->peer, lcid_pc5s_unprotected, a->context.initiator, a->context.responder, {r.begin(), r.end()}});
    a->next_send = now + config_.request_interval_ms;
  }
}

void link_engine::tick_pending(peer_links& state, time_ms now, actions& out) {
  auto& p = state.pending;
  if (!p) return;
  if (now - p->created >= config_.half_open_lifetime_ms) {
    if (p->own_role == role::initiator && !state.live) out.push_back(attempt_failed{p->peer});
    p.reset();
  } else if (p->complete_pending && now >= p->next_complete) {
    out.push_back(send_message{p->peer, lcid_pc5s_security_mode, p->setup.initiator, p->setup.responder, p->complete});
    p->next_complete = now + config_.complete_interval_ms;
  }
}

void link_engine::tick_live(peer_links& state, time_ms now, actions& out) {
  if (!state.live) return;
  link& l = *state.live;
  if (now - l.last_heard >= config_.lost_after_ms) return drop_live(state, lost_reason::silence, out);
  if (keys_are_too_old(l, now)) return drop_live(state, lost_reason::key_age, out);
  l.current.chain.tick(now);
  if (l.previous) l.previous->tick(now);
  if (l.previous_until && now >= *l.previous_until) {
    l.previous.reset();
    l.previous_until.reset();
  }
  report_epochs(l, out);
  tick_rekeying(l, now, out);
  // An unanswered keep-alive is repeated (TS 24.334 10.4.5.2). Otherwise three lost records or answers in a row would
  // end a link.
  const bool unanswered = now - l.last_heard >= config_.keepalive_after_ms + keepalive_repetition_ms();
  if ((now - l.last_sent >= config_.keepalive_after_ms || unanswered) && now >= l.next_keepalive)
    send_keepalive(l, now, out);
}

void link_engine::tick_rekeying(link& l, time_ms now, actions& out) {
  if (l.rekeying) {
    if (now >= l.rekeying->expires) {
      l.rekeying.reset();
      l.rekey_backoff_until = now + config_.rekey_lifetime_ms;
    } else if (now >= l.rekeying->next_send) {
      l.rekeying->next_send = now + config_.rekey_interval_ms;
      send_signalling(l, l.rekeying->handshake->request(), now, out);
    }
  } else if (now >= l.rekey_backoff_until && rekeying_is_due(l, now)) {
    (void)begin_rekey(l, now, out);
  }
}

void link_engine::remove_peer(peer_id peer, time_ms now, actions& out) {
  std::erase_if(jobs_, [&](const link_job& j) { return j.peer == peer; });
  budgets_.erase(peer);
  const auto at = peers_state_.find(peer);
  if (at == peers_state_.end()) return;
  if (at->second.live) (void)release(at->second.live->id, now, out);
  peers_state_.erase(at);
}

std::optional<link_info> link_engine::info(link_id id, time_ms now) const {
  for (const auto& i : links(now))
    if (i.link == id) return i;
  return std::nullopt;
}

std::optional<link_id> link_engine::link_with(peer_id peer) const {
  const auto at = peers_state_.find(peer);
  if (at == peers_state_.end() || !at->second.live) return std::nullopt;
  return at->second.live->id;
}

std::vector<link_info> link_engine::links(time_ms now) const {
  std::vector<link_info> out;
  for (const auto& [peer, state] : peers_state_) {
    if (!state.live) continue;
    const link& l = *state.live;
    const epoch& e = l.current.chain.sending();
    out.push_back({peer, l.id, l.own_role, e.tx.protection().kd_sess_id, l.current.suite_used, l.current.fingerprint,
                   e.index, e.own_l2, e.peer_l2, now - l.current.born});
  }
  return out;
}

void link_engine::append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const {
  discovery_.append_own_l2_ids(now, out);
  const auto add_chain = [&](const epoch_chain& c) {
    c.for_each_epoch([&](const epoch& e) { out.push_back(e.own_l2); });
  };
  for (const auto& [peer, state] : peers_state_) {
    if (state.attempt) out.push_back(state.attempt->context.initiator);
    for (const auto* l : {state.pending.get(), state.live.get()}) {
      if (l == nullptr) continue;
      // The identifiers of the set-up stay valid for its repetitions only.
      if (now - l->created < config_.half_open_lifetime_ms)
        out.push_back(l->own_role == role::initiator ? l->setup.initiator : l->setup.responder);
      add_chain(l->current.chain);
      if (l->previous) add_chain(*l->previous);
      if (l->staged) add_chain(l->staged->keys.chain);
    }
  }
  for (const auto& c : closing_)
    for (const auto& e : c.epochs) out.push_back(e.own_l2);
}

void link_engine::append_own_l2_pairs(time_ms now, std::vector<l2_pair>& out) const {
  const auto add_chain = [&](const epoch_chain& c) {
    c.for_each_epoch([&](const epoch& e) { out.push_back({e.own_l2, e.peer_l2, true}); });
  };
  const auto add_setup = [&](const handshake_context& c, role own) {
    out.push_back(own == role::initiator ? l2_pair{c.initiator, c.responder, false}
                                         : l2_pair{c.responder, c.initiator, false});
  };
  for (const auto& [peer, state] : peers_state_) {
    if (state.attempt) add_setup(state.attempt->context, role::initiator);
    for (const auto* l : {state.pending.get(), state.live.get()}) {
      if (l == nullptr) continue;
      if (now - l->created < config_.half_open_lifetime_ms) add_setup(l->setup, l->own_role);
      add_chain(l->current.chain);
      if (l->previous) add_chain(*l->previous);
      if (l->staged) add_chain(l->staged->keys.chain);
    }
  }
  for (const auto& c : closing_)
    for (const auto& e : c.epochs) out.push_back({e.own_l2, e.peer_l2, true});
}

}  // namespace prose::security
