// IP packets of a peer and of the host at the filter of a link: what passes has the right addresses, the same length,
// and a checksum that was right is right again, at the other end too; what does not pass is as it was.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "apps/ue/link_filter.h"
#include "tests/apps/ue/ip_packets.h"

using namespace prose::apps;
using test::packet;

namespace {
ip_address v4(std::uint8_t n) { return {{10, 64, 0, n}, 4}; }
ip_address v6(std::uint8_t n) { return link_ipv6_address({1, 2, 3, 4, 5, 6, 7, 8, 9, n}); }

// Nothing is translated in IPv6 at one end, everything at the other.
const link_addresses here{{v6(1), v6(2)}, {v6(1), v6(2)}, {v4(1), v4(2)}};
const link_addresses there{{v6(2), v6(1)}, {v6(3), v6(4)}, {v4(3), v4(4)}};

void demand(bool what) {
  if (!what) std::abort();
}

/// Whether its checksums can be judged: one whole packet.
bool whole(const packet& p) { return p[0] >> 4 == 4 ? (p[6] & 0x3f) == 0 && p[7] == 0 : p[6] != 44; }
bool holds(const packet& p) {
  const auto at = test::header_of(p) + test::checksum_offset(test::protocol_of(p));
  return at + 2 <= p.size() && test::checksums_hold(p);
}

void check(const link_addresses& from, const link_addresses& to, packet p) {
  const packet before = p;
  const auto sent = host_to_link(from, p);
  if (sent != packet_check::passes) return demand(p == before);
  demand(p.size() == before.size());
  const bool ipv4 = p[0] >> 4 == 4;
  demand(source_of(before) == (ipv4 ? from.host_ipv4.own : from.host_ipv6.own) &&
         destination_of(before) == (ipv4 ? from.host_ipv4.peer : from.host_ipv6.peer));
  demand(source_of(p) == (ipv4 ? link_ipv4_source() : from.link_ipv6.own) &&
         destination_of(p) == (ipv4 ? link_ipv4_destination() : from.link_ipv6.peer));
  const bool judged = whole(before) && holds(before);
  if (judged) demand(holds(p));
  demand(link_to_host(to, p) == packet_check::passes);  // what one end lets out, the other takes
  demand(source_of(p) == (ipv4 ? to.host_ipv4.peer : to.host_ipv6.peer) &&
         destination_of(p) == (ipv4 ? to.host_ipv4.own : to.host_ipv6.own));
  if (judged) demand(holds(p));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 3000) return 0;
  packet p(data, data + size);
  check(here, there, p);
  packet received = p;
  if (link_to_host(here, received) != packet_check::passes) demand(received == p);
  // The same with the addresses put right, or hardly anything would pass.
  if (size >= 40) {
    const bool ipv4 = p[0] >> 4 == 4;
    const auto put = [&](packet& to, std::size_t at, const ip_address& a) {
      std::copy_n(a.octets.begin(), a.length, to.begin() + at);
    };
    for (const auto* from : {&here, &there}) {
      const auto& pair = ipv4 ? from->host_ipv4 : from->host_ipv6;
      packet q = p;
      q[0] = ipv4 ? 0x45 : static_cast<std::uint8_t>(0x60 | (q[0] & 15));
      put(q, ipv4 ? 12 : 8, pair.own);
      put(q, ipv4 ? 16 : 24, pair.peer);
      // An error's quotation, where one could be.
      const std::size_t quoted = ipv4 ? 28 : 48;
      if (q.size() >= quoted + 40 && q[quoted] >> 4 == (ipv4 ? 4 : 6)) {
        put(q, quoted + (ipv4 ? 12 : 8), pair.peer);
        put(q, quoted + (ipv4 ? 16 : 24), pair.own);
      }
      const auto p4 = test::protocol_of(q);
      const auto sum = test::header_of(q) + test::checksum_offset(p4);
      test::put(q, ipv4 ? 2 : 4, static_cast<std::uint32_t>(ipv4 ? q.size() : q.size() - 40));
      if (sum + 2 <= q.size()) test::complete(q);
      check(*from, from == &here ? there : here, q);
    }
  }
  return 0;
}
