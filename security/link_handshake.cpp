#include "security/link_handshake.h"

#include <algorithm>

#include "security/crypto/aead.h"
#include "security/crypto/declassify.h"
#include "security/crypto/hash.h"

namespace prose::security {
namespace {

constexpr std::size_t version_at = message_header_octets;
constexpr std::size_t offer_at = version_at + 1;
constexpr std::size_t choice_at = message_header_octets;
// An ephemeral key, and the sealed payload with its tag.
constexpr std::size_t sealed_offer_octets = public_key_octets + offer_octets + crypto::tag_octets;
constexpr std::size_t sealed_choice_octets = public_key_octets + choice_octets + crypto::tag_octets;

void put_u24(l2_id v, std::uint8_t* out) {
  for (int i = 0; i < 3; ++i) out[i] = static_cast<std::uint8_t>(v >> (16 - 8 * i));
}

/// "LTESL/1", version, type, seq, both layer-2 IDs, t, and when rekeying the binding.
class prologue {
public:
  explicit prologue(const handshake_context& c) {
    const auto label = crypto::as_bytes("LTESL/1");
    auto* at = std::copy(label.begin(), label.end(), octets_.data());
    *at++ = protocol_version;
    *at++ = static_cast<std::uint8_t>(c.request_type);
    *at++ = static_cast<std::uint8_t>(c.seq >> 8);
    *at++ = static_cast<std::uint8_t>(c.seq);
    put_u24(c.initiator, at);
    put_u24(c.responder, at + 3);
    write_u32(c.t, {at + 6, 4});
    size_ = at + 10 - octets_.data();
    if (c.binding != nullptr) {
      std::copy(c.binding->expose().begin(), c.binding->expose().end(), octets_.data() + size_);
      size_ += rekey_binding::octets;
    }
  }
  prologue(const prologue&) = delete;
  prologue& operator=(const prologue&) = delete;
  ~prologue() { wipe(octets_); }
  bytes_view view() const { return bytes_view(octets_).first(size_); }

private:
  std::array<std::uint8_t, 64> octets_{};
  std::size_t size_ = 0;
};

noise::handshake make_noise(const handshake_side& own, const peer& p, const handshake_context& c, role r) {
  const prologue pro(c);
  noise::handshake::parameters n;
  n.protocol_used = {&noise::kkpsk0(), suite::chacha20_poly1305, crypto::hash::sha256};
  n.own_role = r;
  n.prologue = pro.view();
  n.own_static = &own.own.private_key;
  n.own_public = own.own.public_part;
  n.remote_static = p.key;
  n.psk = &p.psk;
  n.cached_ss = &p.shared;
  n.dh = &own.dh;
  n.random = &own.random;
  return noise::handshake(n);
}

link_root_key root_of(const noise::handshake& n) {
  const auto keys = n.split();
  return link_root_key::make([&](auto out) { crypto::hkdf_extract(n.handshake_hash(), keys.expose(), out); });
}

template <std::size_t N>
std::array<std::uint8_t, N> token_of(bytes_view key, slot_t t, l2_id src, l2_id dst, bytes_view preceding) {
  std::array<std::uint8_t, 10> head{};
  write_u32(t, bytes_span(head).first(4));
  put_u24(src, head.data() + 4);
  put_u24(dst, head.data() + 7);
  crypto::digest256 d{};
  crypto::hmac(crypto::hash::sha256, key, {head, preceding}, d);
  std::array<std::uint8_t, N> out{};
  std::copy_n(d.begin(), N, out.begin());
  crypto::declassify(out);  // goes on the air, or is compared with what came from there
  return out;
}

}  // namespace

std::array<std::uint8_t, request_token_octets> request_token(const direction_keys& k, slot_t t, l2_id src, l2_id dst,
                                                             bytes_view preceding) {
  return token_of<request_token_octets>(k.request_token.expose(), t, src, dst, preceding);
}
std::array<std::uint8_t, command_token_octets> command_token(const direction_keys& k, slot_t t, l2_id src, l2_id dst,
                                                             bytes_view preceding) {
  return token_of<command_token_octets>(k.command_token.expose(), t, src, dst, preceding);
}

initiator_handshake::initiator_handshake(const handshake_side& own, const peer& p, const handshake_context& c,
                                         const offer& o)
    : offer_(o),
      seq_(c.seq),
      rekeying_(c.request_type == message_type::rekeying_request),
      noise_(make_noise(own, p, c, role::initiator)) {
  request_.resize(offer_at);
  write_message_header({c.request_type, c.seq}, request_);
  request_[version_at] = protocol_version;
  std::array<std::uint8_t, 256> scratch{};
  // Cannot fail: the peer's key passed the low-order check when it entered the table.
  const std::size_t n = noise_.write(to_octets(o), scratch).value_or(0);
  request_.insert(request_.end(), scratch.begin(), scratch.begin() + n);
  if (rekeying_) return;
  const auto token = request_token(p.theirs, c.t, c.initiator, c.responder, request_);
  request_.insert(request_.end(), token.begin(), token.end());
}

std::optional<handshake_secrets> initiator_handshake::read_answer(bytes_view answer, dh_port& dh) {
  noise_.use(dh);
  return read_answer(answer);
}

std::optional<handshake_secrets> initiator_handshake::read_answer(bytes_view answer) {
  const auto h = read_message_header(answer, rekeying_);
  const auto wanted = rekeying_ ? message_type::rekeying_response : message_type::security_mode_command;
  if (!h || h->type != wanted || h->seq != seq_) return std::nullopt;
  std::array<std::uint8_t, choice_octets> plain{};
  const auto n = noise_.read(answer.subspan(choice_at, sealed_choice_octets), plain);
  if (!n || *n != choice_octets) return std::nullopt;
  const choice c = choice_from(plain);
  // The peer is authentic here, but what it chose must still be something that was offered.
  if (c.suite_id != static_cast<std::uint8_t>(suite::aes_256_gcm) &&
      c.suite_id != static_cast<std::uint8_t>(suite::chacha20_poly1305))
    return std::nullopt;
  const auto s = static_cast<suite>(c.suite_id);
  if ((offer_.suites & suite_bit(s)) == 0) return std::nullopt;
  return handshake_secrets{root_of(noise_), s,
                           static_cast<std::uint16_t>(offer_.kd_sess_id_msb << 8 | c.kd_sess_id_lsb)};
}

namespace detail {

std::optional<opened_request> open_request(const handshake_side& own, const peer& p, const handshake_context& c,
                                           bytes_view request) {
  const auto h = read_message_header(request, c.request_type == message_type::rekeying_request);
  if (!h || h->type != c.request_type || h->seq != c.seq || request[version_at] != protocol_version)
    return std::nullopt;
  opened_request r{make_noise(own, p, c, role::responder), {}};
  std::array<std::uint8_t, offer_octets> plain{};
  const auto n = r.noise.read(request.subspan(offer_at, sealed_offer_octets), plain);
  if (!n || *n != offer_octets) return std::nullopt;
  r.offered = offer_from(plain);
  return r;
}

std::optional<suite> choose(std::uint16_t offered, std::span<const suite> preferred) {
  for (const suite s : preferred)
    if ((offered & suite_bit(s)) != 0) return s;
  return std::nullopt;
}

std::optional<responder_result> answer_request(opened_request& r, const peer& p, const handshake_context& c, suite s,
                                               std::uint8_t lsb) {
  const bool rekeying = c.request_type == message_type::rekeying_request;
  std::vector<std::uint8_t> out(choice_at);
  write_message_header({rekeying ? message_type::rekeying_response : message_type::security_mode_command, c.seq}, out);
  std::array<std::uint8_t, 256> scratch{};
  const auto n = r.noise.write(to_octets(choice{static_cast<std::uint8_t>(s), 0, lsb}), scratch);
  if (!n) return std::nullopt;  // a low-order ephemeral: only the peer itself could have sent it
  out.insert(out.end(), scratch.begin(), scratch.begin() + (*n));
  if (!rekeying) {
    const auto token = command_token(p.ours, c.t, c.responder, c.initiator, out);
    out.insert(out.end(), token.begin(), token.end());
  }
  return responder_result{std::move(out),
                          {root_of(r.noise), s, static_cast<std::uint16_t>(r.offered.kd_sess_id_msb << 8 | lsb)}};
}

}  // namespace detail
}  // namespace prose::security
