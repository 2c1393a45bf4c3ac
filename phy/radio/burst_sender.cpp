#include "phy/radio/burst_sender.h"

#include <cassert>

namespace prose::phy {

burst_sender::burst_sender(radio& r, std::size_t max_samples) : radio_(r) {
  for (auto& b : ring_) b.samples.reserve(max_samples);
  thread_ = std::thread([this] { run(); });
}

burst_sender::~burst_sender() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

result<void> burst_sender::failure() const {
  if (failed_) return tl::unexpected(*failed_);
  return {};
}

result<transmit_status> burst_sender::send(std::int64_t start_tick, std::span<const cf32> burst) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failed_ || queued_ - done_ < n_buffers; });
  if (failed_) return tl::unexpected(*failed_);
  if (const auto s = radio_.admit(start_tick, burst.size()); s != transmit_status::sent) return s;
  queued_burst& b = ring_[queued_ % n_buffers];
  assert(burst.size() <= b.samples.capacity());
  b.start_tick = start_tick;
  b.samples.assign(burst.begin(), burst.end());
  ++queued_;
  changed_.notify_all();
  return transmit_status::sent;
}

// Of the burst that is being handed over. Once its last sample's time was read, the device has room for all of it.
bool burst_sender::waits_for_air_time() const {
  if (begun_ == done_) return false;
  const queued_burst& b = ring_[done_ % n_buffers];
  return !radio_.has_read_beyond(b.start_tick + static_cast<std::int64_t>(b.samples.size()) - 1);
}

result<void> burst_sender::wait_until_begun() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failed_ || begun_ == queued_ || waits_for_air_time(); });
  return failure();
}

result<void> burst_sender::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failed_ || done_ == queued_; });
  return failure();
}

void burst_sender::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ends_ || queued_ != done_; });
    if (queued_ == done_ || failed_) return;
    const queued_burst& b = ring_[done_ % n_buffers];
    const std::uint64_t number = done_ + 1;
    lock.unlock();
    const auto sent = radio_.transmit_admitted(b.start_tick, b.samples, burst_piece::whole, [&] {
      const std::lock_guard guard(mutex_);
      begun_ = number;
      changed_.notify_all();
    });
    lock.lock();
    begun_ = done_ = number;
    if (!sent) failed_ = sent.error();
    changed_.notify_all();
  }
}

}  // namespace prose::phy
