#include "apps/lib/function/proxy_protocol.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace prose::function {
namespace {

// https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt, 2.2
constexpr std::array<std::uint8_t, 12> signature = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                    0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::size_t fixed_octets = 16;
constexpr std::uint8_t local = 0x20, proxied = 0x21;  // version 2 and the command
constexpr std::uint8_t tcp_ipv4 = 0x11, tcp_ipv6 = 0x21;
constexpr std::size_t ipv4_octets = 12, ipv6_octets = 36;  // both addresses and ports
constexpr std::uint8_t type_crc32c = 0x03;

std::size_t two_octets(std::span<const std::uint8_t> in) { return std::size_t{in[0]} << 8 | in[1]; }

/// RFC 3720 appendix B.4, over a header whose checksum, at `at`, counts as zero.
std::uint32_t crc32c(std::span<const std::uint8_t> in, std::size_t at) {
  std::uint32_t crc = 0xffffffff;
  for (std::size_t i = 0; i < in.size(); ++i) {
    crc ^= i >= at && i < at + 4 ? 0 : in[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

/// The fields behind the addresses: type, length in two octets, value.
bool fields_are_right(std::span<const std::uint8_t> header, std::size_t at) {
  while (at < header.size()) {
    if (header.size() - at < 3) return false;
    const std::size_t length = two_octets(header.subspan(at + 1, 2)), value = at + 3;
    if (header.size() - value < length) return false;
    if (header[at] == type_crc32c) {
      if (length != 4) return false;
      const std::uint32_t told = static_cast<std::uint32_t>(two_octets(header.subspan(value, 2)) << 16 |
                                                            two_octets(header.subspan(value + 2, 2)));
      if (told != crc32c(header, value)) return false;
    }
    at = value + length;
  }
  return true;
}

}  // namespace

result<std::optional<socket_address>> parse_proxy_header(std::span<const std::uint8_t> octets) {
  if (octets.size() < fixed_octets || !std::equal(signature.begin(), signature.end(), octets.begin()))
    return fail("no header of PROXY protocol v2");
  const auto command = octets[12], family = octets[13];
  if (two_octets(octets.subspan(14, 2)) != octets.size() - fixed_octets ||
      octets.size() > fixed_octets + max_proxy_body)
    return fail("PROXY header: wrong length");
  if (command == local) return std::optional<socket_address>();
  if (command != proxied) return fail("PROXY header: wrong version or command");
  socket_address from;
  const auto body = octets.subspan(fixed_octets);
  if (family == tcp_ipv4 && body.size() >= ipv4_octets) {
    auto* a = reinterpret_cast<sockaddr_in*>(&from.storage);
    a->sin_family = AF_INET;
    std::memcpy(&a->sin_addr, body.data(), 4);
    std::memcpy(&a->sin_port, body.data() + 8, 2);
    from.length = sizeof *a;
  } else if (family == tcp_ipv6 && body.size() >= ipv6_octets) {
    auto* a = reinterpret_cast<sockaddr_in6*>(&from.storage);
    a->sin6_family = AF_INET6;
    std::memcpy(&a->sin6_addr, body.data(), 16);
    std::memcpy(&a->sin6_port, body.data() + 32, 2);
    from.length = sizeof *a;
  } else {
    return fail("PROXY header: accepted is TCP over IPv4 or IPv6");
  }
  if (!fields_are_right(octets, fixed_octets + (family == tcp_ipv4 ? ipv4_octets : ipv6_octets)))
    return fail("PROXY header: wrong fields");
  return std::optional<socket_address>(from);
}

std::size_t proxy_header_reader::wanted() const {
  const std::size_t compared = std::min(in_.size(), signature.size());
  if (!std::equal(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(compared), signature.begin())) return 0;
  if (in_.size() < fixed_octets) return fixed_octets - in_.size();
  const std::size_t body = two_octets(std::span(in_).subspan(14, 2));
  return body > max_proxy_body ? 0 : fixed_octets + body - in_.size();
}

}  // namespace prose::function
