// Where the application data of a UE comes from and goes to: a TUN interface, UDP sockets, or standard input and
// output.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/ue/link_filter.h"
#include "common/result.h"

namespace prose::apps {

/// Largest packet that passes in one piece; also the MTU of the TUN interface. RLC segments it to the grants.
inline constexpr std::size_t max_data_packet_bytes = 1500;

struct data_peer {
  std::string name{};
  ip_address ipv4{};  ///< as configured: what the host calls the peer; length 0: not configured
  ip_address ipv6{};
  link_addresses addresses{};  ///< TUN: those of its link; none: no packet passes
  std::string udp_listen{};    ///< UDP: "address:port"; what arrives there goes to the peer. Empty: nothing does
  std::string udp_forward{};   ///< UDP: "address:port"; what the peer sends goes there. Empty: it is dropped
  std::string where{};         ///< "FILE:LINE: key" of the entry, for errors
};

/// ADDRESS:PORT or [IPV6]:PORT.
bool valid_endpoint(const std::string& text);

struct outgoing_packet {
  std::size_t peer = 0;  ///< index in the list the port was opened with
  std::size_t size = 0;  ///< octets written
};

struct data_port_counters {
  std::uint64_t no_such_peer = 0;  ///< packets that name no known peer (TUN: mostly multicast of the host)
  std::uint64_t oversized = 0;
  std::uint64_t write_failed = 0;  ///< packets of peers that the host did not take
};

/// Packets of one peer's link that the filter held back, by packet_check.
struct link_drops {
  std::array<std::uint64_t, static_cast<std::size_t>(packet_check::count_)> in{}, out{};
};

/// Why packets, or long ones, do not pass.
struct port_trouble {
  std::string text{};     ///< empty: all pass
  bool for_good = false;  ///< nothing will pass any more
  friend bool operator==(const port_trouble&, const port_trouble&) = default;
};

/// Never blocks. One thread.
class data_port {
public:
  virtual ~data_port() = default;
  /// The next packet to send, if any. buffer.size() >= max_data_packet_bytes.
  virtual std::optional<outgoing_packet> poll(std::span<std::uint8_t> buffer) = 0;
  /// A packet that a peer sent.
  virtual void deliver(std::size_t peer, std::span<const std::uint8_t> packet) = 0;
  /// A peer that is permitted while we run: one more at the end of the list, or an earlier one again, perhaps with
  /// another key and so with other addresses. On error none of its packets pass. slot <= the number of peers.
  virtual result<void> assign(std::size_t slot, data_peer peer);
  /// It is permitted no longer: its addresses and routes are taken away.
  virtual void withdraw(std::size_t) {}
  /// The state of the host's side; to be called about once a second. What an administrator took away and gave back is
  /// set up again.
  virtual port_trouble look() { return {}; }
  /// What the user is to be told since the last call, a line each; few, whatever the host does.
  virtual std::vector<std::string> remarks() { return {}; }
  const data_port_counters& counters() const { return counters_; }
  /// By index of the list; empty where nothing is filtered.
  std::span<const link_drops> drops() const { return drops_; }

protected:
  data_port_counters counters_;
  std::vector<link_drops> drops_;
};

struct tun_config {
  std::string interface = "prose0";
  ip_address ipv4{};  ///< as configured: our own on all links, for the host alone; length 0: not configured
  ip_address ipv6{};
  std::string ipv4_table;  ///< file of addresses drawn at random; empty: none are drawn
  std::string hosts;       ///< file that names the peers; empty: none
};
/// Creates the interface and brings it up; each peer gets a host route an address, with our own of that link as
/// preferred source. Nobody asks or answers on it for neighbours or routers. Needs CAP_NET_ADMIN. What passes either
/// way: link_filter.h. An address that two peers have, and a route that cannot be made, is an error.
result<std::unique_ptr<data_port>> open_tun(const tun_config& config, std::vector<data_peer> peers);
/// A pair of UDP endpoints a peer.
result<std::unique_ptr<data_port>> open_udp(std::vector<data_peer> peers);
/// Lines "PEER TEXT" from `in_fd` are sent to PEER; what peers send is printed on `out_fd` in the same form, one line
/// each.
result<std::unique_ptr<data_port>> open_lines(std::vector<data_peer> peers, int in_fd, int out_fd);
/// No data.
std::unique_ptr<data_port> open_none();

}  // namespace prose::apps
