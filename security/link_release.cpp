// Direct Communication Release, repeated until Release Accept arrives (T4103 of TS 24.334) or it has been sent
// release_sends times.
#include <algorithm>

#include "security/link.h"
#include "security/link_engine.h"

namespace prose::security {
namespace {
constexpr std::uint8_t release_reason_not_needed = 1;  // TS 24.334 12.5.1.12
}

result<void, drop_reason> link_engine::release(link_id id, time_ms now, actions& out) {
  link* l = find_live(id);
  if (l == nullptr) return tl::unexpected(drop_reason::unknown_link);
  closing_link c{l->peer, std::move(l->current.chain).take_epochs(), {}, config_.release_sends, now};
  if (l->staged)  // the peer may answer under the keys of a rekeying that we have not heard it use
    for (auto& e : std::move(l->staged->keys.chain).take_epochs()) c.epochs.push_back(std::move(e));
  write_message_header({message_type::release, l->next_seq}, c.message);
  c.message[message_header_octets] = release_reason_not_needed;
  send_release(c, now, out);
  drop_live(peers_state_.at(l->peer), lost_reason::released_by_us, out);
  std::erase_if(closing_, [&](const closing_link& x) { return x.peer == c.peer; });  // one a peer
  closing_.push_back(std::move(c));
  return {};
}

/// Sealed anew each time, so that the peer's replay window takes whichever copy comes first.
void link_engine::send_release(closing_link& c, time_ms now, actions& out) {
  c.next_send = now + config_.release_interval_ms;
  if (c.sends_left > 0) --c.sends_left;
  epoch& e = c.epochs.front();
  send_message m{c.peer, lcid_pc5s_protected, e.own_l2, e.peer_l2, {}};
  m.octets.resize(c.message.size() + record_overhead_octets);
  if (!e.tx.seal(lcid_pc5s_protected, sdu_type::pc5s, c.message, m.octets)) return;  // COUNT at its end
  out.push_back(std::move(m));
}

/// Data that was under way when we left is for nobody. The peer's Accept ends the repetitions. So does its own Release,
/// which it repeats until it has our Accept.
link_engine::refusal link_engine::on_closing_record(std::uint8_t lcid, const pdcp_header& h, l2_id src, l2_id dst,
                                                    bytes_view pdu, bytes_span buffer, actions& out) {
  drop_reason worst = drop_reason::unknown_link;
  for (auto c = closing_.begin(); c != closing_.end(); ++c)
    for (auto& e : c->epochs) {
      if (e.rx.protection().kd_sess_id != h.kd_sess_id || e.peer_l2 != src || e.own_l2 != dst) continue;
      const auto n = e.rx.open(lcid, h, pdu, buffer);
      if (!n) {
        worst = n.error();
        continue;
      }
      const auto m = lcid == lcid_pc5s_protected ? read_message_header(buffer.first(*n), true) : std::nullopt;
      if (!m || (m->type != message_type::release && m->type != message_type::release_accept))
        return drop_reason::not_established;
      if (m->type == message_type::release) {
        std::array<std::uint8_t, release_accept_octets> accept{};
        write_message_header({message_type::release_accept, m->seq}, accept);
        epoch& tx = c->epochs.front();
        send_message answer{c->peer, lcid_pc5s_protected, tx.own_l2, tx.peer_l2, {}};
        answer.octets.resize(accept.size() + record_overhead_octets);
        if (tx.tx.seal(lcid_pc5s_protected, sdu_type::pc5s, accept, answer.octets)) out.push_back(std::move(answer));
      }
      closing_.erase(c);
      return took_effect;
    }
  return worst;
}

void link_engine::tick_closing(time_ms now, actions& out) {
  std::erase_if(closing_, [&](const closing_link& c) { return c.sends_left == 0 && now >= c.next_send; });
  for (auto& c : closing_)
    if (now >= c.next_send) send_release(c, now, out);
}

std::size_t link_engine::closing() const { return closing_.size(); }

}  // namespace prose::security
