#include "apps/ue/control_socket.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "apps/lib/common/file_descriptor.h"

namespace prose::apps {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds reader_patience{1}, own_patience{2};
constexpr int backlog = 8;
constexpr std::size_t largest_status = std::size_t{4} << 20U;  // octets; 64 peers take some 60 000

result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  if (path.size() >= sizeof a.sun_path)
    return fail("control: " + path + ": the name is too long for a socket; accepted: up to " +
                std::to_string(sizeof a.sun_path - 1) + " octets");
  std::memcpy(a.sun_path, path.data(), path.size());
  return a;
}

tl::unexpected<error> failed(const std::string& path) { return fail("control: " + path + ": " + std::strerror(errno)); }

/// Whether the process at the other end is the own user's or root's.
bool trusted(int fd) {
  ucred c{};
  socklen_t n = sizeof c;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &n) == 0 && (c.uid == geteuid() || c.uid == 0);
}

/// Waits until the descriptor is ready, or the time is over.
bool wait_for(int fd, short events, steady_clock::time_point end) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - steady_clock::now()).count();
  pollfd p{fd, events, 0};
  return left > 0 && poll(&p, 1, static_cast<int>(left)) > 0;
}

/// Connects; an invalid descriptor and errno where that fails. Never waits: a full queue is EAGAIN.
file_descriptor connect_to(const sockaddr_un& a) {
  file_descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd && connect(fd.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0) {
    const int why = errno;
    fd = file_descriptor();
    errno = why;
  }
  return fd;
}

bool nobody_there(int error_number) { return error_number == ENOENT || error_number == ECONNREFUSED; }

}  // namespace

struct control_socket::state {
  std::string path;
  file_descriptor listener;
  file_descriptor wake;
  std::mutex mutex;
  std::string status;
  std::thread thread;

  void serve(int reader) {
    if (!trusted(reader)) return;
    std::string text;
    {
      const std::lock_guard lock(mutex);
      text = status;
    }
    std::string_view left = text;
    const auto end = steady_clock::now() + reader_patience;
    while (!left.empty()) {
      const auto n = send(reader, left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0)
        left.remove_prefix(static_cast<std::size_t>(n));
      else if (errno != EINTR && (errno != EAGAIN || !wait_for(reader, POLLOUT, end)))
        return;
    }
  }

  void run() {
    while (true) {
      pollfd fds[2] = {{listener.get(), POLLIN, 0}, {wake.get(), POLLIN, 0}};
      if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
      if (fds[1].revents != 0) return;
      if (fds[0].revents == 0) continue;
      const file_descriptor reader(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (reader) serve(reader.get());
    }
  }
};

result<void> control_socket::check(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  struct stat s {};
  if (lstat(path.c_str(), &s) != 0) {
    if (errno != ENOENT) return failed(path);
    const auto slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    return access(folder.c_str(), W_OK | X_OK) == 0 ? result<void>() : failed(path);
  }
  if (!S_ISSOCK(s.st_mode)) return fail("control: " + path + " is there and is no socket; accepted: a name of its own");
  if (connect_to(*address) || !nobody_there(errno))
    return fail("control: " + path + " is another program's; accepted: a socket for each UE");
  return {};
}

result<std::unique_ptr<control_socket>> control_socket::open(const std::string& path) {
  if (auto ok = check(path); !ok) return tl::unexpected(ok.error());
  const auto address = address_of(path);
  auto s = std::make_unique<state>();
  s->path = path;
  s->listener = file_descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  s->wake = file_descriptor(eventfd(0, EFD_CLOEXEC));
  if (!s->listener || !s->wake) return failed(path);
  // check() found nobody behind it.
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return failed(path);
  // The mode of the descriptor is the one that the name gets: nobody else can open it in between.
  if (fchmod(s->listener.get(), 0600) != 0 ||
      bind(s->listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      chmod(path.c_str(), 0600) != 0 || listen(s->listener.get(), backlog) != 0)
    return failed(path);
  s->thread = std::thread([p = s.get()] { p->run(); });
  return std::unique_ptr<control_socket>(new control_socket(std::move(s)));
}

control_socket::control_socket(std::unique_ptr<state> s) : s_(std::move(s)) {}

control_socket::~control_socket() {
  unlink(s_->path.c_str());
  const std::uint64_t one = 1;
  // An eventfd that counts from 0 takes this write.
  if (write(s_->wake.get(), &one, sizeof one) == sizeof one)
    s_->thread.join();
  else
    s_->thread.detach();
}

void control_socket::publish(std::string json) {
  json += '\n';
  const std::lock_guard lock(s_->mutex);
  s_->status = std::move(json);
}

result<std::optional<std::string>> read_control_socket(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return tl::unexpected(address.error());
  const auto fd = connect_to(*address);
  if (!fd) {
    if (nobody_there(errno)) return std::optional<std::string>();
    return failed(path);
  }
  if (!trusted(fd.get())) return fail("control: " + path + " is another user's");
  std::string text;
  const auto end = steady_clock::now() + own_patience;
  char part[4096];
  while (wait_for(fd.get(), POLLIN, end)) {
    const auto n = recv(fd.get(), part, sizeof part, 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return failed(path);
    if (n == 0 && text.empty())
      return fail("control: " + path + ": the UE has only just started and tells nothing yet");
    if (n == 0) return std::optional(std::move(text));
    text.append(part, static_cast<std::size_t>(n));
    if (text.size() > largest_status) return fail("control: " + path + ": what answers is no UE");
  }
  return fail("control: " + path + ": no answer within " + std::to_string(own_patience.count()) + " s");
}

}  // namespace prose::apps
