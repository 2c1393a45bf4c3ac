#include "apps/page/line_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "apps/lib/common/unix_socket.h"

namespace prose::page {

result<void> line_socket::check(const std::string& path, const std::string& option) {
  if (path.empty()) return {};  // not given
  const auto address = apps::unix_address(option + ' ', path);
  return address ? result<void>() : tl::unexpected(address.error());
}

bool line_socket::connect() {
  if (socket_) return true;
  const auto address = apps::unix_address({}, path_);
  if (!address) return false;
  socket_ = apps::connect_to(*address);
  if (!socket_) return false;
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
