#include "apps/page/line_socket.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace prose::page {

result<void> line_socket::check(const std::string& path, const std::string& option) {
  if (path.size() < sizeof(sockaddr_un::sun_path)) return {};
  return fail(option + " " + path + ": accepted is a path of at most " +
              std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " octets");
}

bool line_socket::connect() {
  if (socket_) return true;
  if (path_.empty()) return false;
  apps::file_descriptor s(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (!s || path_.size() >= sizeof at.sun_path) return false;
  std::memcpy(at.sun_path, path_.c_str(), path_.size() + 1);
  if (::connect(s.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return false;
  socket_ = std::move(s);
  lines_.forget();
  unsent_.clear();
  return true;
}

bool line_socket::read(const std::function<void(std::string_view)>& take) {
  constexpr int most_blocks = 16;  // then others have their turn
  std::vector<char> block(std::size_t{64} << 10U);
  for (int i = 0; i < most_blocks && socket_; ++i) {
    const auto n = recv(socket_.get(), block.data(), block.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return true;
    if (n <= 0) {
      socket_ = apps::file_descriptor();
      return false;
    }
    lines_.add({block.data(), static_cast<std::size_t>(n)}, take);
  }
  return static_cast<bool>(socket_);
}

bool line_socket::send(std::string_view line) {
  if (!socket_ || unsent_.size() + line.size() > most_line_octets) return false;
  unsent_.append(line) += '\n';
  flush();
  return true;
}

/// That the other end has left shows when it is read.
void line_socket::flush() {
  while (socket_ && !unsent_.empty()) {
    const auto n = ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    unsent_.erase(0, static_cast<std::size_t>(n));
  }
}

}  // namespace prose::page
