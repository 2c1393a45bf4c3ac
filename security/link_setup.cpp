// Direct Communication Request -> DSM Command -> DSM Complete -> Accept (TS 33.303 6.5.5.2 for the order of messages).
#include <algorithm>

#include "security/crypto/aead.h"
#include "security/crypto/declassify.h"
#include "security/crypto/hash.h"
#include "security/link.h"
#include "security/link_engine.h"

namespace prose::security {
namespace {

constexpr std::array<std::uint8_t, crypto::nonce_octets> complete_nonce{};  // the key serves one message
/// Sealed into the Complete: status 1 (0), slot 4.
using complete_status = std::array<std::uint8_t, complete_octets - message_header_octets - crypto::tag_octets>;
}  // namespace

generation make_generation(handshake_secrets&& s, role own, const epoch_config& epochs, random_port& random,
                           time_ms now) {
  std::array<std::uint8_t, 8> fingerprint{};
  crypto::hkdf_expand(s.kd0.expose(), crypto::as_bytes("LTESL/1 fingerprint"), fingerprint);
  crypto::declassify(fingerprint);  // shown to the user
  auto binding = derive<rekey_binding>(s.kd0);
  return {epoch_chain(std::move(s.kd0), own, s.chosen, s.kd_sess_id, epochs, random, now),
          std::move(binding),
          s.chosen,
          s.kd_sess_id,
          fingerprint,
          now};
}

random_port& link_engine::ephemerals(peer_id peer) const {
  const auto* p = peers_.find(peer);
  return p != nullptr ? ports_.random.ephemerals_for(p->key) : ports_.random;
}

/// A half of the KD-sess ID: uniform, whatever other links use. Contexts that share an ID are told apart by trying
/// them. A half that avoided those of other links would tell its peer which they are. Zero is left out, because a
/// KD-sess ID of zero marks unprotected PDUs.
std::uint8_t link_engine::draw_half(peer_id peer) {
  const std::uint32_t half = 1 + peers_.stream(stream_purpose::kd_sess_id_halves, peer).below(UINT8_MAX);
  return static_cast<std::uint8_t>(half);
}

/// First sequence number of the signalling inside a link. Later ones count from it, so that an overtaken request is
/// recognised.
std::uint16_t link_engine::draw_seq(peer_id peer) {
  std::array<std::uint8_t, 2> seq{};
  peers_.stream(stream_purpose::signalling_numbers, peer).fill(seq);
  return static_cast<std::uint16_t>(seq[0] << 8 | seq[1]);
}

result<void, drop_reason> link_engine::connect(const peer_heard& heard, time_ms now, actions& out) {
  const peer* p = peers_.find(heard.peer);
  if (p == nullptr) return tl::unexpected(drop_reason::unknown_link);
  if (const auto at = peers_state_.find(p->id); at != peers_state_.end() && (at->second.attempt || at->second.pending))
    return tl::unexpected(drop_reason::limit);
  if (under_way(p->id, false) || under_way(p->id, link_job_kind::request)) return tl::unexpected(drop_reason::limit);
  if (!afford(p->id, set_up_work::multiplications(set_up_work_kind::ask), now))
    return tl::unexpected(drop_reason::budget);
  handshake_context c;
  std::array<std::uint8_t, 5> r{};
  peers_.stream(stream_purpose::set_up_identifiers, p->id).fill(r);
  c.seq = static_cast<std::uint16_t>(r[0] << 8 | r[1]);
  c.initiator = l2_id{r[2]} << 16 | l2_id{r[3]} << 8 | r[4];  // fresh for this attempt: nothing links two attempts
  c.responder = heard.rendezvous;
  c.t = heard.t;
  auto work = new_work(set_up_work_kind::ask, p->id);
  work->ask(c, {offered_, protocol_version, 0, draw_half(p->id)}, ephemerals(p->id));
  (void)begin({link_job_kind::connect, p->id, now + config_.answer_after_ms, std::move(work)}, now, out);
  return {};
}

/// The request is composed and due.
link_engine::refusal link_engine::finish_connect(link_job& j, time_ms now, actions& out) {
  peer_links& state = peers_state_[j.peer];
  if (state.attempt || state.pending) return drop_reason::nothing_new;
  state.attempt.emplace(link_attempt{
      j.peer, std::move(j.work->handshake), j.work->context(), {}, now, now + config_.request_lifetime_ms});
  tick_link(state, now, out);  // the first transmission
  return took_effect;
}

link_engine::refusal link_engine::on_request(l2_id src, l2_id dst, bytes_view octets, std::uint16_t seq, time_ms now,
                                             actions& out) {
  discovery_.find_rendezvous(dst, now, candidates_);
  if (candidates_.empty()) return drop_reason::not_addressed;
  drop_reason worst = drop_reason::bad_token;
  for (rendezvous_slot* slot : candidates_) {
    const peer* p = peers_.find(slot->peer);
    if (p == nullptr) continue;
    if (!may_try(p->id, now)) {
      worst = drop_reason::budget;
      continue;
    }
    const auto token = octets.last(request_token_octets);
    const auto expected = request_token(p->ours, slot->t, src, dst, octets.first(octets.size() - request_token_octets));
    if (!equal_constant_time(expected, token)) {
      ++budget_of(p->id, now).trials;
      continue;
    }
    return answer_request(*p, *slot, src, dst, octets, seq, now, out);
  }
  return worst;
}

/// The token is good: the pair's key made these 65 octets for this slot. They may still be a copy.
link_engine::refusal link_engine::answer_request(const peer& p, rendezvous_slot& slot, l2_id src, l2_id dst,
                                                 bytes_view octets, std::uint16_t seq, time_ms now, actions& out) {
  const auto digest = digest_of(octets);
  const auto seen_end = slot.seen.begin() + slot.requests;
  if (std::find(slot.seen.begin(), seen_end, digest) != seen_end) {
    if (auto missed = take_missed(link_job_kind::request, p.id, octets)) return finish(*missed, now, out);
    if (answers_already(link_job_kind::request, p.id, octets)) return drop_reason::nothing_new;
    const auto at = peers_state_.find(p.id);
    if (at == peers_state_.end() || !at->second.pending) return drop_reason::replayed;
    link& l = *at->second.pending;
    if (l.own_role != role::responder ||
        !std::equal(octets.begin(), octets.end(), l.request.begin(), l.request.end()) || l.setup.initiator != src ||
        l.setup.responder != dst)
      return drop_reason::replayed;
    if (now - l.last_answer < config_.answer_gap_ms) return drop_reason::nothing_new;
    l.last_answer = now;
    out.push_back(send_message{p.id, lcid_pc5s_security_mode, dst, src, l.command});
    return took_effect;
  }
  if (slot.requests >= rendezvous_slot::max_requests) return drop_reason::limit;
  // Simultaneous open: the request of the smaller key goes on, whatever became of its answer.
  const auto at = peers_state_.find(p.id);
  const bool asked = under_way(p.id, link_job_kind::connect) ||
                     (at != peers_state_.end() &&
                      (at->second.attempt || (at->second.pending && at->second.pending->own_role == role::initiator)));
  if (p.own_key_is_smaller && asked) return drop_reason::yielded;
  if (under_way(p.id, true)) return drop_reason::budget;
  if (!afford(p.id, set_up_work::multiplications(set_up_work_kind::respond), now)) return drop_reason::budget;
  slot.seen[slot.requests++] = digest;  // before the scalar multiplications: the same octets never cost them twice

  const handshake_context c{message_type::direct_communication_request, seq, src, dst, slot.t, nullptr};
  auto work = new_work(set_up_work_kind::respond, p.id);
  work->respond(c, octets, config_.suites, draw_half(p.id), ephemerals(p.id));
  return begin({link_job_kind::request, p.id, now + config_.answer_after_ms, std::move(work)}, now, out);
}

/// The answer is composed and due, if the request verified.
link_engine::refusal link_engine::finish_request(link_job& j, time_ms now, actions& out) {
  auto& r = j.work->response;
  if (!r) return j.work->why;
  peer_links& state = peers_state_[j.peer];
  cancel(j.peer, link_job_kind::connect);
  state.attempt.reset();
  const auto complete = derive<complete_key>(r->secrets.kd0);
  auto l = std::make_unique<link>(make_generation(std::move(r->secrets), role::responder, config_.epochs,
                                                  peers_.stream(stream_purpose::epoch_lengths, j.peer), now),
                                  j.peer, role::responder, now, discovery_.clock().now().value_or(0));
  l->next_seq = draw_seq(j.peer);
  l->setup = j.work->context();
  l->request.assign(j.work->octets().begin(), j.work->octets().end());
  l->command = std::move(r->answer);
  l->complete_key_used.emplace(complete.expose());
  l->last_answer = now;
  out.push_back(send_message{j.peer, lcid_pc5s_security_mode, l->setup.responder, l->setup.initiator, l->command});
  state.pending = std::move(l);  // one half-open link a peer; a live one stays until the Complete
  return took_effect;
}

/// Several requests may wait under the same layer-2 IDs, by accident or because a peer chose them so. Each is tried.
link_engine::refusal link_engine::on_command(l2_id src, l2_id dst, bytes_view octets, std::uint16_t seq, time_ms now,
                                             actions& out) {
  refusal worst = drop_reason::not_addressed;
  for (auto& [id, state] : peers_state_) {
    auto& a = state.attempt;
    if (!a || a->context.responder != src || a->context.initiator != dst) continue;
    const peer* p = peers_.find(id);
    if (p == nullptr) continue;
    worst = drop_reason::malformed;
    if (a->context.seq != seq) continue;
    const auto expected =
        command_token(p->theirs, a->context.t, src, dst, octets.first(octets.size() - command_token_octets));
    worst = drop_reason::bad_token;
    if (!equal_constant_time(expected, octets.last(command_token_octets))) continue;
    const auto digest = digest_of(octets);
    if (a->tried.contains(digest)) {
      if (auto missed = take_missed(link_job_kind::command, id, octets)) return finish(*missed, now, out);
      worst = drop_reason::nothing_new;
      continue;
    }
    worst = drop_reason::budget;
    if (under_way(id, false) || a->tried.n >= most_trials) continue;
    if (!afford(id, set_up_work::multiplications(set_up_work_kind::read_answer), now)) continue;
    a->tried.add(digest);
    auto work = new_work(set_up_work_kind::read_answer, id);
    work->read_answer(a->handshake, octets);
    worst = begin({link_job_kind::command, id, now + config_.answer_after_ms, std::move(work)}, now, out);
    if (!worst) return took_effect;
  }
  return worst;
}

/// The command was read, and the Complete is due if it verified.
link_engine::refusal link_engine::finish_command(link_job& j, time_ms now, actions& out) {
  const auto at = peers_state_.find(j.peer);
  if (at == peers_state_.end() || !at->second.attempt || at->second.attempt->handshake != j.work->handshake)
    return drop_reason::nothing_new;
  auto& secrets = j.work->secrets;
  if (!secrets) return drop_reason::bad_handshake;
  peer_links& state = at->second;
  auto& a = state.attempt;
  const auto key = derive<complete_key>(secrets->kd0);
  auto l = std::make_unique<link>(make_generation(std::move(*secrets), role::initiator, config_.epochs,
                                                  peers_.stream(stream_purpose::epoch_lengths, j.peer), now),
                                  j.peer, role::initiator, now, discovery_.clock().now().value_or(0));
  l->next_seq = draw_seq(j.peer);
  l->setup = a->context;
  l->complete.resize(complete_octets);
  write_message_header({message_type::security_mode_complete, l->setup.seq}, l->complete);
  complete_status status{};
  write_u32(discovery_.clock().now().value_or(0), bytes_span(status).subspan(1));
  crypto::aead(suite::chacha20_poly1305, key)
      .seal(complete_nonce, bytes_view(l->complete).first(message_header_octets), status,
            bytes_span(l->complete).subspan(message_header_octets));
  l->complete_pending = true;
  l->next_complete = now;
  a.reset();
  state.pending = std::move(l);
  tick_link(state, now, out);  // the first Complete
  return took_effect;
}

/// As with Commands, every set-up under these layer-2 IDs is tried.
link_engine::refusal link_engine::on_complete(l2_id src, l2_id dst, bytes_view octets, std::uint16_t seq, time_ms now,
                                              actions& out) {
  drop_reason worst = drop_reason::not_addressed;
  for (auto& [id, state] : peers_state_) {
    if (link* l = state.live.get(); l != nullptr && l->own_role == role::responder && l->setup.initiator == src &&
                                    l->setup.responder == dst && now - l->created < config_.half_open_lifetime_ms) {
      worst = drop_reason::replayed;
      if (std::equal(octets.begin(), octets.end(), l->complete.begin(), l->complete.end())) {
        if (now - l->last_answer < config_.answer_gap_ms) return drop_reason::nothing_new;
        send_accept(*l, now, out);
        return took_effect;
      }
    }
    link* l = state.pending.get();
    if (l == nullptr || l->own_role != role::responder || l->setup.initiator != src || l->setup.responder != dst)
      continue;
    worst = drop_reason::malformed;
    if (l->setup.seq != seq) continue;
    complete_status status{};
    const crypto::aead box(suite::chacha20_poly1305, *l->complete_key_used);
    worst = drop_reason::bad_handshake;
    if (!box.open(complete_nonce, octets.first(message_header_octets), octets.subspan(message_header_octets), status))
      continue;
    l->complete.assign(octets.begin(), octets.end());
    l->last_heard = now;
    discovery_.learn_offset(id, read_u32(bytes_view(status).subspan(1)), l->created_slot);
    establish(state, now, out);
    send_accept(*state.live, now, out);
    return took_effect;
  }
  return worst;
}

/// The peer has proved that it has the keys: the pending link replaces a live one.
void link_engine::establish(peer_links& state, time_ms now, actions& out) {
  drop_live(state, lost_reason::replaced, out);
  state.live = std::move(state.pending);
  link& l = *state.live;
  l.id = next_link_++;
  l.complete_pending = false;
  l.complete_key_used.reset();
  l.command.clear();
  l.last_heard = now;
  out.push_back(
      link_established{l.peer, l.id, l.own_role, l.current.kd_sess_id, l.current.suite_used, l.current.fingerprint});
}

void link_engine::send_accept(link& l, time_ms now, actions& out) {
  l.last_answer = now;
  std::array<std::uint8_t, accept_octets> m{};
  write_message_header({message_type::direct_communication_accept, l.setup.seq}, m);
  write_u32(discovery_.clock().now().value_or(0), bytes_span(m).subspan(message_header_octets));
  send_signalling(l, m, now, out);
}

}  // namespace prose::security
