#include "apps/ue/link_filter.h"

#include <algorithm>
#include <cstddef>

namespace prose::apps {
namespace {

using octets = std::span<std::uint8_t>;

// Protocols of IPv4 and next headers of IPv6 (IANA).
constexpr std::uint8_t hop_by_hop = 0, icmp = 1, igmp = 2, tcp = 6, udp = 17, dccp = 33, routing = 43, fragment = 44,
                       icmp_v6 = 58, destination_options = 60, mobility = 135, udp_lite = 136, hip = 139, shim6 = 140,
                       experiment_a = 253, experiment_b = 254;

std::uint16_t word(std::span<const std::uint8_t> b, std::size_t at) {
  return static_cast<std::uint16_t>(b[at] << 8 | b[at + 1]);
}
void put_word(octets b, std::size_t at, std::uint16_t v) {
  b[at] = static_cast<std::uint8_t>(v >> 8);
  b[at + 1] = static_cast<std::uint8_t>(v);
}

/// What a one's complement checksum misses after changes (RFC 1624, equation 3: HC' = ~(~HC + ~m + m')).
class checksum_change {
public:
  void add(std::uint16_t before, std::uint16_t after) {
    if (before != after) sum_ += static_cast<std::uint16_t>(~before) + std::uint32_t{after};
  }
  void add(const checksum_change& other) { sum_ += other.sum_; }
  bool none() const { return sum_ == 0; }
  std::uint16_t applied_to(std::uint16_t checksum) const {
    std::uint64_t s = static_cast<std::uint16_t>(~checksum) + sum_;
    while (s >> 16 != 0) s = (s & 0xffff) + (s >> 16);
    return static_cast<std::uint16_t>(~s);
  }

private:
  std::uint64_t sum_ = 0;
};

/// Where the parts of an IP packet are.
struct layout {
  bool v4 = false;
  std::size_t transport = 0;  ///< offset; of what follows the IPv6 fragment header
  std::uint8_t protocol = 0;
  bool first = true;  ///< no fragment, or the first: the transport header is here
};

bool refused_header(std::uint8_t h) {
  return h == hop_by_hop || h == routing || h == fragment || h == destination_options || h == mobility || h == hip ||
         h == shim6 || h == experiment_a || h == experiment_b;
}

/// `quoted`: of an ICMP error, which may be cut, or filled up (RFC 4884).
packet_check read_layout(std::span<const std::uint8_t> p, bool quoted, layout& out) {
  if (p.empty()) return packet_check::malformed;
  const int version = p[0] >> 4;
  if (version == 4) {
    if (p.size() < 20) return packet_check::malformed;
    if ((p[0] & 15) > 5) return packet_check::options;
    const std::size_t total = word(p, 2);
    if ((p[0] & 15) < 5 || total < 20 || (!quoted && total != p.size())) return packet_check::malformed;
    out = {true, 20, p[9], (word(p, 6) & 0x1fff) == 0};
  } else if (version == 6) {
    if (p.size() < 40) return packet_check::malformed;
    const std::size_t total = 40U + word(p, 4);
    if (!quoted && total != p.size()) return packet_check::malformed;
    out = {false, 40, p[6], true};
    if (out.protocol == fragment) {
      if (p.size() < 48) return packet_check::malformed;
      out = {false, 48, p[40], (word(p, 42) & 0xfff8) == 0};
    }
    if (refused_header(out.protocol)) return packet_check::options;
  } else {
    return packet_check::malformed;
  }
  return packet_check::passes;
}

/// Offset of the transport's checksum; 0: it has none, or none that covers the addresses.
std::size_t checksum_of_addresses(const layout& l) {
  if (!l.first) return 0;
  switch (l.protocol) {
    case tcp:
      return l.transport + 16;
    case udp:
    case udp_lite:
    case dccp:
      return l.transport + 6;
    case icmp_v6:
      return l.v4 ? 0 : l.transport + 2;
    default:
      return 0;
  }
}

std::size_t source_at(const layout& l) { return l.v4 ? 12 : 8; }
std::size_t destination_at(const layout& l) { return l.v4 ? 16 : 24; }
bool holds(std::span<const std::uint8_t> p, std::size_t at, const ip_address& a) {
  return a.length != 0 && std::equal(a.octets.begin(), a.octets.begin() + a.length, p.begin() + at);
}

/// Source and destination before and after.
struct change_of_addresses {
  ip_address source, destination, new_source, new_destination;
};

void replace(octets p, std::size_t at, const ip_address& with, checksum_change& change) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(with.length); i += 2) {
    const auto after = static_cast<std::uint16_t>(with.octets[i] << 8 | with.octets[i + 1]);
    change.add(word(p, at + i), after);
    put_word(p, at + i, after);
  }
}

