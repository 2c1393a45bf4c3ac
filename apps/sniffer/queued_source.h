// A radio read by a thread of its own, so that a moment of slow processing loses nothing: a bounded queue of blocks
// lies between. When it is full the reader waits, the device overflows, and the radio counts and reports the loss as it
// does any other.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "phy/types/sample_source.h"

namespace prose::apps {

struct queue_statistics {
  std::uint64_t blocks = 0;
  std::uint64_t full = 0;       ///< times the reader had to wait for room
  std::size_t most_queued = 0;  ///< blocks
};

class queued_source final : public phy::sample_source {
public:
  /// `source` must outlive this object and belongs to it. It is read block_samples at a time; read() gives out at most
  /// what is left of a block. Large blocks cost fewer turns of the two threads.
  queued_source(phy::sample_source& source, std::size_t block_samples, std::size_t n_blocks);
  ~queued_source() override;

  double sample_rate_hz() const override { return source_.sample_rate_hz(); }
  int n_antennas() const override { return source_.n_antennas(); }
  result<phy::read_status> read(std::span<const std::span<phy::cf32>> out) override;
  /// Wakes a read() that waits, and ends the thread after its present block.
  void stop();
  queue_statistics statistics() const;

private:
  struct block {
    std::vector<std::vector<phy::cf32>> samples;
    phy::read_status status;
  };
  void run();
  void give_back();

  phy::sample_source& source_;
  std::vector<block> blocks_;
  std::vector<block*> free_;   // the one used last at the end: it is in the cache still
  std::vector<block*> queue_;  // a ring
  std::size_t first_ = 0, count_ = 0;
  block* current_ = nullptr;  // that read() gives out, and how much of it is gone
  std::size_t taken_ = 0;
  bool stopping_ = false, ended_ = false;
  std::optional<error> failure_;
  queue_statistics statistics_;
  mutable std::mutex mutex_;
  std::condition_variable filled_, room_;
  std::thread thread_;
};

}  // namespace prose::apps
