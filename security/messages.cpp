#include "security/messages.h"

namespace prose::security {

const char* name_of(drop_reason r) {
  switch (r) {
    case drop_reason::malformed:
      return "malformed";
    case drop_reason::not_addressed:
      return "not_addressed";
    case drop_reason::stale:
      return "stale";
    case drop_reason::replayed:
      return "replayed";
    case drop_reason::bad_token:
      return "bad_token";
    case drop_reason::bad_handshake:
      return "bad_handshake";
    case drop_reason::bad_record:
      return "bad_record";
    case drop_reason::limit:
      return "limit";
    case drop_reason::yielded:
      return "yielded";
    case drop_reason::no_common_suite:
      return "no_common_suite";
    case drop_reason::wrong_channel:
      return "wrong_channel";
    case drop_reason::exhausted:
      return "exhausted";
    case drop_reason::not_established:
      return "not_established";
    case drop_reason::unknown_link:
      return "unknown_link";
    case drop_reason::nothing_new:
      return "nothing_new";
    case drop_reason::budget:
      return "budget";
    case drop_reason::late:
      return "late";
  }
  return "?";
}

namespace {
/// 0 for types that the channel does not carry.
std::size_t length_of(message_type t, bool protected_channel) {
  if (!protected_channel) {
    switch (t) {
      case message_type::direct_communication_request:
        return request_octets;
      case message_type::security_mode_command:
        return command_octets;
      case message_type::security_mode_complete:
        return complete_octets;
      default:
        return 0;
    }
  }
  switch (t) {
    case message_type::direct_communication_accept:
      return accept_octets;
    case message_type::keepalive:
    case message_type::keepalive_ack:
      return keepalive_octets;
    case message_type::release:
      return release_octets;
    case message_type::release_accept:
      return release_accept_octets;
    case message_type::rekeying_request:
      return rekeying_request_octets;
    case message_type::rekeying_response:
      return rekeying_response_octets;
    default:
      return 0;
  }
}
}  // namespace

std::optional<message_header> read_message_header(bytes_view octets, bool protected_channel) {
  if (octets.size() < message_header_octets) return std::nullopt;
  const auto type = static_cast<message_type>(octets[0]);
  const std::size_t n = length_of(type, protected_channel);
  if (n == 0 || octets.size() != n) return std::nullopt;
  return message_header{type, static_cast<std::uint16_t>(octets[1] << 8 | octets[2])};
}

void write_message_header(const message_header& h, bytes_span out) {
  out[0] = static_cast<std::uint8_t>(h.type);
  out[1] = static_cast<std::uint8_t>(h.seq >> 8);
  out[2] = static_cast<std::uint8_t>(h.seq);
}

std::array<std::uint8_t, offer_octets> to_octets(const offer& o) {
  return {static_cast<std::uint8_t>(o.suites >> 8), static_cast<std::uint8_t>(o.suites), o.max_version, o.flags,
          o.kd_sess_id_msb};
}
offer offer_from(std::span<const std::uint8_t, offer_octets> b) {
  return {static_cast<std::uint16_t>(b[0] << 8 | b[1]), b[2], b[3], b[4]};
}
std::array<std::uint8_t, choice_octets> to_octets(const choice& c) { return {c.suite_id, c.flags, c.kd_sess_id_lsb}; }
choice choice_from(std::span<const std::uint8_t, choice_octets> b) { return {b[0], b[1], b[2]}; }

std::uint32_t read_u32(bytes_view b) {
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}
void write_u32(std::uint32_t v, bytes_span out) {
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(v >> (24 - 8 * i));
}

}  // namespace prose::security
