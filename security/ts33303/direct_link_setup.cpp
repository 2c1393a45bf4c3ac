// Direct Communication Request -> Direct Security Mode Command -> Complete -> Direct Communication Accept.
#include <algorithm>

#include "security/crypto/declassify.h"
#include "security/crypto/hash.h"
#include "security/ts33303/direct_link_state.h"

namespace prose::security::ts33303 {
namespace {

constexpr std::size_t message_most = 256;  // of those that are written here; User Info has at most 64 octets
constexpr int lsb_draws = 64;

peer_links::digest digest_of(l2_id src, l2_id dst, bytes_view octets) {
  const std::array<std::uint8_t, 6> ids{static_cast<std::uint8_t>(src >> 16), static_cast<std::uint8_t>(src >> 8),
                                        static_cast<std::uint8_t>(src),       static_cast<std::uint8_t>(dst >> 16),
                                        static_cast<std::uint8_t>(dst >> 8),  static_cast<std::uint8_t>(dst)};
  peer_links::digest d{};
  crypto::digest(crypto::hash::sha256, {ids, octets}, d);
  return d;
}

}  // namespace

message_octets encode(std::uint16_t sequence, const pc5s_body& body) {
  message_octets o(message_most);
  o.resize(write({sequence, body}, o).value_or(0));
  return o;
}

nonce direct_links::draw_nonce() const {
  nonce n{};
  peers_.ports_used().random.fill(n);
  return n;
}

std::uint8_t direct_links::draw_half(peer_id peer) const {
  return static_cast<std::uint8_t>(1 + peers_.stream(stream_purpose::kd_sess_id_halves, peer).below(UINT8_MAX));
}

std::uint16_t direct_links::draw_seq(peer_id peer) const {
  std::array<std::uint8_t, 2> seq{};
  peers_.stream(stream_purpose::signalling_numbers, peer).fill(seq);
  return static_cast<std::uint16_t>(seq[0] << 8 | seq[1]);
}

/// The commanding UE picks a KD-sess ID that no other context of its own has (TS 33.303 6.5.5.2, NOT VERIFIED).
std::optional<std::uint8_t> direct_links::free_lsb(peer_id peer, std::uint8_t msb) const {
  for (int i = 0; i < lsb_draws; ++i) {
    const std::uint8_t lsb = draw_half(peer);
    const std::uint16_t id = kd_sess_id_of(msb, lsb);
    const bool taken = std::ranges::any_of(peers_state_, [id](const auto& entry) {
      const peer_links& state = entry.second;
      return (state.live && state.live->contexts.uses(id)) ||
             (state.attempt && state.attempt->staged && state.attempt->staged->contexts.uses(id)) ||
             std::ranges::any_of(state.half_open, [id](const half_open_link& h) { return h.keys->contexts.uses(id); });
    });
    if (!taken) return lsb;
  }
  return std::nullopt;
}

std::optional<made_context> direct_links::make_context(peer_id peer, side own, std::uint16_t kd_sess_id,
                                                       const nonce& nonce_1, const nonce& nonce_2,
                                                       const algorithms& chosen) const {
  const auto* p = peers_.find(peer);
  const auto* kd = p != nullptr ? kds_.of_peer(p->name) : nullptr;
  if (kd == nullptr) return std::nullopt;
  const auto kd_sess = derive_kd_sess(kd->kd, nonce_1, nonce_2);
  auto context =
      security_context::make({kd_sess_id, own, chosen.ciphering, chosen.integrity, config_.mac_i_on_data}, kd_sess);
  if (!context) return std::nullopt;
  made_context made{std::move(*context), {}};
  crypto::hkdf_expand(kd_sess.expose(), crypto::as_bytes("LTESL ts33303 fingerprint"), made.fingerprint);
  crypto::declassify(made.fingerprint);  // shown to the user
  return made;
}

result<void, drop_reason> direct_links::connect(const peer_heard& heard, time_ms now, actions& out) {
  const auto* p = peers_.find(heard.peer);
  const auto* kd = p != nullptr ? kds_.of_peer(p->name) : nullptr;
  if (kd == nullptr) return tl::unexpected(drop_reason::unknown_link);
  peer_links& state = peers_state_[heard.peer];
  if (state.attempt) return tl::unexpected(drop_reason::limit);
  link_attempt t;
  t.peer = heard.peer;
  std::array<std::uint8_t, 3> id{};
  peers_.stream(stream_purpose::set_up_identifiers, p->id).fill(id);
  t.own = l2_id{id[0]} << 16 | l2_id{id[1]} << 8 | id[2];
  t.other = heard.rendezvous;
  t.nonce_1 = draw_nonce();
  t.msb = draw_half(p->id);
  t.next_seq = draw_seq(p->id);
  t.sent = capabilities_of(config_.algorithms);
  direct_communication_request r;
  r.user = {user_info_type::upper_layers, {crypto::as_bytes(config_.user_info)}};
  r.max_inactivity = static_cast<std::uint32_t>(config_.lost_after_ms / 1000);
  r.nonce_1 = t.nonce_1;
  r.capabilities = t.sent;
  r.kd_sess_id_msb = t.msb;
  r.kd_id = kd->id;
  t.request = encode(t.next_seq++, r);
  t.sends_left = config_.request.sends;
  state.attempt = std::move(t);
  tick_attempt(state, now, out);  // the first transmission
  return {};
}

direct_links::refusal direct_links::on_unprotected(const arrived& a, actions& out) {
  const auto m = parse(a.octets);
  if (!m) return drop_reason::malformed;
  if (std::holds_alternative<direct_communication_request>(m->message.body)) return on_request(a, m->message, out);
  if (std::holds_alternative<direct_communication_reject>(m->message.body) ||
      std::holds_alternative<security_mode_reject>(m->message.body))
    return on_reject(a, out);
  return drop_reason::wrong_channel;
}

direct_links::refusal direct_links::on_request(const arrived& a, const pc5s_message& m, actions& out) {
  discovery_.find_rendezvous(a.dst, a.now, candidates_);
  if (candidates_.empty()) return drop_reason::not_addressed;
  const auto& kd_id = std::get<direct_communication_request>(m.body).kd_id;
  for (const rendezvous_slot* slot : candidates_) {
    const peer* p = peers_.find(slot->peer);
    if (p != nullptr && kd_id && kds_.of_request(p->name, *kd_id) != nullptr) return answer_request(*p, a, m, out);
  }
  return drop_reason::bad_token;  // no KD, or another pair's: there is nothing else to authenticate with
}

direct_links::refusal direct_links::answer_request(const peer& p, const arrived& a, const pc5s_message& m,
                                                   actions& out) {
  const auto& request = std::get<direct_communication_request>(m.body);
  if (is_own_nonce(request.nonce_1)) return drop_reason::replayed;
  peer_links& state = peers_state_[p.id];
  for (auto& h : state.half_open)
    if (h.keys->is_between(a.src, a.dst) && std::ranges::equal(h.request, a.octets))
      return repeat_command(h, a.now, out);
  const auto digest = digest_of(a.src, a.dst, a.octets);
  if (std::ranges::find(state.seen, digest) != state.seen.end()) return drop_reason::replayed;
  // Simultaneous Requests: that of the smaller key goes on (NOT 3GPP, no rule of the standard is known).
  if (p.own_key_is_smaller && state.attempt) return drop_reason::yielded;
  if (!make_room(state, a.now)) return drop_reason::limit;
  state.seen.push_back(digest);
  if (state.seen.size() > peer_links::requests_remembered) state.seen.pop_front();

  half_open_link h;
  const std::uint16_t first_seq = draw_seq(p.id);
  const auto chosen = choose(config_.algorithms, request.capabilities);
  if (!chosen) {
    out.push_back(send_message{p.id, lcid_pc5s_unprotected, a.dst, a.src,
                               encode(first_seq, direct_communication_reject{pc5s_cause::other})});
    return drop_reason::no_common_suite;
  }
  const auto lsb = free_lsb(p.id, request.kd_sess_id_msb);
  if (!lsb) return drop_reason::limit;
  security_mode_command command;
  command.capabilities = request.capabilities;
  command.nonce_2 = draw_nonce();
  command.chosen = {static_cast<std::uint8_t>(chosen->ciphering), static_cast<std::uint8_t>(chosen->integrity)};
  command.kd_sess_id_lsb = *lsb;
  auto made = make_context(p.id, side::commanding, kd_sess_id_of(request.kd_sess_id_msb, *lsb), request.nonce_1,
                           command.nonce_2, *chosen);
  if (!made) return drop_reason::malformed;
  h.keys = std::make_unique<session>(p.id, role::responder, a.dst, a.src, std::move(*made), a.now);
  h.keys->next_seq = first_seq;
  h.request.assign(a.octets.begin(), a.octets.end());
  h.command = encode(h.keys->next_seq++, command);
  h.expires = a.now + config_.half_open_ms;
  h.last_answer = a.now;
  send(*h.keys, lcid_pc5s_security_mode, h.command, out);
  state.half_open.push_back(std::move(h));
  return std::nullopt;
}

/// Our own Request, handed back. KD is symmetric and KD-sess has no identities, so we would take our own Command for
/// the peer's, and believe in a link in which the peer has no part. NOT 3GPP: no such rule of the standard is known.
/// That of a rekeying counts too: with EEA0 it is in clear.
bool direct_links::is_own_nonce(const nonce& nonce_1) const {
  return std::ranges::any_of(peers_state_, [&nonce_1](const auto& entry) {
    const peer_links& state = entry.second;
    return (state.attempt && state.attempt->nonce_1 == nonce_1) ||
           (state.live && state.live->asked && state.live->asked->nonce_1 == nonce_1);
  });
}

/// False: all places are taken, and none for long enough that its Complete could have come. A flood of Requests that
/// nobody authenticates takes places, so whoever asks and does not complete has one for a short time only.
bool direct_links::make_room(peer_links& state, time_ms now) const {
  if (state.half_open.size() < peer_links::most_half_open) return true;
  const auto& oldest = state.half_open.front();
  if (now - (oldest.expires - config_.half_open_ms) < config_.half_open_least_ms) return false;
  state.half_open.erase(state.half_open.begin());
  return true;
}

direct_links::refusal direct_links::repeat_command(half_open_link& h, time_ms now, actions& out) {
  if (now - h.last_answer < config_.answer_gap_ms) return drop_reason::nothing_new;
  h.last_answer = now;
  send(*h.keys, lcid_pc5s_security_mode, h.command, out);
  return std::nullopt;
}

/// Nothing authenticates a Reject: the standard's procedure believes it. It ends what is not yet a link, and only that.
direct_links::refusal direct_links::on_reject(const arrived& a, actions& out) {
  for (auto& [id, state] : peers_state_) {
    auto& t = state.attempt;
    if (t && !t->staged && t->own == a.dst && t->other == a.src) {
      t.reset();
      if (!state.live && state.half_open.empty()) out.push_back(attempt_failed{id});
      return std::nullopt;
    }
    const auto n =
        std::erase_if(state.half_open, [&a](const half_open_link& h) { return h.keys->is_between(a.src, a.dst); });
    if (n != 0) return std::nullopt;
  }
  return drop_reason::not_addressed;
}

result<received_data, drop_reason> direct_links::on_security_mode(const arrived& a, actions& out) {
  drop_reason worst = drop_reason::unknown_link;
  const auto took = [&](refusal r) {
    if (r && *r != drop_reason::unknown_link) worst = *r;
    return !r;
  };
  for (auto& [id, state] : peers_state_) {
    const received_data done{id, 0, false, sdu_type::pc5s, {}};
    if (state.attempt && state.attempt->own == a.dst && state.attempt->other == a.src &&
        took(on_command(state, a, out)))
      return done;
    for (std::size_t i = 0; i < state.half_open.size(); ++i)
      if (state.half_open[i].keys->is_between(a.src, a.dst) && took(on_complete(state, i, a, out))) return done;
    if (state.live && state.live->is_between(a.src, a.dst) && took(on_live_security_mode(*state.live, a, out)))
      return done;
  }
  return tl::unexpected(worst);
}

/// Nothing in the Command is believed but what is needed to verify it. Changes nothing.
result<made_context, drop_reason> direct_links::verify_command(peer_id peer, const nonce& nonce_1, std::uint8_t msb,
                                                               const arrived& a) const {
  const auto header = read_pdcp_header(a.octets);
  if (!header || a.octets.size() <= pdcp_header_octets + mac_octets) return tl::unexpected(drop_reason::malformed);
  const auto m = parse(a.octets.subspan(pdcp_header_octets, a.octets.size() - pdcp_header_octets - mac_octets));
  const auto* command = m ? std::get_if<security_mode_command>(&m->message.body) : nullptr;
  if (command == nullptr) return tl::unexpected(drop_reason::malformed);
  if (header->kd_sess_id != kd_sess_id_of(msb, command->kd_sess_id_lsb))
    return tl::unexpected(drop_reason::unknown_link);
  const auto ciphering = algorithm_from<eea>(command->chosen.eea);
  const auto integrity = algorithm_from<eia>(command->chosen.eia);
  if (!ciphering || !integrity) return tl::unexpected(drop_reason::malformed);
  auto made =
      make_context(peer, side::requesting, header->kd_sess_id, nonce_1, command->nonce_2, {*ciphering, *integrity});
  if (!made) return tl::unexpected(drop_reason::malformed);
  const auto opened = made->context.open(a.lcid, a.octets, a.buffer);
  if (!opened) return tl::unexpected(opened.error());
  return std::move(*made);
}

direct_links::refusal direct_links::on_command(peer_links& state, const arrived& a, actions& out) {
  auto& t = *state.attempt;
  if (t.staged) {  // a repetition: the Complete is repeated by T4100
    const auto opened = t.staged->contexts.open(a.lcid, a.octets, a.buffer);
    return opened ? drop_reason::nothing_new : opened.error();
  }
  auto made = verify_command(t.peer, t.nonce_1, t.msb, a);
  if (!made) return made.error();
  const auto m = parse(a.octets.subspan(pdcp_header_octets, a.octets.size() - pdcp_header_octets - mac_octets));
  const auto chosen = check_command(config_.algorithms, t.sent, std::get<security_mode_command>(m->message.body));
  if (!chosen) {  // bidding down: the capabilities that the peer had are not those that were sent
    out.push_back(send_message{t.peer, lcid_pc5s_unprotected, t.own, t.other,
                               encode(t.next_seq, security_mode_reject{chosen.error(), {}, {}})});
    out.push_back(attempt_failed{t.peer});
    state.attempt.reset();
    return drop_reason::no_common_suite;
  }
  t.staged = std::make_unique<session>(t.peer, role::initiator, t.own, t.other, std::move(*made), a.now);
  t.complete = encode(t.next_seq++, security_mode_complete{});
  t.staged->next_seq = t.next_seq;
  t.sends_left = config_.request.sends;
  t.next_send = a.now;
  tick_attempt(state, a.now, out);  // the first Complete
  return std::nullopt;
}

direct_links::refusal direct_links::on_complete(peer_links& state, std::size_t half_open, const arrived& a,
                                                actions& out) {
  half_open_link& h = state.half_open[half_open];
  const auto opened = h.keys->contexts.open(a.lcid, a.octets, a.buffer);
  if (!opened) return opened.error();
  const auto m = parse(opened->sdu);
  if (!m || !std::holds_alternative<security_mode_complete>(m->message.body)) return drop_reason::malformed;
  auto keys = std::move(h.keys);
  keys->answer = encode(keys->next_seq++, direct_communication_accept{});
  establish(state, std::move(keys), a.now, out);
  repeat_answer(*state.live, a.now, out);
  return std::nullopt;
}

/// The peer has proved that it has the keys: the new link takes the place of an older one.
void direct_links::establish(peer_links& state, std::unique_ptr<session> s, time_ms now, actions& out) {
  drop_live(state, lost_reason::replaced, out);
  state.live = std::move(s);
  state.attempt.reset();
  state.half_open.clear();
  session& l = *state.live;
  l.id = next_link_++;
  l.last_heard = now;
  const auto& p = l.contexts.sending();
  out.push_back(link_established{l.peer, l.id, l.own_role, p.kd_sess_id, suite{}, l.fingerprint});
}

}  // namespace prose::security::ts33303
