#include "apps/ue/control_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <string_view>
#include <utility>

#include "apps/lib/common/accept_thread.h"
#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/common/unix_socket.h"

namespace prose::apps {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds reader_patience{1}, own_patience{2};
constexpr int backlog = 8;
constexpr std::size_t largest_status = std::size_t{4} << 20U;  // octets; 64 peers take some 60 000

constexpr const char* option = "control: ";

tl::unexpected<error> failed(const std::string& path) { return fail(option + path + ": " + std::strerror(errno)); }

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

bool nobody_there(int error_number) { return error_number == ENOENT || error_number == ECONNREFUSED; }

}  // namespace

struct control_socket::state {
  unix_listener listener;
  std::mutex mutex;
  std::string status;
  accept_thread thread;  // last: it ends before what it uses

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
};

result<void> control_socket::check(const std::string& path) { return unix_listener::check(option, path); }

result<std::unique_ptr<control_socket>> control_socket::open(const std::string& path) {
  auto made = unix_listener::open(option, path, backlog);
  if (!made) return tl::unexpected(made.error());
  auto s = std::make_unique<state>();
  s->listener = std::move(*made);
  if (!s->thread.start(s->listener.get(), [p = s.get()](int reader) { p->serve(reader); })) return failed(path);
  return std::unique_ptr<control_socket>(new control_socket(std::move(s)));
}

control_socket::control_socket(std::unique_ptr<state> s) : s_(std::move(s)) {}

control_socket::~control_socket() = default;

void control_socket::publish(std::string json) {
  json += '\n';
  const std::lock_guard lock(s_->mutex);
  s_->status = std::move(json);
}

result<std::optional<std::string>> read_control_socket(const std::string& path) {
  const auto address = unix_address(option, path);
  if (!address) return tl::unexpected(address.error());
  const auto fd = connect_to(*address);
  if (!fd) {
    if (nobody_there(errno)) return std::optional<std::string>();
    return failed(path);
  }
  if (!trusted(fd.get())) return fail(option + path + " is another user's");
  std::string text;
  const auto end = steady_clock::now() + own_patience;
  char part[4096];
  while (wait_for(fd.get(), POLLIN, end)) {
    const auto n = recv(fd.get(), part, sizeof part, 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return failed(path);
    if (n == 0 && text.empty()) return fail(option + path + ": the UE has only just started and tells nothing yet");
    if (n == 0) return std::optional(std::move(text));
    text.append(part, static_cast<std::size_t>(n));
    if (text.size() > largest_status) return fail(option + path + ": what answers is no UE");
  }
  return fail(option + path + ": no answer within " + std::to_string(own_patience.count()) + " s");
}

}  // namespace prose::apps
