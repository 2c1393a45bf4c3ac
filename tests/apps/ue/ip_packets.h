// IP packets for tests, and whether their checksums hold: all sums are computed afresh here, never corrected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "apps/ue/ip_address.h"

namespace prose::apps::test {

using packet = std::vector<std::uint8_t>;

inline std::uint32_t word_sum(std::span<const std::uint8_t> b) {
  std::uint32_t s = 0;
  for (std::size_t i = 0; i < b.size(); i += 2)
    s += static_cast<std::uint32_t>(b[i] << 8 | (i + 1 < b.size() ? b[i + 1] : 0));
  return s;
}
inline std::uint16_t folded(std::uint32_t s) {
  while (s >> 16 != 0) s = (s & 0xffff) + (s >> 16);
  return static_cast<std::uint16_t>(s);
}
inline std::size_t header_of(std::span<const std::uint8_t> p) { return p[0] >> 4 == 4 ? 20 : p[6] == 44 ? 48 : 40; }
/// Of 40 octets or more. What a fragment header that is cut off names is 59, no next header (RFC 8200).
inline std::uint8_t protocol_of(std::span<const std::uint8_t> p) {
  return p[0] >> 4 == 4 ? p[9] : p[6] != 44 ? p[6] : p.size() > 40 ? p[40] : 59;
}
/// Sum of the transport with its pseudo-header, without ICMP's, which has none in IPv4.
inline std::uint16_t transport_sum(std::span<const std::uint8_t> p) {
  const auto at = header_of(p);
  const auto body = p.subspan(at);
  if (protocol_of(p) == 1) return folded(word_sum(body));
  const auto addresses = p[0] >> 4 == 4 ? p.subspan(12, 8) : p.subspan(8, 32);
  return folded(word_sum(addresses) + protocol_of(p) + static_cast<std::uint32_t>(body.size()) + word_sum(body));
}
/// Offset of the checksum in the transport header; 0: none that is known here.
inline std::size_t checksum_offset(std::uint8_t protocol) {
  switch (protocol) {
    case 6:
      return 16;
    case 17:
    case 33:
    case 136:
      return 6;
    case 1:
    case 58:
      return 2;
    default:
      return 0;
  }
}
/// A whole packet that is no fragment.
inline bool checksums_hold(std::span<const std::uint8_t> p) {
  if (p[0] >> 4 == 4 && folded(word_sum(p.first(20))) != 0xffff) return false;
  const auto at = header_of(p) + checksum_offset(protocol_of(p));
  if (at == header_of(p)) return true;
  if (protocol_of(p) == 17 && p[at] == 0 && p[at + 1] == 0) return p[0] >> 4 == 4;
  return transport_sum(p) == 0xffff;
}

inline void put(packet& p, std::size_t at, std::uint32_t v) {
  p[at] = static_cast<std::uint8_t>(v >> 8);
  p[at + 1] = static_cast<std::uint8_t>(v);
}
/// Lengths and checksums of a packet whose rest is there.
inline void complete(packet& p) {
  const bool v4 = p[0] >> 4 == 4;
  put(p, v4 ? 2 : 4, static_cast<std::uint32_t>(v4 ? p.size() : p.size() - 40));
  if (const auto o = checksum_offset(protocol_of(p)); o != 0) {
    const auto at = header_of(p) + o;
    put(p, at, 0);
    const auto s = static_cast<std::uint16_t>(~transport_sum(p));
    put(p, at, protocol_of(p) == 17 && s == 0 ? 0xffffU : s);
  }
  if (v4) {
    put(p, 10, 0);
    put(p, 10, static_cast<std::uint16_t>(~folded(word_sum(std::span<const std::uint8_t>(p).first(20)))));
  }
}
/// `transport`: from its header on, the checksum is filled in.
inline packet make_packet(const ip_address& source, const ip_address& destination, std::uint8_t protocol,
                          const packet& transport) {
  packet p;
  if (source.length == 4) {
    p = {0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, protocol, 0, 0};
  } else {
    p = {0x60, 0, 0, 0, 0, 0, protocol, 64};
  }
  p.insert(p.end(), source.octets.begin(), source.octets.begin() + source.length);
  p.insert(p.end(), destination.octets.begin(), destination.octets.begin() + destination.length);
  p.insert(p.end(), transport.begin(), transport.end());
  complete(p);
  return p;
}
inline packet udp(const ip_address& source, const ip_address& destination, const std::string& text) {
  packet t{0x13, 0x88, 0x13, 0x89, 0, static_cast<std::uint8_t>(8 + text.size()), 0, 0};
  t.insert(t.end(), text.begin(), text.end());
  return make_packet(source, destination, 17, t);
}
inline packet tcp(const ip_address& source, const ip_address& destination, const std::string& text) {
  packet t{0x13, 0x88, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0};
  t.insert(t.end(), text.begin(), text.end());
  return make_packet(source, destination, 6, t);
}
inline packet icmp(const ip_address& source, const ip_address& destination, std::uint8_t type, const packet& body) {
  packet t{type, 0, 0, 0, 0, 0, 0, 0};
  t.insert(t.end(), body.begin(), body.end());
  return make_packet(source, destination, source.length == 4 ? 1 : 58, t);
}

}  // namespace prose::apps::test
