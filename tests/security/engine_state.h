// All that a UE's link engine and the addressed slots of its discovery engine know, in words: for tests that say
// "nothing changed".
#pragma once

#include <sstream>

#include "common/hex.h"
#include "security/link.h"
#include "tests/security/security_world.h"

namespace prose::security::test {

inline void describe(std::ostream& o, const handshake_context& c) {
  o << " context " << static_cast<int>(c.request_type) << ' ' << c.seq << ' ' << c.initiator << ' ' << c.responder
    << ' ' << c.t;
}

inline void describe(std::ostream& o, const epoch_chain& c) {
  o << " chain heard " << c.heard() << " sends in " << c.epoch_index();
  c.for_each_epoch([&](const epoch& e) {
    o << " epoch " << e.index << ' ' << e.own_l2 << ' ' << e.peer_l2 << ' ' << e.tx.protection().kd_sess_id << ' '
      << e.rx.protection().kd_sess_id;
    for (std::uint8_t lcid = 1; lcid <= lcid_pc5s_protected; ++lcid)
      if (channel_index(lcid)) o << ' ' << e.tx.sealed_on(lcid);
  });
}

inline void describe(std::ostream& o, const generation& g) {
  o << " generation " << g.kd_sess_id << ' ' << to_hex(g.fingerprint) << " born " << g.born;
  describe(o, g.chain);
}

inline void describe(std::ostream& o, const link& l) {
  o << " link " << l.id << " role " << static_cast<int>(l.own_role);
  describe(o, l.current);
  if (l.previous) describe(o << " previous", *l.previous);
  o << " previous until " << l.previous_until.value_or(-1);
  if (l.staged)
    describe(o << " staged " << to_hex(l.staged->request) << ' ' << to_hex(l.staged->answer), l.staged->keys);
  if (l.rekeying)
    o << " rekeying " << to_hex(l.rekeying->handshake->request()) << ' ' << l.rekeying->next_send << ' '
      << l.rekeying->expires;
  describe(o, l.setup);
  o << " backoff " << l.rekey_backoff_until << " complete pending " << l.complete_pending << ' ' << to_hex(l.request)
    << ' ' << to_hex(l.command) << ' ' << to_hex(l.complete) << " times " << l.created << ' ' << l.next_complete << ' '
    << l.last_answer << ' ' << l.last_heard << ' ' << l.last_sent << ' ' << l.next_keepalive << " counters "
    << l.reported_epoch << ' ' << l.keepalive_counter << ' ' << l.next_seq;
}

/// `dst`: the slots of discovery that take requests there now are described too.
inline std::string engine_state(ue& u, l2_id dst, time_ms now) {
  std::ostringstream o;
  for (const auto& [peer, state] : u.security->links().state()) {
    if (!state.attempt && !state.pending && !state.live) continue;  // an empty place, which the next tick clears away
    o << "peer " << peer;
    if (state.attempt) {
      const auto& a = *state.attempt;
      describe(o << " attempt", a.context);
      o << ' ' << a.tried.n << ' ' << a.next_send << ' ' << a.expires;
    }
    if (state.pending) describe(o << " pending", *state.pending);
    if (state.live) describe(o << " live", *state.live);
    o << '\n';
  }
  for (const auto& c : u.security->links().closing_state()) {
    o << "closing " << c.peer << ' ' << to_hex(c.message) << ' ' << c.sends_left << ' ' << c.next_send;
    for (const auto& e : c.epochs)
      o << " epoch " << e.index << ' ' << e.own_l2 << ' ' << e.peer_l2 << ' ' << e.tx.most_sealed();
    o << '\n';
  }
  std::vector<rendezvous_slot*> slots;
  u.security->discovery().find_rendezvous(dst, now, slots);
  for (const auto* s : slots) {
    o << "slot " << s->t << " of " << s->peer << " last " << s->last_sent_ms << " requests " << s->requests;
    for (const auto& d : s->seen) o << ' ' << to_hex(d);
    o << '\n';
  }
  for (const auto& s : stolen_state(u.security->peers(), u.security->links(), export_permit::user_was_warned()))
    o << s.name << ' ' << to_hex(s.octets) << '\n';
  return o.str();
}

}  // namespace prose::security::test
