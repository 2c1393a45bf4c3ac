#include "apps/lib/common/unix_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace prose::apps {
namespace {

const sockaddr* generic(const sockaddr_un& a) { return reinterpret_cast<const sockaddr*>(&a); }

tl::unexpected<error> failed(const std::string& option, const std::string& path) {
  return fail(option + path + ": " + std::strerror(errno));
}

}  // namespace

result<sockaddr_un> unix_address(const std::string& option, const std::string& path) {
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof a.sun_path)
    return fail(option + path + ": the name is " + (path.empty() ? "empty" : "too long for a socket") +
                "; accepted: 1 to " + std::to_string(sizeof a.sun_path - 1) + " octets");
  std::memcpy(a.sun_path, path.data(), path.size());
  return a;
}

file_descriptor connect_to(const sockaddr_un& address) {
  file_descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd && connect(fd.get(), generic(address), sizeof address) != 0) {
    const int why = errno;
    fd = file_descriptor();
    errno = why;
  }
  return fd;
}

result<void> unix_listener::check(const std::string& option, const std::string& path) {
  const auto address = unix_address(option, path);
  if (!address) return tl::unexpected(address.error());
  struct stat s {};
  if (lstat(path.c_str(), &s) != 0) {
    if (errno != ENOENT) return failed(option, path);
    const auto slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    return access(folder.c_str(), W_OK | X_OK) == 0 ? result<void>() : failed(option, path);
  }
  if (!S_ISSOCK(s.st_mode)) return fail(option + path + ": is there and is no socket; accepted is a new name");
  // ENOENT: its program has removed it meanwhile.
  if (connect_to(*address) || (errno != ECONNREFUSED && errno != ENOENT))
    return fail(option + path + ": another program serves it; accepted is a new name");
  return {};
}

result<unix_listener> unix_listener::open(const std::string& option, const std::string& path, int backlog) {
  if (auto ok = check(option, path); !ok) return tl::unexpected(ok.error());
  const auto address = unix_address(option, path);
  unix_listener l;
  l.socket_ = file_descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!l.socket_) return failed(option, path);
  // check() found nobody behind it.
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return failed(option, path);
  // The mode of the descriptor is the one that the name gets: nobody else can open it in between.
  if (fchmod(l.socket_.get(), S_IRUSR | S_IWUSR) != 0 || bind(l.socket_.get(), generic(*address), sizeof *address) != 0)
    return failed(option, path);
  l.path_ = path;
  if (lstat(path.c_str(), &l.made_) != 0 || listen(l.socket_.get(), backlog) != 0) return failed(option, path);
  return l;
}

unix_listener::~unix_listener() {
  struct stat there {};
  if (path_.empty() || lstat(path_.c_str(), &there) != 0) return;
  if (there.st_dev == made_.st_dev && there.st_ino == made_.st_ino) unlink(path_.c_str());
}

unix_listener::unix_listener(unix_listener&& other) noexcept { *this = std::move(other); }

unix_listener& unix_listener::operator=(unix_listener&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(path_, other.path_);
  std::swap(made_, other.made_);
  return *this;
}

}  // namespace prose::apps
