#include "apps/sniffer/queued_source.h"

#include <algorithm>
#include <cassert>

namespace prose::apps {

queued_source::queued_source(phy::sample_source& source, std::size_t block_samples, std::size_t n_blocks)
    : source_(source), block_samples_(block_samples), ring_(std::max<std::size_t>(n_blocks, 2)) {
  for (block& b : ring_) b.samples.assign(source.n_antennas(), std::vector<phy::cf32>(block_samples));
  thread_ = std::thread([this] { run(); });
}

queued_source::~queued_source() {
  stop();
  thread_.join();
}

void queued_source::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  filled_.notify_all();
  room_.notify_all();
}

queue_statistics queued_source::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

void queued_source::run() {
  std::vector<std::span<phy::cf32>> out(static_cast<std::size_t>(source_.n_antennas()));
  for (;;) {
    block* b = nullptr;
    {
      std::unique_lock lock(mutex_);
      if (count_ == ring_.size() && !stopping_) ++statistics_.full;
      room_.wait(lock, [this] { return stopping_ || count_ < ring_.size(); });
      if (stopping_) return;
      b = &ring_[(first_ + count_) % ring_.size()];
    }
    // Only the block behind the last queued one is touched without the lock, and only here.
    for (std::size_t a = 0; a < out.size(); ++a) out[a] = b->samples[a];
    const auto status = source_.read(out);
    const std::lock_guard lock(mutex_);
    if (status) {
      b->status = *status;
      ++count_;
      ++statistics_.blocks;
      statistics_.most_queued = std::max(statistics_.most_queued, count_);
    } else {
      failure_ = status.error();
    }
    ended_ = !status || status->end;
    filled_.notify_one();
    if (ended_) return;
  }
}

result<phy::read_status> queued_source::read(std::span<const std::span<phy::cf32>> out) {
  assert(out.size() == ring_[0].samples.size() && out[0].size() == block_samples_);
  std::unique_lock lock(mutex_);
  filled_.wait(lock, [this] { return count_ > 0 || ended_ || stopping_; });
  if (count_ == 0) {
    if (failure_) return tl::unexpected(*failure_);
    phy::read_status end;
    end.end = true;
    return end;
  }
  const block& b = ring_[first_];
  lock.unlock();
  for (std::size_t a = 0; a < out.size(); ++a) std::copy_n(b.samples[a].begin(), b.status.n_samples, out[a].begin());
  const auto status = b.status;
  lock.lock();
  first_ = (first_ + 1) % ring_.size();
  --count_;
  room_.notify_one();
  return status;
}

}  // namespace prose::apps
