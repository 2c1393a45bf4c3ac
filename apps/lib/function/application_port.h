// The server's side of application data: datagrams "NAME OCTETS" to and from a program beside it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/function/address.h"
#include "common/result.h"

namespace prose::function {

struct application_config;

class application_port {
public:
  application_port() = default;
  /// Whether the endpoints are some; opens none.
  static result<void> check(const application_config& config);
  static result<application_port> open(const application_config& config);
  /// The socket to watch; -1: none.
  int listening() const { return socket_.get(); }
  /// Returns false if the datagram could not be sent; true also if there is nowhere to send it.
  bool deliver(const std::string& name, std::span<const std::uint8_t> octets);
  struct datagram {
    std::string name;
    std::vector<std::uint8_t> octets;
  };
  /// The next well-formed one.
  std::optional<datagram> poll();

private:
  apps::file_descriptor socket_;
  apps::file_descriptor sender_;
  std::optional<socket_address> forward_;
};

}  // namespace prose::function
