// A source that is read ahead by a thread of its own, so that a disk which stands still for a moment costs no samples.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "phy/types/sample_source.h"

namespace prose::apps {

/// Blocks of 10 ms in a queue of about a second (at most 256 MiB). When the queue is full the reading waits, and the
/// radio tells of its overflow.
class background_source final : public phy::sample_source {
public:
  explicit background_source(phy::sample_source& source);
  ~background_source() override;
  background_source(const background_source&) = delete;
  background_source& operator=(const background_source&) = delete;

  double sample_rate_hz() const override { return source_.sample_rate_hz(); }
  int n_antennas() const override { return source_.n_antennas(); }
  /// A whole block or what is left of it; fewer samples than asked for are no gap.
  result<phy::read_status> read(std::span<const std::span<phy::cf32>> out) override;
  std::size_t block_samples() const { return block_samples_; }

private:
  struct block {
    std::vector<std::vector<phy::cf32>> samples;
    phy::read_status status;
    std::optional<error> failure;
    std::size_t used = 0;
  };
  void work();

  phy::sample_source& source_;
  std::size_t block_samples_, most_blocks_;
  std::mutex mutex_;
  std::condition_variable came_, went_;
  std::deque<block> full_, free_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace prose::apps
