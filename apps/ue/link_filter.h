// Which packets may pass between the host's TUN interface and one link, and with which addresses.
#pragma once

#include <cstdint>
#include <span>

#include "apps/ue/ip_address.h"
#include "security/types.h"

namespace prose::apps {

struct address_pair {
  ip_address own{}, peer{};
  bool operator==(const address_pair&) const = default;
};

/// NOT 3GPP: the addresses of one link. On it the IPv6 addresses are the pair's own (security/identity.h), so that a UE
/// shows each peer a different one, and every IPv4 packet has the same two addresses, which reveal nothing. The host
/// may know the peer by others, configured or drawn at random; they never go on the link.
struct link_addresses {
  address_pair link_ipv6{};
  address_pair host_ipv6{};  ///< the same unless configured
  address_pair host_ipv4{};  ///< none: no IPv4 on this link
};
/// fd50:726f:5365::/48 of every UE, and the 80 bits of this link and end.
ip_address link_ipv6_address(const security::address_bits& bits);
/// Of every IPv4 packet on every link and in both directions, out of 192.0.0.0/29 (RFC 7335: for translation within one
/// hop).
ip_address link_ipv4_source();
ip_address link_ipv4_destination();

enum class packet_check : std::uint8_t {
  passes,
  malformed,       ///< no IP packet, lengths that do not fit, a first fragment without its transport header
  foreign_source,  ///< on the way out not the link's own address, on the way in not the peer's
  foreign_destination,
  no_ipv4,        ///< the link has none
  options,        ///< IPv4 options, IPv6 extension headers but the fragment header: they can name further addresses
  control,        ///< router, neighbour and multicast-listener messages, redirects, whatever is neither echo nor error
  foreign_error,  ///< an ICMP error about a packet that this link did not carry
  count_
};
const char* name_of(packet_check c);

/// A packet of the host on its way to the peer: passes only from the link's own address to the peer's. Translated in
/// place, with the checksums of IPv4, TCP, UDP, UDP-Lite, DCCP, ICMP and of what ICMP errors quote. What does not pass
/// stays as it was.
packet_check host_to_link(const link_addresses& link, std::span<std::uint8_t> packet);
/// A packet of the peer on its way to the host: only the reverse passes.
packet_check link_to_host(const link_addresses& link, std::span<std::uint8_t> packet);

}  // namespace prose::apps
