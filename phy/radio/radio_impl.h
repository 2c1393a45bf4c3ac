// What a radio is made of: settings, one thread's reception, one thread's transmission, and what both share.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <uhd/usrp/multi_usrp.hpp>
#include <utility>
#include <vector>

#include "phy/radio/radio.h"
#include "phy/radio/radio_setup.h"
#include "phy/radio/rate_bridge.h"
#include "phy/radio/transmit_limits.h"

namespace prose::phy {

inline constexpr std::size_t max_antennas = 4;

/// Whole seconds and the rest apart, as device time comes: a double of seconds since 1970 does not hold a sample
/// period.
std::int64_t to_ticks(const uhd::time_spec_t& t, double rate_hz);
uhd::time_spec_t to_time(std::int64_t ticks, double rate_hz);

struct radio::impl {
  radio_config config;
  uhd::usrp::multi_usrp::sptr usrp;
  uhd::rx_streamer::sptr rx;
  uhd::tx_streamer::sptr tx;
  double device_rate_hz = 0.0;
  std::string description;
  std::vector<std::string> notes;
  std::atomic<bool> dead{false};

  // Reception; one thread.
  bool started = false;
  uhd::time_spec_t start_time{0.0};
  bool reader_asked_priority = false;
  bool timed_start = false;  // the caller chose the time
  int late_starts = 0;       // since samples came last
  bool restarted = false;    // since samples came last
  bool gap = false;
  std::int64_t expected = -1;  // device tick that comes next, -1 after a gap
  std::int64_t resumes = -1;   // device tick that would have come next when reception stopped; -1: nothing has come
  std::uint64_t telling = 0;   // of tell_uhd_errors()
  std::int64_t stale = 0;      // device samples of before the start, since the device was asked for its time
  std::int64_t jump = 0;       // of the device's time, in device ticks, since the last block that read() began
  std::vector<void*> recv_buffers;
  std::vector<rate_bridge> rx_bridges;
  std::array<std::vector<cf32>, max_antennas> device_samples;
  std::array<std::vector<cf32>, max_antennas> bridged;
  std::size_t bridged_used = 0;
  std::size_t bridged_have = 0;
  std::int64_t bridged_tick = 0;
  std::int64_t transient = 0;  // resampler output to throw away

  // Transmission; one thread.
  bool sender_asked_priority = false;
  std::optional<rate_bridge> tx_bridge;
  std::vector<cf32> tx_samples;
  std::optional<band_limit> band;
  std::optional<duty_meter> duty;  // of `band`; under `mutex`
  std::int64_t admitted_to = 0;    // end of the piece that was admitted last

  std::atomic<std::int64_t> read_up_to{std::numeric_limits<std::int64_t>::min()};  // device ticks
  mutable std::mutex mutex;
  radio_counters counters;
  std::deque<radio_event> events;
  std::deque<std::pair<std::int64_t, std::int64_t>> own_bursts;  // ticks in which the receiver is deaf

  // Between two device samples: the nearest one, at most half a device sample off.
  std::int64_t device_tick(std::int64_t tick) const {
    if (!tx_bridge) return tick;
    return static_cast<std::int64_t>(
        std::floor(static_cast<double>(tick) * tx_bridge->interp() / tx_bridge->decim() + 0.5));
  }
  std::int64_t user_tick(const uhd::time_spec_t& t) const { return to_ticks(t, config.sample_rate_hz); }

  void add_event(radio_event_kind kind, std::int64_t tick);
  /// What the device says about transmission.
  void drain_async();
  /// Of the calling thread. `asked`: by this direction's thread.
  void ask_priority(bool& asked);
  tl::unexpected<error> failed(const std::string& what) const;
  /// And nothing more is asked of the device.
  tl::unexpected<error> gone(const std::string& what);

  // radio_reception.cpp
  result<std::int64_t> begin(std::optional<std::int64_t> at_tick);
  result<void> restart(const std::string& why);
  result<void> late_start();
  bool start_is_ahead() const;
  result<void> silence(double& waited);
  void take(std::int64_t tick, std::size_t n);
  bool is_jump(std::int64_t tick, bool announced) const;
  bool is_stale(std::int64_t tick, std::size_t n);
  result<std::size_t> receive(std::span<cf32* const> out, std::size_t n, std::int64_t& first);
  result<bool> fill_bridge();
  result<read_status> read(std::span<const std::span<cf32>> out);
  void blank(std::span<const std::span<cf32>> out, std::int64_t first, std::size_t n);

  // radio_transmission.cpp
  transmit_status drop_as_late(std::int64_t start_tick);
  transmit_status admit_air_time(std::int64_t start_tick, std::size_t n_samples);
  result<void> allows(double center_freq_hz, double tx_gain_db) const;
  result<void> send(std::span<const cf32> burst, uhd::tx_metadata_t md, const std::function<void()>& begun);
};

}  // namespace prose::phy
