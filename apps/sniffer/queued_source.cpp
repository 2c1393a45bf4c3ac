#include "apps/sniffer/queued_source.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace prose::apps {

queued_source::queued_source(phy::sample_source& source, std::size_t block_samples, std::size_t n_blocks)
    : source_(source), blocks_(std::max<std::size_t>(n_blocks, 2)), queue_(blocks_.size()) {
  for (block& b : blocks_) {
    b.samples.assign(source.n_antennas(), std::vector<phy::cf32>(block_samples));
    free_.push_back(&b);
  }
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
      if (free_.empty() && !stopping_) ++statistics_.full;
      room_.wait(lock, [this] { return stopping_ || !free_.empty(); });
      if (stopping_) return;
      b = free_.back();
      free_.pop_back();
    }
    for (std::size_t a = 0; a < out.size(); ++a) out[a] = b->samples[a];
    const auto status = source_.read(out);
    std::unique_lock lock(mutex_);
    if (status) {
      b->status = *status;
      queue_[(first_ + count_) % queue_.size()] = b;
      ++count_;
      ++statistics_.blocks;
      statistics_.most_queued = std::max(statistics_.most_queued, count_);
    } else {
      failure_ = status.error();
    }
    const bool ended = ended_ = !status || status->end;
    lock.unlock();
    filled_.notify_one();
    if (ended) return;
  }
}

result<phy::read_status> queued_source::read(std::span<const std::span<phy::cf32>> out) {
  assert(out.size() == blocks_[0].samples.size());
  if (current_ == nullptr) {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return count_ > 0 || ended_ || stopping_; });
    if (count_ == 0) {
      if (failure_) return tl::unexpected(*failure_);
      phy::read_status end;
      end.end = true;
      return end;
    }
    current_ = queue_[first_];
    taken_ = 0;
    first_ = (first_ + 1) % queue_.size();
    --count_;
  }
  phy::read_status status = current_->status;
  const std::size_t n = std::min(out[0].size(), status.n_samples - taken_);
  for (std::size_t a = 0; a < out.size(); ++a)
    std::copy_n(current_->samples[a].begin() + static_cast<std::ptrdiff_t>(taken_), n, out[a].begin());
  status.first_tick += static_cast<std::int64_t>(taken_);
  if (taken_ > 0) {
    status.gap_before = false;
    status.time_jump = 0;
  }
  taken_ += n;
  status.end = status.end && taken_ == status.n_samples;
  status.n_samples = n;
  if (taken_ == current_->status.n_samples) give_back();
  return status;
}

void queued_source::give_back() {
  std::unique_lock lock(mutex_);
  free_.push_back(std::exchange(current_, nullptr));
  const bool was_full = free_.size() == 1;
  lock.unlock();
  if (was_full) room_.notify_one();
}

}  // namespace prose::apps
