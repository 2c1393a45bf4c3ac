// IPv4 and IPv6 addresses as values.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace prose::apps {

struct ip_address {
  std::array<std::uint8_t, 16> octets{};
  int length = 0;  ///< 4 or 16; 0: none
  auto operator<=>(const ip_address&) const = default;
};
std::optional<ip_address> parse_ip_address(const std::string& text);
/// Empty where there is none.
std::string to_string(const ip_address& a);
/// That a host can have and be reached by: not unspecified, loopback, multicast, broadcast, link-local or IPv4 in IPv6.
bool is_plain_unicast(const ip_address& a);

/// Addresses of an IPv4 or IPv6 packet; empty when the octets are neither.
std::optional<ip_address> source_of(std::span<const std::uint8_t> packet);
std::optional<ip_address> destination_of(std::span<const std::uint8_t> packet);

}  // namespace prose::apps
