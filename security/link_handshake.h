// The two messages of Noise_KKpsk0_25519_ChaChaPoly_SHA256 as Direct Communication Request / DSM Command, and, inside a
// live link, as Direct Rekeying Request / Response. No state machine here: link_engine decides when.
#pragma once

#include <optional>
#include <vector>

#include "security/identity.h"
#include "security/messages.h"
#include "security/noise.h"

namespace prose::security {

/// What both ends must agree on before the first octet of the handshake; it goes into the prologue.
struct handshake_context {
  message_type request_type = message_type::direct_communication_request;
  std::uint16_t seq = 0;
  l2_id initiator = 0;
  l2_id responder = 0;
  slot_t t = 0;                            // the responder's slot whose announcement or response is answered
  const rekey_binding* binding = nullptr;  // rekeying only: from the KD_0 of the generation being renewed
};

struct handshake_secrets {
  link_root_key kd0;  // HKDF-Extract(salt = handshake hash, k1 || k2)
  suite chosen;
  std::uint16_t kd_sess_id;  // MSB chosen by the initiator, LSB by the responder (TS 33.303 6.5.5.2)
};

/// Short tokens: a keyed hash in front of the scalar multiplications. They cover both layer-2 IDs, t and every octet
/// before them. The request's uses K_dcr; the command's, K_dsm of the same direction (responder announces, initiator
/// monitors).
std::array<std::uint8_t, request_token_octets> request_token(const direction_keys& k, slot_t t, l2_id src, l2_id dst,
                                                             bytes_view preceding);
std::array<std::uint8_t, command_token_octets> command_token(const direction_keys& k, slot_t t, l2_id src, l2_id dst,
                                                             bytes_view preceding);

/// One's own side of a handshake. The ephemeral comes from `random`.
struct handshake_side {
  handshake_side(const key_pair& k, dh_port& d, random_port& r) : own(k), dh(d), random(r) {}
  handshake_side(const peer_table& t)
      : own(t.own_pair()), dh(t.ports_used().dh), random(t.ports_used().random) {}  // NOLINT: stands for it
  const key_pair& own;
  dh_port& dh;
  random_port& random;
};

class initiator_handshake {
public:
  /// Draws a fresh ephemeral and composes the request. Any change to what is sent needs a new object: KKpsk0 repeats
  /// key and nonce if one ephemeral serves two different payloads.
  initiator_handshake(const handshake_side& own, const peer& p, const handshake_context& c, const offer& o);
  bytes_view request() const { return request_; }
  /// Authenticates the answer; bad ones change nothing. Does two scalar multiplications.
  std::optional<handshake_secrets> read_answer(bytes_view answer);
  /// As above, on a thread that has an X25519 of its own.
  std::optional<handshake_secrets> read_answer(bytes_view answer, dh_port& dh);
  /// For the exports (export.h).
  const noise::handshake& state() const { return noise_; }

private:
  offer offer_;
  std::uint16_t seq_;
  bool rekeying_;
  noise::handshake noise_;
  std::vector<std::uint8_t> request_;
};

struct responder_result {
  std::vector<std::uint8_t> answer;
  handshake_secrets secrets;
};
/// Verifies the request (one scalar multiplication) and composes the answer (three). `lsb` picks the responder's half
/// of the KD-sess ID once the initiator's is known. The token, if the message has one, must have been verified before.
template <class PickLsb>
std::optional<responder_result> respond(const handshake_side& own, const peer& p, const handshake_context& c,
                                        bytes_view request, std::span<const suite> preferred, PickLsb&& lsb,
                                        drop_reason& why);

namespace detail {
struct opened_request {
  noise::handshake noise;
  offer offered;
};
std::optional<opened_request> open_request(const handshake_side& own, const peer& p, const handshake_context& c,
                                           bytes_view request);
std::optional<suite> choose(std::uint16_t offered, std::span<const suite> preferred);
std::optional<responder_result> answer_request(opened_request& r, const peer& p, const handshake_context& c, suite s,
                                               std::uint8_t lsb);
}  // namespace detail

template <class PickLsb>
std::optional<responder_result> respond(const handshake_side& own, const peer& p, const handshake_context& c,
                                        bytes_view request, std::span<const suite> preferred, PickLsb&& lsb,
                                        drop_reason& why) {
  why = drop_reason::bad_handshake;
  auto r = detail::open_request(own, p, c, request);
  if (!r) return std::nullopt;
  why = drop_reason::no_common_suite;
  const auto s = detail::choose(r->offered.suites, preferred);
  if (!s || r->offered.max_version < protocol_version || r->offered.kd_sess_id_msb == 0) return std::nullopt;
  why = drop_reason::bad_handshake;
  return detail::answer_request(*r, p, c, *s, lsb(r->offered.kd_sess_id_msb));
}

}  // namespace prose::security
