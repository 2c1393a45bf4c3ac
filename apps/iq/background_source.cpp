#include "apps/iq/background_source.h"

#include <algorithm>

namespace prose::apps {
namespace {
constexpr std::size_t most_bytes = 256U << 20U;
}

background_source::background_source(phy::sample_source& source) : source_(source) {
  block_samples_ = static_cast<std::size_t>(std::max(1000.0, source.sample_rate_hz() / 100));
  const std::size_t block_bytes = block_samples_ * sizeof(phy::cf32) * static_cast<std::size_t>(source.n_antennas());
  most_blocks_ = std::clamp<std::size_t>(most_bytes / block_bytes, 4, 100);
  thread_ = std::thread([this] { work(); });
}

background_source::~background_source() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  went_.notify_all();
  thread_.join();
}

void background_source::work() {
  const std::size_t n_channels = source_.n_antennas();
  std::vector<std::span<phy::cf32>> out(n_channels);
  for (std::size_t made = 0;;) {
    block b;
    {
      std::unique_lock lock(mutex_);
      went_.wait(lock, [&] { return stop_ || !free_.empty() || made < most_blocks_; });
      if (stop_) return;
      if (!free_.empty()) {
        b = std::move(free_.front());
        free_.pop_front();
      } else {
        ++made;
      }
    }
    b.samples.resize(n_channels, std::vector<phy::cf32>(block_samples_));
    b.used = 0;
    for (std::size_t c = 0; c < n_channels; ++c) out[c] = b.samples[c];
    const auto status = source_.read(out);
    if (status)
      b.status = *status;
    else
      b.failure = status.error();
    const bool last = !status || status->end;
    {
      const std::lock_guard lock(mutex_);
      full_.push_back(std::move(b));
    }
    came_.notify_one();
    if (last) return;
  }
}

result<phy::read_status> background_source::read(std::span<const std::span<phy::cf32>> out) {
  std::unique_lock lock(mutex_);
  came_.wait(lock, [&] { return !full_.empty(); });
  block& b = full_.front();  // a deque: the thread's push_back leaves it where it is
  lock.unlock();
  if (b.failure) return tl::unexpected(*b.failure);
  phy::read_status s;
  s.first_tick = b.status.first_tick + static_cast<std::int64_t>(b.used);
  s.gap_before = b.status.gap_before && b.used == 0;
  s.time_jump = b.used == 0 ? b.status.time_jump : 0;
  s.n_samples = std::min(out[0].size(), b.status.n_samples - b.used);
  for (std::size_t c = 0; c < out.size(); ++c) std::copy_n(b.samples[c].begin() + b.used, s.n_samples, out[c].begin());
  b.used += s.n_samples;
  if (b.used < b.status.n_samples) return s;
  s.end = b.status.end;
  lock.lock();
  if (!s.end) {
    free_.push_back(std::move(b));
    full_.pop_front();
  }
  lock.unlock();
  went_.notify_one();
  return s;
}

}  // namespace prose::apps
