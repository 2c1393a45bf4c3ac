#include "apps/ue/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>

namespace prose::apps {

std::optional<ip_address> parse_ip_address(const std::string& text) {
  ip_address a;
  if (inet_pton(AF_INET, text.c_str(), a.octets.data()) == 1) {
    a.length = 4;
    return a;
  }
  if (inet_pton(AF_INET6, text.c_str(), a.octets.data()) == 1) {
    a.length = 16;
    return a;
  }
  return std::nullopt;
}

std::string to_string(const ip_address& a) {
  char text[INET6_ADDRSTRLEN] = "";
  if (a.length != 0) inet_ntop(a.length == 4 ? AF_INET : AF_INET6, a.octets.data(), text, sizeof text);
  return text;
}

bool is_plain_unicast(const ip_address& a) {
  const auto& o = a.octets;
  if (a.length == 4) return o[0] != 0 && o[0] != 127 && o[0] < 224 && !(o[0] == 169 && o[1] == 254);
  // Below ::1:0:0:0 lie the unspecified and the loopback address and IPv4 addresses in all their forms.
  const bool low = std::all_of(o.begin(), o.begin() + 8, [](auto b) { return b == 0; });
  return a.length == 16 && !low && o[0] != 0xff && !(o[0] == 0xfe && (o[1] & 0xc0) == 0x80);
}

namespace {
std::optional<ip_address> address_in(std::span<const std::uint8_t> packet, std::size_t v4_offset,
                                     std::size_t v6_offset) {
  if (packet.empty()) return std::nullopt;
  ip_address a;
  const int version = packet[0] >> 4;
  if (version == 4 && packet.size() >= 20) {
    a.length = 4;
    std::copy_n(packet.begin() + v4_offset, 4, a.octets.begin());
  } else if (version == 6 && packet.size() >= 40) {
    a.length = 16;
    std::copy_n(packet.begin() + v6_offset, 16, a.octets.begin());
  } else {
    return std::nullopt;
  }
  return a;
}
}  // namespace

std::optional<ip_address> destination_of(std::span<const std::uint8_t> packet) { return address_in(packet, 16, 24); }
std::optional<ip_address> source_of(std::span<const std::uint8_t> packet) { return address_in(packet, 12, 8); }

}  // namespace prose::apps
