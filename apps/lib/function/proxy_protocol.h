// The header by which a TCP balancer says whose connection it hands on: HAProxy's PROXY protocol, version 2.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "apps/lib/function/address.h"
#include "common/result.h"

namespace prose::function {

/// Octets of a header beside its first 16: addresses and what may follow them.
inline constexpr std::size_t max_proxy_body = 1024;

/// A whole header and nothing else. The source's address; none: the connection is the balancer's own, as to see whether
/// the server lives (LOCAL). Refused: version 1, other commands, sources other than TCP over IPv4 or IPv6, fields that
/// do not fill it exactly, a checksum (CRC32c) that is wrong.
result<std::optional<socket_address>> parse_proxy_header(std::span<const std::uint8_t> octets);

/// Collects a header from a stream, whose next octets belong to somebody else.
class proxy_header_reader {
public:
  /// How many more octets to read at most; 0: the header is complete, or none.
  std::size_t wanted() const;
  /// At most wanted() of them.
  void add(std::span<const std::uint8_t> octets) { in_.insert(in_.end(), octets.begin(), octets.end()); }
  std::span<const std::uint8_t> octets() const { return in_; }

private:
  std::vector<std::uint8_t> in_;
};

}  // namespace prose::function
