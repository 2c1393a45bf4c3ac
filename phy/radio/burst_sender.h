// A thread that hands bursts to the radio, so that the thread that reads never waits for a full transmit buffer.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "common/result.h"
#include "phy/radio/radio.h"

namespace prose::phy {

/// One thread calls the members, the one that calls radio::read(). No other thread may call radio::transmit().
class burst_sender {
public:
  /// max_samples: the longest burst; the buffers for it are made here. The radio must outlive the object.
  burst_sender(radio& r, std::size_t max_samples);
  ~burst_sender();
  burst_sender(const burst_sender&) = delete;
  burst_sender& operator=(const burst_sender&) = delete;

  /// Queues a copy of the burst. late, withheld: it is dropped (radio::transmit). Waits while all buffers are queued.
  /// An error of an earlier burst is returned by every later call.
  result<transmit_status> send(std::int64_t start_tick, std::span<const cf32> burst);
  /// To be called before more samples are read. Returns when the device has the beginning of every queued burst, or
  /// waits for air time to take the rest of one: what is read next then makes no burst late, unless another one
  /// begins within it and the device's lead after the one that waits.
  result<void> wait_until_begun();
  /// Waits until the device has all bursts.
  result<void> finish();

private:
  struct queued_burst {
    std::int64_t start_tick = 0;
    std::vector<cf32> samples;
  };
  static constexpr std::size_t n_buffers = 64;  // a UE plans at most 40 subframes ahead (sidelink.lead_subframes)
  bool waits_for_air_time() const;
  void run();
  result<void> failure() const;

  radio& radio_;
  std::array<queued_burst, n_buffers> ring_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Counts of bursts; a burst n lies in ring_[n % n_buffers].
  std::uint64_t queued_ = 0;
  std::uint64_t begun_ = 0;
  std::uint64_t done_ = 0;
  bool ends_ = false;
  std::optional<error> failed_;
  std::thread thread_;
};

}  // namespace prose::phy
