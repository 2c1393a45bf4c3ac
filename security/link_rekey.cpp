// Direct Rekeying Request / Response: KKpsk0 again, inside records, tied to the generation it renews.
#include <algorithm>

#include "security/link.h"
#include "security/link_engine.h"

namespace prose::security {

// When a link gets new keys, and when it may not go on without: by the age of its keys alone. The number of records
// moves it to its next epoch instead (epoch_chain::move_is_due), and so bounds the octets under one record key too.

/// The UE with the larger key waits, so that both do not begin at once.
bool link_engine::rekeying_is_due(const link& l, time_ms now) const {
  const peer* p = peers_.find(l.peer);
  const bool waits = p != nullptr && !p->own_key_is_smaller;
  return now - l.current.born >= config_.rekey_after_ms + (waits ? config_.rekey_larger_key_waits_ms : 0);
}

bool link_engine::keys_are_too_old(const link& l, time_ms now) const {
  return now - l.current.born >= config_.refuse_after_ms;
}

/// One's own rekeying may be under way while the peer's is answered, but not two of the same kind.
link_engine::refusal link_engine::begin_rekey(link& l, time_ms now, actions& out) {
  if (peers_.find(l.peer) == nullptr) return drop_reason::unknown_link;
  if (under_way(l.peer, false)) return drop_reason::limit;
  handshake_context c;
  c.request_type = message_type::rekeying_request;
  c.seq = l.next_seq++;
  c.binding = &l.current.binding;
  auto work = new_work(set_up_work_kind::ask, l.peer);
  work->ask(c, {offered_, protocol_version, 0, draw_half(l.peer)}, ephemerals(l.peer));
  return begin(
      {link_job_kind::rekey, l.peer, now + config_.answer_after_ms, std::move(work), l.id, l.current.fingerprint}, now,
      out);
}

/// The link of a job, unless it has other keys by now.
link* link_engine::find_generation(const link_job& j) {
  link* l = find_live(j.link);
  return l != nullptr && l->current.fingerprint == j.generation ? l : nullptr;
}

link_engine::refusal link_engine::finish_rekey(link_job& j, time_ms now, actions& out) {
  link* l = find_generation(j);
  if (l == nullptr || l->rekeying) return drop_reason::nothing_new;
  l->rekeying.emplace(rekey_attempt{
      std::move(j.work->handshake), {}, now + config_.rekey_interval_ms, now + config_.rekey_lifetime_ms});
  send_signalling(*l, l->rekeying->handshake->request(), now, out);
  return took_effect;
}

result<void, drop_reason> link_engine::rekey(link_id id, time_ms now, actions& out) {
  link* l = find_live(id);
  if (l == nullptr) return tl::unexpected(drop_reason::unknown_link);
  if (l->rekeying) return tl::unexpected(drop_reason::limit);
  if (const auto r = begin_rekey(*l, now, out)) return tl::unexpected(*r);
  return {};
}

void link_engine::on_rekey_request(link& l, bytes_view message, std::uint16_t seq, time_ms now, actions& out) {
  const peer* p = peers_.find(l.peer);
  if (p == nullptr) return;
  if (l.staged && std::equal(message.begin(), message.end(), l.staged->request.begin(), l.staged->request.end())) {
    send_signalling(l, l.staged->answer, now, out);
    return;
  }
  // The request of an earlier attempt was overtaken. Its initiator no longer waits for the answer, and what is staged
  // for the later attempt must stay.
  if (l.staged && static_cast<std::int16_t>(seq - l.staged->seq) < 0) return;
  if ((l.rekeying || under_way(l.peer, link_job_kind::rekey)) && p->own_key_is_smaller)
    return;  // both at once: the smaller key's goes on
  if (auto missed = take_missed(link_job_kind::rekeying_request, l.peer, message)) {
    (void)finish(*missed, now, out);
    return;
  }
  peer_budget& b = budget_of(l.peer, now);
  const auto digest = digest_of(message);
  if (digest == b.last_rekeying) return;
  if (now < b.rekeying_again_at || under_way(l.peer, true)) {
    ++drops_[drop_reason::budget];
    return;
  }
  b.rekeying_again_at = now + config_.rekeying_interval_ms;
  b.last_rekeying = digest;
  handshake_context c;
  c.request_type = message_type::rekeying_request;
  c.seq = seq;
  c.binding = &l.current.binding;
  auto work = new_work(set_up_work_kind::respond, l.peer);
  work->respond(c, message, config_.suites, draw_half(l.peer), ephemerals(l.peer));
  (void)begin({link_job_kind::rekeying_request, l.peer, now + config_.answer_after_ms, std::move(work), l.id,
               l.current.fingerprint},
              now, out);
}

link_engine::refusal link_engine::finish_rekey_request(link_job& j, time_ms now, actions& out) {
  link* l = find_generation(j);
  if (l == nullptr) return drop_reason::nothing_new;
  auto& r = j.work->response;
  if (!r) return j.work->why;
  l->rekeying.reset();
  cancel(j.peer, link_job_kind::rekey);
  l->staged.emplace(staged_rekey{j.work->context().seq,
                                 {j.work->octets().begin(), j.work->octets().end()},
                                 std::move(r->answer),
                                 make_generation(std::move(r->secrets), role::responder, config_.epochs,
                                                 peers_.stream(stream_purpose::epoch_lengths, j.peer), now)});
  send_signalling(*l, l->staged->answer, now, out);
  return took_effect;
}

void link_engine::on_rekey_response(link& l, bytes_view message, time_ms now, actions& out) {
  if (!l.rekeying) return;
  const auto digest = digest_of(message);
  if (l.rekeying->tried.contains(digest)) {
    if (auto missed = take_missed(link_job_kind::rekeying_response, l.peer, message)) (void)finish(*missed, now, out);
    return;
  }
  if (under_way(l.peer, false) || !l.rekeying->tried.add(digest)) {
    ++drops_[drop_reason::budget];
    return;
  }
  auto work = new_work(set_up_work_kind::read_answer, l.peer);
  work->read_answer(l.rekeying->handshake, message);
  (void)begin({link_job_kind::rekeying_response, l.peer, now + config_.answer_after_ms, std::move(work), l.id,
               l.current.fingerprint},
              now, out);
}

link_engine::refusal link_engine::finish_rekey_response(link_job& j, time_ms now, actions& out) {
  link* l = find_generation(j);
  if (l == nullptr || !l->rekeying || l->rekeying->handshake != j.work->handshake) return drop_reason::nothing_new;
  auto& secrets = j.work->secrets;
  if (!secrets) return drop_reason::bad_handshake;
  adopt(*l,
        make_generation(std::move(*secrets), role::initiator, config_.epochs,
                        peers_.stream(stream_purpose::epoch_lengths, j.peer), now),
        false, now, out);
  send_keepalive(*l, now, out);  // the responder moves on with the first record under the new keys
  return took_effect;
}

/// From here on everything is sent under the new generation. The old one opens what the peer still sends under it,
/// until epoch_config::old_kept_ms after the peer was heard under the new one.
void link_engine::adopt(link& l, generation&& next, bool peer_heard_already, time_ms now, actions& out) {
  l.previous.emplace(std::move(l.current.chain));
  l.previous_until.reset();
  if (peer_heard_already) l.previous_until = now + config_.epochs.old_kept_ms;
  l.current = std::move(next);
  l.staged.reset();
  l.rekeying.reset();
  l.reported_epoch = 0;
  out.push_back(rekeyed{l.peer, l.id, l.current.kd_sess_id, l.current.suite_used, l.current.fingerprint});
}

}  // namespace prose::security
