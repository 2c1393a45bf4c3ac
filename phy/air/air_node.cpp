#include "phy/air/air_node.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <utility>
#include <vector>

namespace prose::phy::air {
namespace {

constexpr std::int64_t look_ns = 100'000'000;
constexpr std::int64_t linger_ns = 100'000'000;
constexpr std::int64_t step_samples = 16384;      // a receiver frees transmitters' rings in such steps
constexpr std::int64_t unread_samples = 1 << 20;  // what a receiver keeps for a thread that waits elsewhere

std::int64_t round_div(std::int64_t a, std::int64_t b) { return (a + b / 2) / b; }
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// The receivers of this process, so that a thread finds the others that it serves.
struct receiver_list {
  std::mutex mutex;
  std::vector<receiver*> all;
};
receiver_list& receivers() {
  static receiver_list list;
  return list;
}

const void* this_thread() {
  thread_local char mark;
  return &mark;
}

}  // namespace

patience::patience(air_memory& m, double seconds) {
  seconds = std::clamp(seconds, 0.0, 1e6);
  wall_end_ = wall_ns() + static_cast<std::int64_t>(seconds * 1e9);
  tick_end_ = m.now.load() + static_cast<std::int64_t>(seconds * static_cast<double>(ticks_per_second));
}

std::int64_t patience::wall_slice() const {
  const std::int64_t now = wall_ns();
  // Past the wall deadline it is device time that is waited for.
  return now < wall_end_ ? std::min(wall_end_, now + look_ns) : now + look_ns / 5;
}

bool hub_watch::alive() {
  const std::int64_t now = wall_ns();
  if (now >= next_look_.load(std::memory_order_relaxed)) {
    alive_.store(link_.hub_alive());
    next_look_.store(now + look_ns, std::memory_order_relaxed);
  }
  return alive_.load(std::memory_order_relaxed);
}

std::int64_t heard_by_all(air_memory& m) {
  std::int64_t floor = m.now.load();
  for (std::uint64_t bits = m.active.load(); bits != 0; bits &= bits - 1)
    floor = std::min(floor, m.nodes[std::countr_zero(bits)].rx_mixed.load());
  return floor;
}

transmitter::transmitter(air_link& link, hub_watch& hub, std::size_t buffer_samples)
    : memory_(link.memory()),
      node_(memory_.nodes[link.slot()]),
      ring_(memory_.rings[link.slot()]),
      hub_(hub),
      dac_(memory_.settings.adc_bits),
      buffer_samples_(buffer_samples) {}

std::size_t transmitter::room() {
  const std::int64_t heard = heard_by_all(memory_);
  while (tail_segment_ < count_) {
    const segment& s = node_.segments[tail_segment_ % max_segments];
    const std::int64_t first = s.first_index.load(std::memory_order_relaxed);
    const std::int64_t length = s.length.load(std::memory_order_relaxed);
    const std::int64_t keep = memory_.settings.keep_ticks + filter_span_samples * s.ticks_per_sample;
    const std::int64_t past = std::clamp<std::int64_t>((heard - keep) / s.ticks_per_sample - first, 0, length);
    tail_ = s.ring_position.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(past);
    if (past < length || (tail_segment_ + 1 == count_ && open_)) break;
    ++tail_segment_;
  }
  const std::size_t in_ring = ring_samples - static_cast<std::size_t>(head_ - tail_);
  if (buffer_samples_ == 0 || !open_) return in_ring;
  const std::int64_t sent = std::clamp<std::int64_t>(memory_.now.load() / ticks_per_sample_ - first_, 0, length_);
  const auto waiting = static_cast<std::size_t>(length_ - sent);
  return waiting >= buffer_samples_ ? 0 : std::min(in_ring, buffer_samples_ - waiting);
}

// One sleep. A transmitter whose own process holds the clock back would wait for ever: when nothing moves for as long
// as the caller is willing to wait, that is a timeout although device time has not passed.
air_status transmitter::wait_for_room(const patience& limit, std::int64_t& stuck_since, std::int64_t& stuck_now) {
  if (!hub_.alive()) return air_status::gone;
  if (node_.tx_excluded.load() != 0) return air_status::lost;
  const std::int64_t now = memory_.now.load();
  const std::int64_t wall = wall_ns();
  if (limit.over(now)) return air_status::timeout;
  if (now != stuck_now) {
    stuck_now = now;
    stuck_since = wall;
  } else if (wall >= limit.wall_end() && wall - stuck_since > 3 * look_ns) {
    return air_status::timeout;
  }
  const segment& s = node_.segments[tail_segment_ % max_segments];
  const std::int64_t used =
      s.first_index.load() +
      std::clamp<std::int64_t>(static_cast<std::int64_t>(tail_ - s.ring_position.load()), 0, s.length.load());
  std::int64_t target =
      (used + static_cast<std::int64_t>(ring_samples / 8) + filter_span_samples) * s.ticks_per_sample +
      memory_.settings.keep_ticks;
  if (buffer_samples_ != 0 && open_)  // until a quarter of the device's buffer is free
    target = std::min(target, next_tick() - static_cast<std::int64_t>(buffer_samples_ * 3 / 4) * ticks_per_sample_);
  memory_.ring_waiters.fetch_add(1);
  wait_for_air_time(memory_, node_.waits[wait_tx], std::max(target, now + s.ticks_per_sample),
                    std::min(limit.wall_slice(), wall + look_ns / 10));
  memory_.ring_waiters.fetch_sub(1);
  return air_status::ok;
}

air_status transmitter::open(std::optional<std::int64_t> start_tick, std::int64_t ticks_per_sample, double freq_hz,
                             float amplitude, const patience& limit) {
  if (open_) close();
  std::int64_t stuck_since = wall_ns();
  std::int64_t stuck_now = memory_.now.load();
  for (room(); count_ - tail_segment_ >= max_segments - segment_slack; room())
    if (const air_status s = wait_for_room(limit, stuck_since, stuck_now); s != air_status::ok) return s;
  if (!hub_.alive()) return air_status::gone;
  if (!start_tick) advance(memory_);
  const air_lock lock(memory_);
  const std::int64_t now = memory_.now.load();
  std::int64_t first = 0;
  if (start_tick) {
    first = *start_tick < 0 ? -1 : round_div(*start_tick, ticks_per_sample);
    if (first * ticks_per_sample < now || first * ticks_per_sample < last_end_tick_) return air_status::late;
  } else {
    first = ceil_div(std::max(now, last_end_tick_), ticks_per_sample);
  }
  segment& s = node_.segments[count_ % max_segments];
  s.first_index.store(first, std::memory_order_relaxed);
  s.length.store(0, std::memory_order_relaxed);
  s.ring_position.store(head_, std::memory_order_relaxed);
  s.ticks_per_sample = ticks_per_sample;
  s.freq_hz = freq_hz;
  s.amplitude = amplitude;
  first_ = first;
  length_ = 0;
  ticks_per_sample_ = ticks_per_sample;
  open_ = true;
  node_.tx_excluded = 0;
  node_.tx_commit.store(first * ticks_per_sample);
  node_.segment_count.store(++count_, std::memory_order_release);
  return air_status::ok;
}

air_status transmitter::write(std::span<const cf32> samples, const patience& limit, std::size_t& written) {
  written = 0;
  std::int64_t stuck_since = wall_ns();
  std::int64_t stuck_now = memory_.now.load();
  segment& s = node_.segments[(count_ - 1) % max_segments];
  while (written < samples.size()) {
    if (node_.tx_excluded.load() != 0) break;
    const std::size_t space = room();
    // Waiting for a good part of the ring at once saves wake-ups.
    if (space == 0) {
      if (written > 0) advance(memory_);
      if (const air_status st = wait_for_room(limit, stuck_since, stuck_now); st != air_status::ok) {
        if (st == air_status::lost) break;
        return st;
      }
      continue;
    }
    const std::size_t place = head_ & (ring_samples - 1);
    const std::size_t n = std::min({space, samples.size() - written, ring_samples - place});
    dac_.run(samples.data() + written, ring_.data() + place, n);
    written += n;
    head_ += n;
    length_ += static_cast<std::int64_t>(n);
    s.length.store(length_, std::memory_order_release);
    node_.tx_commit.store(next_tick());
  }
  if (node_.tx_excluded.load() != 0) {
    node_.tx_commit.store(no_limit);
    last_end_tick_ = next_tick();
    open_ = false;
    advance(memory_);
    return air_status::lost;
  }
  advance(memory_);
  return air_status::ok;
}

std::int64_t transmitter::close() {
  if (!open_) return last_end_tick_;
  open_ = false;
  last_end_tick_ = next_tick();
  node_.tx_commit.store(no_limit);
  advance(memory_);
  return last_end_tick_;
}

receiver::receiver(air_link& link, hub_watch& hub, std::int64_t lead_ticks)
    : link_(link),
      memory_(link.memory()),
      node_(memory_.nodes[link.slot()]),
      hub_(hub),
      mixer_(memory_, link.slot()),
      lead_ticks_(lead_ticks) {
  const std::lock_guard guard(receivers().mutex);
  receivers().all.push_back(this);
}

receiver::~receiver() {
  const std::lock_guard guard(receivers().mutex);
  std::erase(receivers().all, this);
}

void receiver::let_time_pass(std::int64_t tick, bool this_one_too) {
  const std::lock_guard guard(receivers().mutex);
  for (receiver* r : receivers().all) {
    if ((r == this && !this_one_too) || !r->is_unread_by(this_thread()) || r->link_.name() != link_.name()) continue;
    const std::int64_t limit = std::min(tick, r->next_tick() + unread_samples * r->ticks_per_sample_);
    std::int64_t old = r->node_.rx_limit.load();
    if (old < limit) r->node_.rx_limit.compare_exchange_strong(old, limit);  // not the watchdog's "no limit"
  }
}

// Time stands still and this thread is the one that could read on elsewhere: what holds it up there is given up.
void receiver::overflow_the_unread() {
  {
    const std::lock_guard guard(receivers().mutex);
    const std::int64_t heard = heard_by_all(memory_);
    for (receiver* r : receivers().all) {
      if (r == this || !r->is_unread_by(this_thread()) || r->link_.name() != link_.name()) continue;
      const air_lock lock(memory_);
      const bool full = r->node_.rx_limit.load() <= memory_.now.load();
      const bool holds_rings = memory_.ring_waiters.load() != 0 && r->node_.rx_mixed.load() <= heard;
      if (!full && !holds_rings) continue;
      r->node_.rx_limit = no_limit;
      r->node_.rx_mixed = no_limit;
      r->node_.rx_excluded = 1;
      memory_.dirty = 1;
    }
  }
  wake_ring_waiters(memory_);
}

air_status receiver::start(std::optional<std::int64_t> start_tick, std::int64_t ticks_per_sample) {
  if (!hub_.alive()) return air_status::gone;
  owner_ = this_thread();
  if (!start_tick) advance(memory_);
  mixer_.start(ticks_per_sample);
  const air_lock lock(memory_);
  const std::int64_t now = memory_.now.load();
  std::int64_t first = 0;
  if (start_tick) {
    first = *start_tick < 0 ? -1 : round_div(*start_tick, ticks_per_sample);
    if (first * ticks_per_sample < now) return air_status::late;
  } else {
    first = ceil_div(now, ticks_per_sample);
  }
  position_ = first;
  ticks_per_sample_ = ticks_per_sample;
  streaming_ = true;
  node_.rx_linger_ns = 0;
  node_.rx_excluded = 0;
  node_.rx_mixed.store(next_tick());
  node_.rx_limit.store(next_tick() + lead_ticks_);
  return air_status::ok;
}

void receiver::stop() {
  end_linger();
  if (!streaming_) return;
  streaming_ = false;
  node_.rx_limit.store(no_limit);
  node_.rx_mixed.store(no_limit);
  advance(memory_);
  wake_ring_waiters(memory_);
}

void receiver::stop_and_linger() {
  if (!streaming_) return;
  streaming_ = false;
  node_.rx_mixed.store(no_limit);
  if (node_.rx_excluded.load() == 0) {
    node_.rx_linger_ns.store(wall_ns() + linger_ns);
    node_.rx_limit.store(next_tick() + lead_ticks_);
  }
  wake_ring_waiters(memory_);
}

void receiver::end_linger() {
  if (node_.rx_linger_ns.load() == 0) return;
  const air_lock lock(memory_);
  if (node_.rx_linger_ns.exchange(0) == 0) return;
  node_.rx_limit.store(no_limit);
  memory_.dirty.store(1);
}

// After the watchdog gave this receiver up: it goes on at the present.
bool receiver::rejoin() {
  const air_lock lock(memory_);
  if (node_.rx_excluded.exchange(0) == 0) return false;
  position_ = std::max(position_, ceil_div(memory_.now.load(), ticks_per_sample_));
  node_.rx_mixed.store(next_tick());
  node_.rx_limit.store(next_tick() + lead_ticks_);
  return true;
}

void receiver::change_rate(std::int64_t ticks_per_sample) {
  position_ = ceil_div(next_tick(), ticks_per_sample);
  ticks_per_sample_ = ticks_per_sample;
  mixer_.start(ticks_per_sample);
  skip(0);
}

void receiver::skip(std::int64_t samples) {
  position_ += samples;
  const air_lock lock(memory_);
  if (node_.rx_excluded.load() != 0) return;
  node_.rx_mixed.store(next_tick());
  node_.rx_limit.store(next_tick() + lead_ticks_);
}

air_status receiver::read(std::span<cf32> out, const rx_tuning& tuning, const patience& limit, std::size_t& n) {
  n = 0;
  if (!hub_.alive()) return air_status::gone;
  owner_.store(this_thread(), std::memory_order_relaxed);
  if (node_.rx_excluded.load() != 0 && rejoin()) return air_status::lost;
  const std::int64_t lookahead = mixer_.lookahead_ticks(tuning);
  air_status status = air_status::ok;
  while (n < out.size()) {
    std::int64_t step = std::min<std::int64_t>(step_samples, static_cast<std::int64_t>(out.size() - n));
    const std::int64_t need = (position_ + step) * ticks_per_sample_ + lookahead;
    std::int64_t now = memory_.now.load(std::memory_order_acquire);
    if (now < need) {
      // Only this thread and the watchdog write the limit; the watchdog's "no limit" must not be overwritten.
      std::int64_t old = node_.rx_limit.load();
      if (old < need) node_.rx_limit.compare_exchange_strong(old, need);
      let_time_pass(need, false);
      std::int64_t stands_at = now;
      std::int64_t stands_since = wall_ns();
      while ((now = wait_for_air_time(memory_, node_.waits[wait_rx], need, limit.wall_slice())) < need) {
        if (!hub_.alive()) return air_status::gone;
        if (std::exchange(stands_at, now) != now)
          stands_since = wall_ns();
        else if (wall_ns() - stands_since > 2 * look_ns)
          overflow_the_unread();
        if (limit.over(now)) break;
        if (node_.rx_excluded.load() != 0) break;
      }
      if (now < need) {
        step = std::min(step, (now - lookahead) / ticks_per_sample_ - position_);
        status = air_status::timeout;
        if (step <= 0 || node_.rx_excluded.load() != 0) break;
      }
    }
    mixer_.mix(position_, static_cast<std::size_t>(step), tuning, out.data() + n);
    if (node_.rx_excluded.load() != 0) break;  // transmitters may have written over what was mixed
    position_ += step;
    n += static_cast<std::size_t>(step);
    std::int64_t mixed = node_.rx_mixed.load();
    if (mixed != no_limit) node_.rx_mixed.compare_exchange_strong(mixed, next_tick());
    wake_ring_waiters(memory_);
    if (status == air_status::timeout) break;
  }
  if (node_.rx_excluded.load() != 0) {
    if (n > 0) return air_status::ok;  // the next call tells of the loss
    rejoin();
    return air_status::lost;
  }
  const std::int64_t consumed_limit = next_tick() + lead_ticks_;
  std::int64_t old = node_.rx_limit.load();
  if (old < consumed_limit && old != no_limit) node_.rx_limit.compare_exchange_strong(old, consumed_limit);
  advance(memory_);
  return n > 0 ? air_status::ok : status;
}

}  // namespace prose::phy::air
