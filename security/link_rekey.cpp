// Direct Rekeying Request / Response: KKpsk0 again, inside records, tied to the generation it renews.
#include <algorithm>

#include "security/link.h"
#include "security/link_engine.h"

namespace prose::security {

void link_engine::begin_rekey(link& l, time_ms now, actions& out) {
  const peer* p = peers_.find(l.peer);
  if (p == nullptr) return;
  handshake_context c;
  c.request_type = message_type::rekeying_request;
  c.seq = l.next_seq++;
  c.binding = &l.current.binding;
  const offer o{offered_, protocol_version, 0, draw_half()};
  l.rekeying.emplace(rekey_attempt{initiator_handshake(peers_, *p, c, o), now + config_.rekey_interval_ms,
                                   now + config_.rekey_lifetime_ms});
  send_signalling(l, l.rekeying->handshake.request(), now, out);
}

result<void, drop_reason> link_engine::rekey(link_id id, time_ms now, actions& out) {
  link* l = find_live(id);
  if (l == nullptr) return tl::unexpected(drop_reason::unknown_link);
  if (l->rekeying) return tl::unexpected(drop_reason::limit);
  begin_rekey(*l, now, out);
  return {};
}

void link_engine::on_rekey_request(link& l, bytes_view message, std::uint16_t seq, time_ms now, actions& out) {
  const peer* p = peers_.find(l.peer);
  if (p == nullptr) return;
  if (l.staged && std::equal(message.begin(), message.end(), l.staged->request.begin(), l.staged->request.end())) {
    send_signalling(l, l.staged->answer, now, out);
    return;
  }
  // An earlier attempt's request that was overtaken: its initiator no longer waits for the answer, and what is staged for the later one must stay.
  if (l.staged && static_cast<std::int16_t>(seq - l.staged->seq) < 0) return;
  if (l.rekeying && p->own_key_is_smaller) return;  // both at once: the smaller key's goes on
  handshake_context c;
  c.request_type = message_type::rekeying_request;
  c.seq = seq;
  c.binding = &l.current.binding;
  drop_reason why{};
  auto r = respond(peers_, *p, c, message, config_.suites, [&](std::uint8_t) { return draw_half(); }, why);
  if (!r) return;
  l.rekeying.reset();
  l.staged.emplace(staged_rekey{seq, {message.begin(), message.end()},
                                std::move(r->answer),
                                make_generation(std::move(r->secrets), role::responder, config_.epochs, ports_.random,
                                                now)});
  send_signalling(l, l.staged->answer, now, out);
}

void link_engine::on_rekey_response(link& l, bytes_view message, time_ms now, actions& out) {
  if (!l.rekeying) return;
  auto secrets = l.rekeying->handshake.read_answer(message);
  if (!secrets) return;
  l.rekeying.reset();
  adopt(l, make_generation(std::move(*secrets), role::initiator, config_.epochs, ports_.random, now), false, now, out);
  send_keepalive(l, now, out);  // the responder moves on with the first record under the new keys
}

/// From here on everything is sent under the new generation. What the peer still sends under the old one is opened until it
/// has been heard under the new one and for the usual time after.
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
