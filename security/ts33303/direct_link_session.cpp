// User data and PC5-S under the keys of a link: keep-alive, release.
#include <algorithm>

#include "security/ts33303/direct_link_state.h"

namespace prose::security::ts33303 {
namespace {

constexpr std::size_t pdu_overhead = pdcp_header_octets + mac_octets;
/// SNs that data leaves for PC5-S, which has to renew the keys; and for the very end, when the link is given up.
constexpr std::uint32_t pdus_for_signalling = 256, pdus_for_the_end = 16;

}  // namespace

/// Protected anew each time: no COUNT serves two PDUs, and the peer takes whichever copy comes first.
void direct_links::send(session& s, std::uint8_t lcid, bytes_view message, actions& out) const {
  send_message m{s.peer, lcid, s.own, s.other, {}};
  m.octets.resize(message.size() + pdu_overhead);
  const auto n = s.contexts.protect(lcid, sdu_type::pc5s, message, m.octets);
  if (!n) return;  // no SN is left: silence until the link is given up
  m.octets.resize(*n);
  out.push_back(std::move(m));
}

void direct_links::repeat_answer(session& s, time_ms now, actions& out) const {
  if (s.answer.empty() || now - s.last_answer < config_.answer_gap_ms) return;
  s.last_answer = now;
  send(s, lcid_pc5s_protected, s.answer, out);
}

result<received_data, drop_reason> direct_links::on_record(const arrived& a, actions& out) {
  drop_reason worst = drop_reason::unknown_link;
  const auto note = [&](drop_reason r) {
    if (r != drop_reason::unknown_link) worst = r;
  };
  for (auto& [id, state] : peers_state_) {
    if (state.live && state.live->is_between(a.src, a.dst)) {
      auto r = on_live_record(*state.live, a, out);
      if (r) return r;
      note(r.error());
    }
    if (state.attempt && state.attempt->staged && state.attempt->staged->is_between(a.src, a.dst)) {
      auto r = on_first_record(state, a, out);
      if (r) return r;
      note(r.error());
    }
  }
  const auto closing = on_closing_record(a, out);
  if (!closing) return received_data{0, 0, false, sdu_type::pc5s, {}};
  note(*closing);
  return tl::unexpected(worst);
}

/// What follows the Complete is under the new keys: the Accept, or data where that was lost.
result<received_data, drop_reason> direct_links::on_first_record(peer_links& state, const arrived& a, actions& out) {
  session& s = *state.attempt->staged;
  if (carries_data(a.lcid) && !config_.mac_i_on_data) return tl::unexpected(drop_reason::not_established);  // anyone's
  const auto opened = s.contexts.open(a.lcid, a.octets, a.buffer);
  if (!opened) return tl::unexpected(opened.error());
  establish(state, std::move(state.attempt->staged), a.now, out);
  const received_data got{state.live->peer, state.live->id, opened->type != sdu_type::pc5s, opened->type, {}};
  if (got.is_data) return received_data{got.peer, got.link, true, got.type, opened->sdu};
  on_signalling(*state.live, opened->sdu, a.now, out);
  return got;
}

result<received_data, drop_reason> direct_links::on_live_record(session& s, const arrived& a, actions& out) {
  const auto opened = s.contexts.open(a.lcid, a.octets, a.buffer);
  if (!opened) return tl::unexpected(opened.error());
  if (!carries_data(a.lcid) || config_.mac_i_on_data) {  // else it may be anyone's
    s.last_heard = a.now;
    const bool waits = s.answered || (s.asked && !s.asked->complete.empty());
    if (waits && !s.contexts.rekeying()) finish_rekeying(s, a.now, out);
  }
  if (opened->type != sdu_type::pc5s) return received_data{s.peer, s.id, true, opened->type, opened->sdu};
  const received_data got{s.peer, s.id, false, opened->type, {}};
  on_signalling(s, opened->sdu, a.now, out);  // may end the session
  return got;
}

void direct_links::on_signalling(session& s, bytes_view message, time_ms now, actions& out) {
  const auto parsed = parse(message);
  if (!parsed) return;  // authentic, but nothing of this profile
  const auto& body = parsed->message.body;
  if (const auto* k = std::get_if<keepalive>(&body)) {
    send(s, lcid_pc5s_protected, encode(parsed->message.sequence, keepalive_ack{k->counter}), out);
  } else if (const auto* ack = std::get_if<keepalive_ack>(&body)) {
    if (ack->counter == s.keepalive_counter) ++s.keepalive_counter;
  } else if (const auto* r = std::get_if<rekeying_request>(&body)) {
    on_rekeying_request(s, *r, message, now, out);
  } else if (std::holds_alternative<ts33303::release>(body)) {
    send(s, lcid_pc5s_protected, encode(parsed->message.sequence, release_accept{}), out);
    drop_live(peers_state_.at(s.peer), lost_reason::released_by_peer, out);
  }
}

result<sealed_pdu, drop_reason> direct_links::seal(link_id id, std::uint8_t lcid, sdu_type type, bytes_view data,
                                                   time_ms, bytes_span out) {
  if (!carries_data(lcid)) return tl::unexpected(drop_reason::wrong_channel);
  session* s = find_live(id);
  if (s == nullptr) return tl::unexpected(drop_reason::unknown_link);
  if (s->contexts.pdus_left() <= pdus_for_signalling) return tl::unexpected(drop_reason::exhausted);
  const auto n = s->contexts.protect(lcid, type, data, out);
  if (!n) return tl::unexpected(n.error());
  return sealed_pdu{*n, s->own, s->other};
}

void direct_links::tick_live(peer_links& state, time_ms now, actions& out) {
  if (!state.live) return;
  session& s = *state.live;
  if (now - s.last_heard >= config_.lost_after_ms) return drop_live(state, lost_reason::silence, out);
  if (s.contexts.pdus_left() <= pdus_for_the_end) return drop_live(state, lost_reason::key_age, out);
  tick_rekeying(s, now, out);
  if (now - s.last_heard >= config_.keepalive_after_ms && now >= s.next_keepalive) {
    s.next_keepalive = now + config_.keepalive_every_ms;
    send(s, lcid_pc5s_protected, encode(s.next_seq++, keepalive{s.keepalive_counter, {}}), out);
  }
}

// --- release ---------------------------------------------------------------------------------------------------------

result<void, drop_reason> direct_links::release(link_id id, time_ms now, actions& out) {
  session* s = find_live(id);
  if (s == nullptr) return tl::unexpected(drop_reason::unknown_link);
  peer_links& state = peers_state_.at(s->peer);
  out.push_back(link_lost{s->peer, s->id, lost_reason::released_by_us});
  std::erase_if(closing_, [s](const closing_link& c) { return c.keys->peer == s->peer; });  // one a peer
  auto message = encode(s->next_seq, ts33303::release{release_reason::no_longer_needed});
  closing_.push_back({std::move(state.live), std::move(message), now, config_.release_request.sends});
  tick_closing(now, out);
  return {};
}

void direct_links::tick_closing(time_ms now, actions& out) {
  std::erase_if(closing_, [now](const closing_link& c) { return c.sends_left == 0 && now >= c.next_send; });
  for (auto& c : closing_) {
    if (now < c.next_send) continue;
    --c.sends_left;
    c.next_send = now + config_.release_request.every_ms;
    send(*c.keys, lcid_pc5s_protected, c.message, out);
  }
}

/// Data that was under way is for nobody. The peer's Accept ends the repetitions, and so does its own Release.
direct_links::refusal direct_links::on_closing_record(const arrived& a, actions& out) {
  drop_reason worst = drop_reason::unknown_link;
  for (auto c = closing_.begin(); c != closing_.end(); ++c) {
    if (!c->keys->is_between(a.src, a.dst)) continue;
    const auto opened = c->keys->contexts.open(a.lcid, a.octets, a.buffer);
    worst = opened ? drop_reason::not_established : opened.error();
    const auto m = opened && a.lcid == lcid_pc5s_protected
                       ? parse(opened->sdu)
                       : result<parsed_message, parse_error>(tl::unexpected(parse_error::truncated));
    if (!m) continue;
    const bool asks = std::holds_alternative<ts33303::release>(m->message.body);
    if (!asks && !std::holds_alternative<release_accept>(m->message.body)) continue;
    if (asks) send(*c->keys, lcid_pc5s_protected, encode(m->message.sequence, release_accept{}), out);
    closing_.erase(c);
    return std::nullopt;
  }
  return worst;
}

}  // namespace prose::security::ts33303
