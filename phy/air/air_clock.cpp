#include "phy/air/air_clock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <climits>

namespace prose::phy::air {
namespace {

constexpr std::int64_t pace_quantum_ns = 250'000;      // shorter sleeps cost more than they smooth
constexpr std::int64_t longest_sleep_ns = 20'000'000;  // a lost wake-up, however it came about, costs no more than this
constexpr std::int64_t slip_ns = 20'000'000;           // a clock held back longer does not catch up: it slips

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t ns) {
  timespec ts{ns / 1'000'000'000, ns % 1'000'000'000};
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT, expected, &ts, nullptr, 0);
}

void futex_wake(std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void ring(wait_slot& slot) {
  slot.word.fetch_add(1);
  futex_wake(slot.word);
}

double pace_speed(const air_memory& m) { return m.settings.speed > 0.0 ? m.settings.speed : 1.0; }

std::int64_t pace_limit(const air_memory& m, std::int64_t wall) {
  const double ahead_s = static_cast<double>(wall - m.pace_ns.load(std::memory_order_relaxed)) * 1e-9 * pace_speed(m);
  return m.pace_tick.load(std::memory_order_relaxed) +
         static_cast<std::int64_t>(ahead_s * static_cast<double>(ticks_per_second));
}

void set_pace(air_memory& m, std::int64_t tick, std::int64_t wall) {
  m.pace_tick.store(tick, std::memory_order_relaxed);
  m.pace_ns.store(wall, std::memory_order_relaxed);
}

template <class F>
void for_each_active(air_memory& m, F&& f) {
  for (std::uint64_t bits = m.active.load(); bits != 0; bits &= bits - 1) f(m.nodes[std::countr_zero(bits)]);
}

struct wake_list {
  std::array<wait_slot*, max_nodes * n_wait_slots> slots;
  std::size_t count = 0;
};

// Under the mutex.
void move_now(air_memory& m, wake_list& wake) {
  std::int64_t limit = no_limit;
  bool receiving = false;
  const std::int64_t now = m.now.load(std::memory_order_relaxed);
  for_each_active(m, [&](node_slot& n) {
    const std::int64_t rx = n.rx_limit.load();
    receiving = receiving || (rx != no_limit && n.rx_mixed.load() <= now);  // not one that waits for its start
    limit = std::min({limit, rx, n.tx_commit.load()});
  });
  const std::int64_t wall = wall_ns();
  // Nothing ties an air without receivers to its transmitters' thinking, so that even speed "max" is paced then.
  if (m.settings.speed > 0.0 || !receiving) {
    const std::int64_t pace = pace_limit(m, wall);
    const auto slip_ticks = static_cast<std::int64_t>(static_cast<double>(slip_ns) * 1e-9 * pace_speed(m) *
                                                      static_cast<double>(ticks_per_second));
    if (limit < pace - slip_ticks) set_pace(m, std::max(limit, now), wall);
    limit = std::min(limit, pace);
  } else {
    set_pace(m, std::max(limit, now), wall);
  }
  if (limit <= now) return;
  m.now.store(limit);
  for_each_active(m, [&](node_slot& n) {
    for (wait_slot& w : n.waits) {
      std::int64_t target = w.target.load();
      if (target <= limit && w.target.compare_exchange_strong(target, no_limit)) wake.slots[wake.count++] = &w;
    }
  });
}

bool try_lock(air_memory& m) {
  const int e = pthread_mutex_trylock(&m.mutex);
  if (e == EOWNERDEAD) pthread_mutex_consistent(&m.mutex);
  return e == 0 || e == EOWNERDEAD;
}

}  // namespace

std::int64_t wall_ns() {
  timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1'000'000'000LL + ts.tv_nsec;
}

air_lock::air_lock(air_memory& m) : m_(m) {
  if (pthread_mutex_lock(&m.mutex) == EOWNERDEAD) pthread_mutex_consistent(&m.mutex);
}

air_lock::~air_lock() {
  pthread_mutex_unlock(&m_.mutex);
  if (m_.dirty.load() != 0) advance(m_);
}

void advance(air_memory& m) {
  // Whoever finds the mutex taken leaves a mark; the holder looks for it after unlocking, so that no request is lost.
  do {
    m.dirty.store(1);
    if (!try_lock(m)) return;
    wake_list wake;
    m.dirty.store(0);
    move_now(m, wake);
    pthread_mutex_unlock(&m.mutex);
    for (std::size_t i = 0; i < wake.count; ++i) ring(*wake.slots[i]);
  } while (m.dirty.load() != 0);
}

std::int64_t wait_for_air_time(air_memory& m, wait_slot& slot, std::int64_t target, std::int64_t wall_deadline_ns) {
  std::int64_t now = m.now.load(std::memory_order_acquire);
  if (now >= target) return now;
  const std::uint32_t rung = slot.word.load();
  slot.target.store(target);
  advance(m);
  for (;;) {
    now = m.now.load(std::memory_order_acquire);
    const std::int64_t wall = wall_ns();
    slot.beat_ns.store(wall, std::memory_order_relaxed);
    if (now >= target || wall >= wall_deadline_ns || slot.word.load() != rung || m.shut_down.load() != 0) break;
    std::int64_t sleep = std::min(wall_deadline_ns - wall, longest_sleep_ns);
    const auto to_pace = static_cast<std::int64_t>(static_cast<double>(target - pace_limit(m, wall)) * 1e9 /
                                                   (static_cast<double>(ticks_per_second) * pace_speed(m)));
    if (to_pace > 0) sleep = std::min(sleep, std::max(to_pace, pace_quantum_ns));
    futex_wait(slot.word, rung, sleep);
    if (slot.word.load() == rung) advance(m);
  }
  slot.target.store(no_limit);
  return m.now.load(std::memory_order_acquire);
}

void wake_ring_waiters(air_memory& m) {
  if (m.ring_waiters.load() == 0) return;
  for_each_active(m, [](node_slot& n) {
    if (n.waits[wait_tx].target.load() != no_limit) ring(n.waits[wait_tx]);
  });
}

void wake_everybody(air_memory& m) {
  for (node_slot& n : m.nodes)
    for (wait_slot& w : n.waits) ring(w);
}

}  // namespace prose::phy::air
