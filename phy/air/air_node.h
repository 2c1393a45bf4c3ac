// One device on the air, without UHD: its transmitter and its receiver.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "phy/air/air_clock.h"
#include "phy/air/air_link.h"
#include "phy/air/kernels.h"
#include "phy/air/mixer.h"

namespace prose::phy::air {

/// Expires only when both wall time and device time have passed: a slow host must not look like a silent device.
class patience {
public:
  patience(air_memory& m, double seconds);
  bool over(std::int64_t now) const { return wall_ns() >= wall_end_ && now >= tick_end_; }
  /// When to look again.
  std::int64_t wall_slice() const;
  std::int64_t tick_end() const { return tick_end_; }
  std::int64_t wall_end() const { return wall_end_; }

private:
  std::int64_t wall_end_;
  std::int64_t tick_end_;
};

/// Liveness of the hub, looked up at most every 100 ms.
class hub_watch {
public:
  explicit hub_watch(const air_link& link) : link_(link) {}
  bool alive();

private:
  const air_link& link_;
  std::atomic<std::int64_t> next_look_{0};
  std::atomic<bool> alive_{true};
};

enum class air_status : std::uint8_t { ok, late, lost, timeout, gone };

/// Used by one thread at a time.
class transmitter {
public:
  /// buffer_samples: how far samples may be handed over ahead of their time; 0: as far as the ring goes.
  transmitter(air_link& link, hub_watch& hub, std::size_t buffer_samples = 0);

  /// Opens a burst at the sample nearest to `start_tick`, or as soon as possible. late: its time has passed, nothing
  /// was opened.
  air_status open(std::optional<std::int64_t> start_tick, std::int64_t ticks_per_sample, double freq_hz,
                  float amplitude, const patience& limit);
  /// Appends samples to the open burst; blocks while the ring is full. lost: the watchdog (or a fault) has closed the
  /// burst.
  air_status write(std::span<const cf32> samples, const patience& limit, std::size_t& written);
  /// Ends the burst; returns the tick of its end.
  std::int64_t close();
  bool is_open() const { return open_; }
  std::int64_t next_tick() const { return (first_ + length_) * ticks_per_sample_; }
  /// How often the watchdog has closed a burst; any thread.
  std::uint32_t underflows() const { return node_.tx_underflows.load(); }

private:
  std::size_t room();
  air_status wait_for_room(const patience& limit, std::int64_t& stuck_since, std::int64_t& stuck_now);

  air_memory& memory_;
  node_slot& node_;
  std::array<cf32, ring_samples>& ring_;
  hub_watch& hub_;
  quantiser dac_;
  std::size_t buffer_samples_;
  bool open_ = false;
  std::int64_t first_ = 0;
  std::int64_t length_ = 0;
  std::int64_t ticks_per_sample_ = 1;
  std::int64_t last_end_tick_ = 0;
  std::uint64_t count_ = 0;         ///< segments published
  std::uint64_t tail_segment_ = 0;  ///< the oldest one still in the ring
  std::uint64_t head_ = 0;          ///< ring positions written
  std::uint64_t tail_ = 0;          ///< ring positions free again
};

/// Used by one thread at a time. One thread may serve several devices in turn: while it waits at one it cannot read the
/// others, so those keep what it has not read, as the buffers of hardware do, and overflow when that is too much.
class receiver {
public:
  receiver(air_link& link, hub_watch& hub, std::int64_t lead_ticks);
  ~receiver();
  receiver(const receiver&) = delete;
  receiver& operator=(const receiver&) = delete;

  air_status start(std::optional<std::int64_t> start_tick, std::int64_t ticks_per_sample);
  void stop();
  /// Stops, but holds the clock at what was read plus the lead for a moment: a counted capture is followed by a thought
  /// and perhaps an answer, which must not be late. end_linger() (any thread) or 100 ms of wall time let it go.
  void stop_and_linger();
  void end_linger();
  bool streaming() const { return streaming_; }
  std::int64_t next_tick() const { return position_ * ticks_per_sample_; }
  /// Fills out; fewer samples only at a timeout. lost: the watchdog had given this receiver up and it has rejoined at
  /// next_tick().
  air_status read(std::span<cf32> out, const rx_tuning& tuning, const patience& limit, std::size_t& n);
  /// Another rate from the next sample on, at the first tick of the new grid that was not read.
  void change_rate(std::int64_t ticks_per_sample);
  std::int64_t ticks_per_sample() const { return ticks_per_sample_; }
  /// Skips samples (injected overflow or loss).
  void skip(std::int64_t samples);
  /// This thread is about to wait until `tick`: receivers that it serves let time pass so far, this one too if asked.
  void let_time_pass(std::int64_t tick, bool this_one_too);

private:
  bool rejoin();
  bool is_unread_by(const void* thread) const {
    return owner_.load() == thread && (streaming_ || node_.rx_linger_ns.load() != 0);
  }
  void overflow_the_unread();
  const air_link& link_;
  air_memory& memory_;
  node_slot& node_;
  hub_watch& hub_;
  receiver_mixer mixer_;
  std::int64_t lead_ticks_;
  bool streaming_ = false;
  std::atomic<const void*> owner_{nullptr};  ///< the thread that started or read it last
  std::int64_t position_ = 0;                ///< the next sample
  std::int64_t ticks_per_sample_ = 1;
};

/// All before it has been heard by everybody.
std::int64_t heard_by_all(air_memory& m);

}  // namespace prose::phy::air
