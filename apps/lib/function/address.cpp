#include "apps/lib/function/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <cstring>
#include <string_view>

namespace prose::function {
namespace {
in_port_t* port_of(sockaddr_storage& s) {
  return s.ss_family == AF_INET ? &reinterpret_cast<sockaddr_in*>(&s)->sin_port
                                : &reinterpret_cast<sockaddr_in6*>(&s)->sin6_port;
}
}  // namespace

int socket_address::port() const {
  auto copy = storage;
  return ntohs(*port_of(copy));
}

void socket_address::set_port(int port) { *port_of(storage) = htons(static_cast<std::uint16_t>(port)); }

std::string socket_address::text() const {
  char out[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr, out, sizeof out);
  else
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr, out, sizeof out);
  return out;
}

std::string socket_address::host() const {
  constexpr std::size_t prefix = std::string_view("::ffff:").size();
  const auto out = text();
  return out.starts_with("::ffff:") && out.find('.') != std::string::npos ? out.substr(prefix) : out;
}

std::string socket_address::block() const {
  if (storage.ss_family == AF_INET) return text();
  in6_addr network = reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr;
  if (!IN6_IS_ADDR_V4MAPPED(&network)) std::memset(network.s6_addr + 8, 0, 8);
  char out[INET6_ADDRSTRLEN] = "";
  inet_ntop(AF_INET6, &network, out, sizeof out);
  return out;
}

bool socket_address::operator==(const socket_address& other) const {
  return length == other.length && std::memcmp(&storage, &other.storage, length) == 0;
}

std::optional<socket_address> parse_address(const std::string& host, int port) {
  socket_address a;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&a.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&a.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    a.length = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    a.length = sizeof(sockaddr_in6);
  } else {
    return std::nullopt;
  }
  a.set_port(port);
  return a;
}

std::optional<socket_address> parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  std::string host = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos ||
      std::stoi(port) > 65535)
    return std::nullopt;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return parse_address(host, std::stoi(port));
}

}  // namespace prose::function
