// PC5-S messages as octets. Type and sequence number come first (TS 24.334 12.5.1, NOT VERIFIED); what follows is NOT
// 3GPP: the Noise handshake takes the place of nonces, signatures and replayed capabilities.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "security/types.h"

namespace prose::security {

/// TS 24.334 table 12.5.1.1, numbers NOT VERIFIED. NOT 3GPP: Direct Communication Reject (3) and Direct Security Mode
/// Reject (14) do not exist; what fails a check gets no answer, which would tell a stranger that somebody is there.
enum class message_type : std::uint8_t {
  direct_communication_request = 1,
  direct_communication_accept = 2,
  keepalive = 4,
  keepalive_ack = 5,
  release = 6,
  release_accept = 7,
  security_mode_command = 12,
  security_mode_complete = 13,
  rekeying_request = 15,
  rekeying_response = 16,
};

inline constexpr std::uint8_t protocol_version = 1;
inline constexpr std::size_t message_header_octets = 3;  // type 1, seq 2
inline constexpr std::size_t request_octets = 65;        // type 1, seq 2, version 1, e 32, sealed offer 5 + 16, token 8
inline constexpr std::size_t request_token_octets = 8;
inline constexpr std::size_t command_octets = 57;  // type 1, seq 2, e 32, sealed choice 3 + 16, token 3
inline constexpr std::size_t command_token_octets = 3;
inline constexpr std::size_t complete_octets = 24;  // type 1, seq 2, sealed status 1 and slot 4, + 16
inline constexpr std::size_t rekeying_request_octets = request_octets - request_token_octets;
inline constexpr std::size_t rekeying_response_octets = command_octets - command_token_octets;
inline constexpr std::size_t accept_octets = 7;     // type 1, seq 2, slot 4; inside a record
inline constexpr std::size_t keepalive_octets = 7;  // type 1, seq 2, counter 4; inside a record
inline constexpr std::size_t release_octets = 4;    // type 1, seq 2, reason 1; inside a record
inline constexpr std::size_t release_accept_octets = 3;

struct message_header {
  message_type type;
  std::uint16_t seq;
};
/// Empty: unknown type, or a length that the type does not have. `protected_channel`: inside a record (LCID 30).
std::optional<message_header> read_message_header(bytes_view octets, bool protected_channel);
void write_message_header(const message_header& h, bytes_span out);

/// What the initiator seals into its request. The transcript binds it, so nothing can be bid down.
struct offer {
  std::uint16_t suites = 0;
  std::uint8_t max_version = protocol_version;
  std::uint8_t flags = 0;
  std::uint8_t kd_sess_id_msb = 0;
};
inline constexpr std::size_t offer_octets = 5;
std::array<std::uint8_t, offer_octets> to_octets(const offer& o);
offer offer_from(std::span<const std::uint8_t, offer_octets> b);

struct choice {
  std::uint8_t suite_id = 0;
  std::uint8_t flags = 0;
  std::uint8_t kd_sess_id_lsb = 0;
};
inline constexpr std::size_t choice_octets = 3;
std::array<std::uint8_t, choice_octets> to_octets(const choice& c);
choice choice_from(std::span<const std::uint8_t, choice_octets> b);

std::uint32_t read_u32(bytes_view b);
void write_u32(std::uint32_t v, bytes_span out);

}  // namespace prose::security
