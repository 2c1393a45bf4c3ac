#include "apps/lib/function/application_port.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "apps/lib/function/message.h"
#include "apps/lib/function/server.h"

namespace prose::function {

using apps::file_descriptor;

result<void> application_port::check(const application_config& config) {
  for (const auto& [key, at] : {std::pair{"listen", config.listen}, std::pair{"forward", config.forward}})
    if (!at.empty() && !parse_endpoint(at))
      return fail(std::string("application.") + key + ": '" + at + "' is not ADDRESS:PORT or [IPV6]:PORT");
  return {};
}

result<application_port> application_port::open(const application_config& config) {
  if (auto ok = check(config); !ok) return tl::unexpected(ok.error());
  application_port p;
  if (!config.listen.empty()) {
    const auto at = parse_endpoint(config.listen);
    p.socket_ = file_descriptor(socket(at->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!p.socket_ || bind(p.socket_.get(), at->generic(), at->length) != 0)
      return fail("application.listen: cannot listen on " + config.listen + ": " + std::strerror(errno));
  }
  if (!config.forward.empty()) {
    p.forward_ = parse_endpoint(config.forward);
    p.sender_ = file_descriptor(socket(p.forward_->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!p.sender_) return fail(std::string("application.forward: ") + std::strerror(errno));
  }
  return p;
}

bool application_port::deliver(const std::string& name, std::span<const std::uint8_t> octets) {
  if (!forward_) return true;
  std::string text = name + ' ';
  text.append(reinterpret_cast<const char*>(octets.data()), octets.size());
  return sendto(sender_.get(), text.data(), text.size(), MSG_DONTWAIT, forward_->generic(), forward_->length) ==
         static_cast<ssize_t>(text.size());
}

std::optional<application_port::datagram> application_port::poll() {
  std::array<char, max_name_bytes + 1 + max_data_octets> buffer;
  while (true) {
    const auto n = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0) return std::nullopt;
    const std::size_t size = n;
    if (size > buffer.size()) continue;  // too long for any packet
    const std::string_view text(buffer.data(), size);
    const auto space = text.find(' ');
    if (space == std::string_view::npos) continue;
    datagram d{std::string(text.substr(0, space)), {}};
    if (!valid_name(d.name) || space + 1 == size || size - space - 1 > max_data_octets) continue;
    d.octets.assign(text.begin() + space + 1, text.end());
    return d;
  }
}

}  // namespace prose::function