/// What changed, addresses and checksums.
checksum_change replace_addresses(octets p, const layout& l, const change_of_addresses& c) {
  checksum_change change;
  replace(p, source_at(l), c.new_source, change);
  replace(p, destination_at(l), c.new_destination, change);
  if (change.none()) return change;
  checksum_change all = change;
  const auto put_checksum = [&](std::size_t at, std::uint16_t after) {
    all.add(word(p, at), after);
    put_word(p, at, after);
  };
  if (l.v4) put_checksum(10, change.applied_to(word(p, 10)));
  // It may be cut away in a quoted packet. A UDP checksum of 0 is none, and one that comes out as 0 is sent as its
  // complement (RFC 768).
  const auto at = checksum_of_addresses(l);
  if (at != 0 && at + 2 <= p.size() && !(l.protocol == udp && word(p, at) == 0)) {
    const auto after = change.applied_to(word(p, at));
    put_checksum(at, l.protocol == udp && after == 0 ? std::uint16_t{0xffff} : after);
  }
  return all;
}

constexpr std::size_t icmp_header = 8;

bool is_error(const layout& l, std::uint8_t type) {
  return l.v4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;  // RFC 792; RFC 4443
}
bool is_echo(const layout& l, std::uint8_t type) { return l.v4 ? type == 0 || type == 8 : type == 128 || type == 129; }

/// `of_packet`: the way of this packet; `of_quoted`: the opposite way, of what an error quotes.
packet_check pass(octets p, const layout& l, const change_of_addresses& of_packet,
                  const change_of_addresses& of_quoted) {
  if (!holds(p, source_at(l), of_packet.source)) return packet_check::foreign_source;
  if (!holds(p, destination_at(l), of_packet.destination)) return packet_check::foreign_destination;
  if (l.protocol == igmp || l.protocol == (l.v4 ? icmp_v6 : icmp)) return packet_check::control;
  if (const auto at = checksum_of_addresses(l); at != 0 && at + 2 > p.size()) return packet_check::malformed;
  checksum_change of_quote;
  if (l.first && l.protocol == (l.v4 ? icmp : icmp_v6)) {
    if (p.size() < l.transport + icmp_header) return packet_check::malformed;
    const auto type = p[l.transport];
    if (is_error(l, type)) {
      const auto quoted = p.subspan(l.transport + icmp_header);
      layout q;
      if (read_layout(quoted, true, q) != packet_check::passes || q.v4 != l.v4 ||
          !holds(quoted, source_at(q), of_quoted.source) || !holds(quoted, destination_at(q), of_quoted.destination))
        return packet_check::foreign_error;
      of_quote = replace_addresses(quoted, q, of_quoted);
    } else if (!is_echo(l, type)) {
      return packet_check::control;
    }
  }
  (void)replace_addresses(p, l, of_packet);
  if (!of_quote.none()) put_word(p, l.transport + 2, of_quote.applied_to(word(p, l.transport + 2)));
  return packet_check::passes;
}

change_of_addresses way(const address_pair& from, const address_pair& to, bool outward) {
  return outward ? change_of_addresses{from.own, from.peer, to.own, to.peer}
                 : change_of_addresses{from.peer, from.own, to.peer, to.own};
}

}  // namespace

ip_address link_ipv6_address(const security::address_bits& bits) {
  ip_address a{{0xfd, 0x50, 0x72, 0x6f, 0x53, 0x65}, 16};
  std::copy(bits.begin(), bits.end(), a.octets.begin() + 6);
  return a;
}
ip_address link_ipv4_source() { return {{192, 0, 0, 1}, 4}; }
ip_address link_ipv4_destination() { return {{192, 0, 0, 2}, 4}; }

const char* name_of(packet_check c) {
  switch (c) {
    case packet_check::passes:
      return "passes";
    case packet_check::malformed:
      return "malformed";
    case packet_check::foreign_source:
      return "foreign source";
    case packet_check::foreign_destination:
      return "foreign destination";
    case packet_check::no_ipv4:
      return "no IPv4 on the link";
    case packet_check::options:
      return "header options";
    case packet_check::control:
      return "control message";
    case packet_check::foreign_error:
      return "error about another packet";
    case packet_check::count_:
      break;
  }
  return "?";
}

packet_check host_to_link(const link_addresses& link, octets packet) {
  layout l;
  if (const auto c = read_layout(packet, false, l); c != packet_check::passes) return c;
  if (!l.v4)
    return pass(packet, l, way(link.host_ipv6, link.link_ipv6, true), way(link.host_ipv6, link.link_ipv6, false));
  if (link.host_ipv4.peer.length == 0) return packet_check::no_ipv4;
  const auto& h = link.host_ipv4;
  return pass(packet, l, {h.own, h.peer, link_ipv4_source(), link_ipv4_destination()},
              {h.peer, h.own, link_ipv4_source(), link_ipv4_destination()});
}

packet_check link_to_host(const link_addresses& link, octets packet) {
  layout l;
  if (const auto c = read_layout(packet, false, l); c != packet_check::passes) return c;
  if (!l.v4)
    return pass(packet, l, way(link.link_ipv6, link.host_ipv6, false), way(link.link_ipv6, link.host_ipv6, true));
  if (link.host_ipv4.peer.length == 0) return packet_check::no_ipv4;
  const auto& h = link.host_ipv4;
  return pass(packet, l, {link_ipv4_source(), link_ipv4_destination(), h.peer, h.own},
              {link_ipv4_source(), link_ipv4_destination(), h.own, h.peer});
}

}  // namespace prose::apps
