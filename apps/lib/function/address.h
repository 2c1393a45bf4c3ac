// Socket addresses from text, and back.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>

namespace prose::function {

struct socket_address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  sockaddr* generic() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* generic() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int port() const;
  void set_port(int port);
  /// Without the port.
  std::string text() const;
  /// Likewise; an IPv4 address that is mapped into IPv6 as an IPv4 address.
  std::string host() const;
  /// The block of addresses that one host can use: an IPv4 address, also one mapped into IPv6, or an IPv6 /64.
  std::string block() const;
  bool operator==(const socket_address& other) const;
};

/// A numeric IPv4 or IPv6 address.
std::optional<socket_address> parse_address(const std::string& host, int port);
/// "127.0.0.1:5000" or "[::1]:5000".
std::optional<socket_address> parse_endpoint(const std::string& text);

}  // namespace prose::function
