// Direct Rekeying Request (LCID 30, old keys) -> Command and Complete (LCID 29, new keys) -> Direct Rekeying Response
// (LCID 30, new keys). The KD stays.
#include <algorithm>

#include "security/ts33303/direct_link_state.h"

namespace prose::security::ts33303 {
namespace {
constexpr time_ms other_ue_waits_ms = 60'000, after_failure_ms = 10'000;
}

result<void, drop_reason> direct_links::rekey(link_id id, time_ms now, actions& out) {
  session* s = find_live(id);
  if (s == nullptr) return tl::unexpected(drop_reason::unknown_link);
  if (s->asked || s->answered) return tl::unexpected(drop_reason::nothing_new);
  begin_rekeying(*s, now, out);
  return {};
}

bool direct_links::rekeying_is_due(const session& s, time_ms now) const {
  if (s.asked || s.answered || now < s.rekeying_not_before) return false;
  const time_ms after = config_.rekey_after_ms + (s.own_role == role::initiator ? 0 : other_ue_waits_ms);
  return now - s.born >= after || s.contexts.pdus_left() <= config_.rekey_at_pdus_left;
}

void direct_links::begin_rekeying(session& s, time_ms now, actions& out) {
  rekeying_asked r;
  r.nonce_1 = draw_nonce();
  r.msb = draw_half(s.peer);
  r.sent = capabilities_of(config_.algorithms);
  r.request = encode(s.next_seq++, rekeying_request{r.sent, r.nonce_1, r.msb, {}, {}});
  r.next_send = now;
  r.sends_left = config_.rekeying_request.sends;
  s.asked = std::move(r);
  tick_rekeying(s, now, out);
}

void direct_links::tick_rekeying(session& s, time_ms now, actions& out) {
  if (s.answered && now >= s.answered->expires) {
    s.contexts.abandon();
    s.answered.reset();
  }
  if (rekeying_is_due(s, now)) return begin_rekeying(s, now, out);
  if (!s.asked || now < s.asked->next_send) return;
  auto& r = *s.asked;
  const bool commanded = !r.complete.empty();
  if (r.sends_left == 0) {
    if (commanded) s.contexts.abandon();
    s.asked.reset();
    s.rekeying_not_before = now + after_failure_ms;
    return;
  }
  --r.sends_left;
  r.next_send = now + config_.rekeying_request.every_ms;
  if (commanded)
    send(s, lcid_pc5s_security_mode, r.complete, out);
  else
    send(s, lcid_pc5s_protected, r.request, out);
}

/// The Request was verified under the link's keys, so the peer made it.
void direct_links::on_rekeying_request(session& s, const rekeying_request& r, bytes_view message, time_ms now,
                                       actions& out) {
  if (s.answered && std::ranges::equal(s.answered->request, message)) {
    if (now - s.answered->last_answer < config_.answer_gap_ms) return;
    s.answered->last_answer = now;
    return send(s, lcid_pc5s_security_mode, s.answered->command, out);
  }
  if (s.asked) {  // both ask: the lower layer-2 ID yields (NOT 3GPP, no rule of the standard is known)
    if (!s.asked->complete.empty() || s.own > s.other) return;
    s.asked.reset();
  }
  if (s.answered) {  // the peer began anew
    s.contexts.abandon();
    s.answered.reset();
  }
  const auto chosen = choose(config_.algorithms, r.capabilities);
  const auto lsb = free_lsb(s.peer, r.kd_sess_id_msb);
  if (!chosen || !lsb) return;
  security_mode_command command;
  command.capabilities = r.capabilities;
  command.nonce_2 = draw_nonce();
  command.chosen = {static_cast<std::uint8_t>(chosen->ciphering), static_cast<std::uint8_t>(chosen->integrity)};
  command.kd_sess_id_lsb = *lsb;
  auto made = make_context(s.peer, side::commanding, kd_sess_id_of(r.kd_sess_id_msb, *lsb), r.nonce_1, command.nonce_2,
                           *chosen);
  if (!made || !s.contexts.begin(std::move(made->context))) return;
  s.next_fingerprint = made->fingerprint;
  s.answered = rekeying_answered{
      {message.begin(), message.end()}, encode(s.next_seq++, command), now + config_.half_open_ms, now};
  send(s, lcid_pc5s_security_mode, s.answered->command, out);
}

/// LCID 29 of a link: the Command and the Complete of a rekeying, or a Complete of the set-up that comes again because
/// the Accept was lost.
direct_links::refusal direct_links::on_live_security_mode(session& s, const arrived& a, actions& out) {
  const auto header = read_pdcp_header(a.octets);
  if (s.asked && s.asked->complete.empty() && header && !s.contexts.uses(header->kd_sess_id))
    return on_rekeying_command(s, a, out);
  const auto opened = s.contexts.open(a.lcid, a.octets, a.buffer);
  if (!opened) return opened.error();
  const auto m = parse(opened->sdu);
  if (!m || !std::holds_alternative<security_mode_complete>(m->message.body)) return drop_reason::nothing_new;
  s.last_heard = a.now;
  if (s.answered && !s.contexts.rekeying())
    finish_rekeying(s, a.now, out);
  else
    repeat_answer(s, a.now, out);
  return std::nullopt;
}

direct_links::refusal direct_links::on_rekeying_command(session& s, const arrived& a, actions& out) {
  auto& r = *s.asked;
  auto made = verify_command(s.peer, r.nonce_1, r.msb, a);
  if (!made) return made.error();
  const auto m = parse(a.octets.subspan(pdcp_header_octets, a.octets.size() - pdcp_header_octets - mac_octets));
  const auto chosen = check_command(config_.algorithms, r.sent, std::get<security_mode_command>(m->message.body));
  if (!chosen) {
    out.push_back(send_message{s.peer, lcid_pc5s_unprotected, s.own, s.other,
                               encode(s.next_seq++, security_mode_reject{chosen.error(), {}, {}})});
    s.asked.reset();
    s.rekeying_not_before = a.now + after_failure_ms;
    return drop_reason::no_common_suite;
  }
  if (!s.contexts.begin_verified(std::move(made->context))) return drop_reason::limit;
  s.next_fingerprint = made->fingerprint;
  s.last_heard = a.now;
  r.complete = encode(s.next_seq++, security_mode_complete{});
  r.sends_left = config_.rekeying_request.sends;
  r.next_send = a.now;
  tick_rekeying(s, a.now, out);
  return std::nullopt;
}

/// A PDU under the new keys was verified, and the old ones are gone.
void direct_links::finish_rekeying(session& s, time_ms now, actions& out) {
  const bool commanding = s.answered.has_value();
  s.answered.reset();
  s.asked.reset();
  s.fingerprint = s.next_fingerprint;
  s.born = now;
  s.answer.clear();
  const auto& p = s.contexts.sending();
  out.push_back(rekeyed{s.peer, s.id, p.kd_sess_id, suite{}, s.fingerprint});
  if (!commanding) return;
  s.answer = encode(s.next_seq++, rekeying_response{});
  s.last_answer = INT64_MIN / 2;
  repeat_answer(s, now, out);
}

}  // namespace prose::security::ts33303
