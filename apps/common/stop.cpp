#include "apps/common/stop.h"

#include <atomic>
#include <csignal>
#include <initializer_list>

namespace prose::apps {
namespace {
std::atomic<bool> stop_flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "used in a signal handler");

void on_signal(int) { stop_flag.store(true, std::memory_order_relaxed); }
}  // namespace

void install_stop_handler() {
  for (const int s : {SIGINT, SIGTERM}) {
    struct sigaction action {};
    action.sa_handler = &on_signal;
    // Not SA_RESTART: a read that blocks (a terminal, a socket) must return so that the loop sees the flag.
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(s, &action, nullptr);
  }
}

bool stop_requested() noexcept { return stop_flag.load(std::memory_order_relaxed); }
void clear_stop() {
  stop_flag.store(false, std::memory_order_relaxed);
  install_stop_handler();
}
void request_stop() noexcept { stop_flag.store(true, std::memory_order_relaxed); }

}  // namespace prose::apps
