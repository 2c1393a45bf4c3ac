#include "apps/lib/common/stop.h"

#include <atomic>
#include <csignal>
#include <initializer_list>

namespace prose::apps {
namespace {
std::atomic<bool> stop_flag{false}, hangup_flag{false}, hurry_flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "used in a signal handler");

void on_signal(int) { stop_flag.store(true, std::memory_order_relaxed); }
void on_hangup(int) { hangup_flag.store(true, std::memory_order_relaxed); }

void on_signal_of_two(int s) {
  if (s != SIGQUIT && s != SIGHUP && !stop_flag.exchange(true, std::memory_order_relaxed)) return;
  stop_flag.store(true, std::memory_order_relaxed);
  if (s == SIGHUP) return;
  hurry_flag.store(true, std::memory_order_relaxed);
  for (const int next : {SIGINT, SIGTERM, SIGQUIT}) ::signal(next, SIG_DFL);
}
}  // namespace

void install_stop_handler() {
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    // nohup: a program that is to outlive its terminal.
    if (s == SIGHUP && (sigaction(s, nullptr, &action) != 0 || action.sa_handler == SIG_IGN)) continue;
    action = {};
    action.sa_handler = &on_signal;
    // Not SA_RESTART: a read that blocks (a terminal, a socket) must return so that the loop sees the flag. A terminal
    // that goes away may say so twice, and nobody is impatient then.
    action.sa_flags = s == SIGHUP ? 0 : static_cast<int>(SA_RESETHAND);
    sigaction(s, &action, nullptr);
  }
}

void install_hurry_handler() {
  for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    struct sigaction action {};
    if (s == SIGHUP && (sigaction(s, nullptr, &action) != 0 || action.sa_handler == SIG_IGN)) continue;
    action = {};
    action.sa_handler = &on_signal_of_two;
    sigaction(s, &action, nullptr);
  }
}

bool hurry_requested() noexcept { return hurry_flag.load(std::memory_order_relaxed); }
void take_hangups() {
  struct sigaction action {};
  action.sa_handler = &on_hangup;
  action.sa_flags = SA_RESTART;  // the program goes on, and so does what it is writing
  sigaction(SIGHUP, &action, nullptr);
}
bool hangup_taken() noexcept { return hangup_flag.exchange(false, std::memory_order_relaxed); }

bool stop_requested() noexcept { return stop_flag.load(std::memory_order_relaxed); }
void clear_stop() {
  stop_flag.store(false, std::memory_order_relaxed);
  install_stop_handler();
}
void request_stop() noexcept { stop_flag.store(true, std::memory_order_relaxed); }

}  // namespace prose::apps
