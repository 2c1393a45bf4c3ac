// Records in, and the PC5-S messages that travel inside records on LCID 30.
#include <algorithm>

#include "security/link.h"
#include "security/link_engine.h"

namespace prose::security {

result<received_data, drop_reason> link_engine::on_record(std::uint8_t lcid, l2_id src, l2_id dst, bytes_view pdu,
                                                          time_ms now, bytes_span buffer, actions& out) {
  const auto h = read_pdcp_header(pdu);
  if (!h || pdu.size() < record_overhead_octets) return tl::unexpected(drop_reason::malformed);
  if (!channel_carries(lcid, h->type)) return tl::unexpected(drop_reason::wrong_channel);
  // Identifiers are drawn without a look at what is in use, and a peer may provoke some that it has heard elsewhere. So
  // a record is tried under every context that its identifiers name, whatever the result under the others: at most 22
  // for each of max_peers (four chains of four epochs, six of a link that closes).
  drop_reason worst = drop_reason::unknown_link;
  for (auto& [id, state] : peers_state_) {
    if (state.live) {
      auto r = try_record(*state.live, lcid, *h, src, dst, pdu, now, buffer, out);
      if (r) return r;
      if (r.error() != drop_reason::unknown_link) worst = r.error();
    }
    if (state.pending) {
      link& l = *state.pending;
      const auto n = l.current.chain.open(lcid, *h, src, dst, pdu, now, buffer);
      if (n) {
        // Any verified record of the other side is as good as its Complete or Accept.
        const bool was_responder = l.own_role == role::responder;
        establish(state, now, out);
        link& live = *state.live;
        const bytes_view data = buffer.first(n->octets);
        if (was_responder) send_accept(live, now, out);
        if (h->type != sdu_type::pc5s) return received_data{id, live.id, true, h->type, data};
        const link_id established = live.id;
        on_signalling(live, data, now, out);
        return received_data{id, established, false, h->type, {}};
      }
      if (n.error() != drop_reason::unknown_link) worst = n.error();
    }
  }
  const refusal closing = on_closing_record(lcid, *h, src, dst, pdu, buffer, out);
  if (!closing) return received_data{0, 0, false, sdu_type::pc5s, {}};
  return tl::unexpected(*closing != drop_reason::unknown_link ? *closing : worst);
}

result<received_data, drop_reason> link_engine::try_record(link& l, std::uint8_t lcid, const pdcp_header& h, l2_id src,
                                                           l2_id dst, bytes_view pdu, time_ms now, bytes_span buffer,
                                                           actions& out) {
  bool moved = false;
  auto n = l.current.chain.open(lcid, h, src, dst, pdu, now, buffer);
  drop_reason worst = n ? drop_reason::unknown_link : n.error();
  if (n) {
    moved = n->moved;
    if (l.previous && !l.previous_until) l.previous_until = now + config_.epochs.old_kept_ms;
  } else if (l.staged) {
    n = l.staged->keys.chain.open(lcid, h, src, dst, pdu, now, buffer);
    if (n) {
      generation next = std::move(l.staged->keys);
      l.staged.reset();
      adopt(l, std::move(next), true, now, out);
      moved = true;
    } else if (n.error() != drop_reason::unknown_link) {
      worst = n.error();
    }
  }
  if (!n && l.previous) {
    n = l.previous->open(lcid, h, src, dst, pdu, now, buffer);
    if (!n && n.error() != drop_reason::unknown_link) worst = n.error();
  }
  if (!n) return tl::unexpected(worst);
  l.last_heard = now;
  const received_data got{l.peer, l.id, h.type != sdu_type::pc5s, h.type, buffer.first(n->octets)};
  // The peer may drop its old epoch only once it hears us under the new one: say something.
  if (moved) send_keepalive(l, now, out);
  report_epochs(l, out);
  if (got.is_data) return got;
  on_signalling(l, got.data, now, out);
  return received_data{got.peer, got.link, false, got.type, {}};
}

bool link_engine::on_signalling(link& l, bytes_view message, time_ms now, actions& out) {
  const auto h = read_message_header(message, true);
  if (!h) return true;  // authentic, but from a later version of the protocol
  switch (h->type) {
    case message_type::direct_communication_accept:
      discovery_.learn_offset(l.peer, read_u32(message.subspan(message_header_octets)), l.created_slot);
      return true;
    case message_type::keepalive: {
      std::array<std::uint8_t, keepalive_octets> m{};
      write_message_header({message_type::keepalive_ack, h->seq}, m);
      std::copy(message.begin() + message_header_octets, message.end(), m.begin() + message_header_octets);
      send_signalling(l, m, now, out);
      return true;
    }
    case message_type::release: {
      std::array<std::uint8_t, release_accept_octets> m{};
      write_message_header({message_type::release_accept, h->seq}, m);
      send_signalling(l, m, now, out);
      drop_live(peers_state_.at(l.peer), lost_reason::released_by_peer, out);
      return false;
    }
    case message_type::rekeying_request:
      on_rekey_request(l, message, h->seq, now, out);
      return true;
    case message_type::rekeying_response:
      on_rekey_response(l, message, now, out);
      return true;
    default:
      return true;
  }
}

void link_engine::send_signalling(link& l, bytes_view message, time_ms now, actions& out) {
  send_message m{l.peer, lcid_pc5s_protected, 0, 0, {}};
  m.octets.resize(message.size() + record_overhead_octets);
  const auto s = l.current.chain.seal(lcid_pc5s_protected, sdu_type::pc5s, message, now, m.octets);
  if (!s) return;  // COUNT at its end: silence until the rekeying or the end of the link
  m.src = s->src;
  m.dst = s->dst;
  l.last_sent = now;
  out.push_back(std::move(m));
}

void link_engine::send_keepalive(link& l, time_ms now, actions& out) {
  std::array<std::uint8_t, keepalive_octets> m{};
  write_message_header({message_type::keepalive, l.next_seq++}, m);
  write_u32(l.keepalive_counter++, bytes_span(m).subspan(message_header_octets));
  l.next_keepalive = now + keepalive_repetition_ms();
  send_signalling(l, m, now, out);
}

result<sealed_pdu, drop_reason> link_engine::seal(link_id id, std::uint8_t lcid, sdu_type type, bytes_view data,
                                                  time_ms now, bytes_span out) {
  if (lcid > lcid_data_last) return tl::unexpected(drop_reason::wrong_channel);
  link* l = find_live(id);
  if (l == nullptr) return tl::unexpected(drop_reason::unknown_link);
  if (keys_are_too_old(*l, now)) return tl::unexpected(drop_reason::exhausted);
  const auto s = l->current.chain.seal(lcid, type, data, now, out);
  if (!s) return tl::unexpected(s.error());
  l->last_sent = now;
  return sealed_pdu{s->octets, s->src, s->dst};
}

void link_engine::report_epochs(link& l, actions& out) {
  const std::uint32_t e = l.current.chain.epoch_index();
  if (e == l.reported_epoch) return;
  l.reported_epoch = e;
  out.push_back(epoch_entered{l.peer, l.id, e});
}

}  // namespace prose::security
