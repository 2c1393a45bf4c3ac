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

#include "common/result.h"

namespace prose::apps {

/// Largest packet that passes in one piece; also the MTU of the TUN interface. RLC segments it to the grants.
inline constexpr std::size_t max_data_packet_bytes = 1500;

struct ip_address {
  std::array<std::uint8_t, 16> octets{};
  int length = 0;  ///< 4 or 16
  bool operator==(const ip_address&) const = default;
};
std::optional<ip_address> parse_ip_address(const std::string& text);
std::string to_string(const ip_address& a);
/// Addresses of an IPv4 or IPv6 packet; empty when the octets are neither.
std::optional<ip_address> source_of(std::span<const std::uint8_t> packet);
std::optional<ip_address> destination_of(std::span<const std::uint8_t> packet);

/// NOT 3GPP: the addresses of a UE when its configuration names none, from 20 octets that both ends know (the hash of
/// its public key): 10.64.0.0/10 with 22 bits of it, fd50:726f:5365::/48 with 80 bits.
ip_address default_ipv4(std::span<const std::uint8_t, 20> hash);
ip_address default_ipv6(std::span<const std::uint8_t, 20> hash);

struct data_peer {
  std::string name{};
  ip_address ipv4{};  ///< TUN: packets to this address go to the peer
  ip_address ipv6{};
  std::string udp_listen{};   ///< UDP: "address:port"; what arrives there goes to the peer. Empty: nothing does
  std::string udp_forward{};  ///< UDP: "address:port"; what the peer sends goes there. Empty: it is dropped
  std::string where{};        ///< "FILE:LINE: key" of the entry, for errors
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

/// Never blocks. One thread.
class data_port {
public:
  virtual ~data_port() = default;
  /// The next packet to send, if any. buffer.size() >= max_data_packet_bytes.
  virtual std::optional<outgoing_packet> poll(std::span<std::uint8_t> buffer) = 0;
  /// A packet that a peer sent.
  virtual void deliver(std::size_t peer, std::span<const std::uint8_t> packet) = 0;
  /// One more peer at the end of the list, permitted while we run. False: its packets cannot pass.
  virtual bool add(data_peer) { return false; }
  /// No more packets will come (end of standard input).
  virtual bool ended() const { return false; }
  const data_port_counters& counters() const { return counters_; }

protected:
  data_port_counters counters_;
};

struct tun_config {
  std::string interface = "prose0";
  ip_address ipv4{};
  ip_address ipv6{};
};
/// Creates the interface, gives it the addresses and a route to each peer's, and brings it up. Needs CAP_NET_ADMIN. A
/// packet is delivered to the host only when its source address is the peer's own: a peer cannot speak for another.
result<std::unique_ptr<data_port>> open_tun(const tun_config& config, std::vector<data_peer> peers);
/// A pair of UDP endpoints a peer.
result<std::unique_ptr<data_port>> open_udp(std::vector<data_peer> peers);
/// Lines "PEER TEXT" from `in_fd` are sent to PEER; what peers send is printed on `out_fd` in the same form, one line
/// each.
result<std::unique_ptr<data_port>> open_lines(std::vector<data_peer> peers, int in_fd, int out_fd);
/// No data.
std::unique_ptr<data_port> open_none();

}  // namespace prose::apps
