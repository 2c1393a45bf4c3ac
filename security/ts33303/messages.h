// PC5-S messages of TS 24.334 11.4 as octets. Octet 1 is the type, octets 2 and 3 the sequence number, then the
// mandatory IEs in their order, then the optional ones, each with its IEI in front. Numbers are big endian.
//
// NOT VERIFIED, as all of it comes from secondary sources: which IEs a message has, which of them are mandatory and in
// what order (messages.cpp), the two octets of the sequence number, and the lengths of all IEs of fixed length.
#pragma once

#include <algorithm>
#include <optional>
#include <variant>

#include "common/result.h"
#include "security/ts33303/keys.h"
#include "security/ts33303/unverified.h"

namespace prose::security::ts33303 {

/// TS 24.334 table 12.5.1.1. Messages of relays (8 to 11, 17 to 19) are not built.
enum class pc5s_type : std::uint8_t {
  direct_communication_request = 1,  // NOT VERIFIED
  direct_communication_accept = 2,   // NOT VERIFIED
  direct_communication_reject = 3,   // NOT VERIFIED
  keepalive = 4,                     // NOT VERIFIED
  keepalive_ack = 5,                 // NOT VERIFIED
  release = 6,                       // NOT VERIFIED
  release_accept = 7,                // NOT VERIFIED
  security_mode_command = 12,        // NOT VERIFIED
  security_mode_complete = 13,       // NOT VERIFIED
  security_mode_reject = 14,         // NOT VERIFIED
  rekeying_request = 15,             // NOT VERIFIED
  rekeying_response = 16,            // NOT VERIFIED
};

enum class pc5s_cause : std::uint8_t {
  not_allowed = 1,                                                  // NOT VERIFIED
  authentication_failure = 2,                                       // NOT VERIFIED
  layer_2_id_conflict = 3,                                          // NOT VERIFIED
  lack_of_resources = 4,                                            // NOT VERIFIED
  ip_version_mismatch = 5,                                          // NOT VERIFIED
  other = 6,                                                        // NOT VERIFIED
  capabilities_mismatch = unverified::cause_capabilities_mismatch,  // NOT VERIFIED
  unspecified = unverified::cause_unspecified,                      // NOT VERIFIED
  synchronisation_error = unverified::cause_synchronisation,        // NOT VERIFIED
};
enum class release_reason : std::uint8_t {
  no_longer_needed = 1,     // NOT VERIFIED
  no_longer_allowed = 2,    // NOT VERIFIED
  no_longer_available = 3,  // NOT VERIFIED
};
enum class ip_configuration : std::uint8_t {
  dhcpv4_server = unverified::ip_dhcpv4_server,
  ipv6_router = unverified::ip_ipv6_router,
  both = unverified::ip_both,
  none = unverified::ip_none,
};
enum class user_info_type : std::uint8_t {
  upper_layers = unverified::user_info_upper_layers,
  pruk_id = unverified::user_info_pruk_id,
  imsi = unverified::user_info_imsi,
};

/// Contents of any length. A view: of a message that was parsed, into its octets.
struct variable_octets {
  bytes_view value;
  friend bool operator==(const variable_octets& a, const variable_octets& b) {
    return std::ranges::equal(a.value, b.value);
  }
};
struct user_info {
  user_info_type type = user_info_type::upper_layers;
  variable_octets value;  ///< at most 251 octets in a Request, 250 in a Command
  bool operator==(const user_info&) const = default;
};
/// NOT VERIFIED: bit 8 of each octet is algorithm 0, bit 1 algorithm 7, and EEA come first. Bits of algorithms that
/// nobody knows are kept: the Command repeats the octets of the Request.
struct security_capabilities {
  std::uint8_t eea_bits = 0, eia_bits = 0;
  bool has(eea a) const { return (eea_bits << static_cast<unsigned>(a) & 0x80) != 0; }
  bool has(eia a) const { return (eia_bits << static_cast<unsigned>(a) & 0x80) != 0; }
  bool operator==(const security_capabilities&) const = default;
};
/// Identities, 0 to 3, as they came: algorithm_from() (keys.h) says what can be used. 0 of `eia` cannot.
struct chosen_algorithms {
  std::uint8_t eea = 0, eia = 0;
  bool operator==(const chosen_algorithms&) const = default;
};

template <std::size_t N>
using octets = std::array<std::uint8_t, N>;
using signature_octets = octets<129>;
using ipv6_octets = octets<16>;

struct direct_communication_request {
  static constexpr pc5s_type type = pc5s_type::direct_communication_request;
  user_info user;
  ip_configuration ip = ip_configuration::none;
  std::uint32_t max_inactivity = 0;  ///< in seconds (NOT VERIFIED)
  nonce nonce_1{};
  security_capabilities capabilities;
  std::uint8_t kd_sess_id_msb = 0;
  std::optional<std::uint32_t> kd_id;  ///< absent: no KD is shared with the target
  std::optional<octets<3>> relay_service_code;
  std::optional<signature_octets> signature;
  std::optional<ipv6_octets> link_local_ipv6;
  bool operator==(const direct_communication_request&) const = default;
};
struct direct_communication_accept {
  static constexpr pc5s_type type = pc5s_type::direct_communication_accept;
  ip_configuration ip = ip_configuration::none;
  std::optional<ipv6_octets> link_local_ipv6;
  bool operator==(const direct_communication_accept&) const = default;
};
struct direct_communication_reject {
  static constexpr pc5s_type type = pc5s_type::direct_communication_reject;
  pc5s_cause cause = pc5s_cause::other;
  bool operator==(const direct_communication_reject&) const = default;
};
struct keepalive {
  static constexpr pc5s_type type = pc5s_type::keepalive;
  std::uint32_t counter = 0;
  std::optional<std::uint32_t> max_inactivity;  ///< in seconds (NOT VERIFIED)
  bool operator==(const keepalive&) const = default;
};
struct keepalive_ack {
  static constexpr pc5s_type type = pc5s_type::keepalive_ack;
  std::uint32_t counter = 0;  ///< that of the keepalive
  bool operator==(const keepalive_ack&) const = default;
};
struct release {
  static constexpr pc5s_type type = pc5s_type::release;
  release_reason reason = release_reason::no_longer_needed;
  bool operator==(const release&) const = default;
};
struct release_accept {
  static constexpr pc5s_type type = pc5s_type::release_accept;
  bool operator==(const release_accept&) const = default;
};
struct security_mode_command {
  static constexpr pc5s_type type = pc5s_type::security_mode_command;
  security_capabilities capabilities;  ///< repeated from the Request
  nonce nonce_2{};
  chosen_algorithms chosen;
  std::uint8_t kd_sess_id_lsb = 0;
  std::optional<std::uint16_t> kd_id_msb;
  std::optional<octets<16>> kd_freshness;
  std::optional<variable_octets> gpi;
  std::optional<user_info> user;
  std::optional<signature_octets> signature;
  std::optional<variable_octets> encrypted_payload;
  bool operator==(const security_mode_command&) const = default;
};
struct security_mode_complete {
  static constexpr pc5s_type type = pc5s_type::security_mode_complete;
  std::optional<std::uint16_t> kd_id_lsb;
  bool operator==(const security_mode_complete&) const = default;
};
struct security_mode_reject {
  static constexpr pc5s_type type = pc5s_type::security_mode_reject;
  pc5s_cause cause = pc5s_cause::unspecified;
  std::optional<octets<16>> rand;
  std::optional<octets<14>> auts;
  bool operator==(const security_mode_reject&) const = default;
};
struct rekeying_request {
  static constexpr pc5s_type type = pc5s_type::rekeying_request;
  security_capabilities capabilities;
  nonce nonce_1{};
  std::uint8_t kd_sess_id_msb = 0;
  std::optional<std::uint8_t> reauthentication;  ///< not 0: KD itself is to be renewed (NOT VERIFIED)
  std::optional<octets<8>> pruk_id;
  bool operator==(const rekeying_request&) const = default;
};
struct rekeying_response {
  static constexpr pc5s_type type = pc5s_type::rekeying_response;
  bool operator==(const rekeying_response&) const = default;
};

using pc5s_body = std::variant<direct_communication_request, direct_communication_accept, direct_communication_reject,
                               keepalive, keepalive_ack, release, release_accept, security_mode_command,
                               security_mode_complete, security_mode_reject, rekeying_request, rekeying_response>;
struct pc5s_message {
  std::uint16_t sequence = 0;  ///< one more for each new message; a repetition keeps its number (NOT VERIFIED)
  pc5s_body body;
  bool operator==(const pc5s_message&) const = default;
};

enum class parse_error : std::uint8_t {
  truncated,               // a mandatory part is missing, or the last IE is not whole
  unknown_type,            // no message of this profile
  unknown_value,           // a value that the table of its IE does not have
  bad_length,              // contents shorter or longer than the IE can be
  comprehension_required,  // an IE that must not be passed over is not known
};
struct parsed_message {
  pc5s_message message;         ///< its views point into the octets
  std::size_t ignored_ies = 0;  ///< repeated, or unknown and not required
};

/// Of an IE that comes twice the first counts; an unknown one is passed over by the form that its IEI states (TS 24.007
/// 11.2.4), unless it is one that requires comprehension. Optional IEs are taken in any order. Allocates nothing.
result<parsed_message, parse_error> parse(bytes_view octets);
/// Octets written, never more than max_sdu_octets. Empty if `out` is too small, or the message holds what parse() would
/// refuse.
std::optional<std::size_t> write(const pc5s_message& message, bytes_span out);

/// NOT VERIFIED: that MSB and LSB of the KD ID are two octets each, and those of the KD-sess ID one each.
constexpr std::uint32_t kd_id_of(std::uint16_t msb, std::uint16_t lsb) { return std::uint32_t{msb} << 16 | lsb; }
constexpr std::uint16_t kd_sess_id_of(std::uint8_t msb, std::uint8_t lsb) {
  return static_cast<std::uint16_t>(msb << 8 | lsb);
}

}  // namespace prose::security::ts33303
