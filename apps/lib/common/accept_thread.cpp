#include "apps/lib/common/accept_thread.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace prose::apps {
namespace {
// A connection that cannot be accepted, for want of a descriptor, leaves the listener ready to read.
constexpr int pause_after_failure_ms = 100;
}  // namespace

bool accept_thread::start(int listener, std::function<void(int client)> serve) {
  wake_ = file_descriptor(eventfd(0, EFD_CLOEXEC));
  if (!wake_) return false;
  thread_ = std::thread([this, listener, s = std::move(serve)] { run(listener, s); });
  return true;
}

void accept_thread::run(int listener, const std::function<void(int client)>& serve) {
  bool failed = false;
  while (true) {
    pollfd fds[2] = {{wake_.get(), POLLIN, 0}, {listener, POLLIN, 0}};
    const nfds_t n = failed ? 1 : 2;
    if (poll(fds, n, failed ? pause_after_failure_ms : -1) < 0 && errno != EINTR) return;
    if (fds[0].revents != 0) return;
    if (!failed && fds[1].revents == 0) continue;
    const file_descriptor client(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    failed = !client && errno != EAGAIN;
    if (client) serve(client.get());
  }
}

accept_thread::~accept_thread() {
  if (!thread_.joinable()) return;
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

}  // namespace prose::apps
