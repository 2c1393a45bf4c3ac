// What the processes of one emulated air share: a file in /dev/shm made by prose-air and mapped by every device.
//
// Time. One common tick, so fine that every LTE rate and the usual radio rates are a whole number of ticks a sample.
// Samples of a direction with n ticks a sample lie on the grid k * n of air time, so devices of one rate share sample
// indices.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <pthread.h>

#include "phy/types/cf32.h"

namespace prose::phy::air {

/// 230.4 GHz = 30.72 MHz * 7500 = 25 MHz * 9216; 2^63 of them are 1.27 years.
inline constexpr std::int64_t ticks_per_second = 230'400'000'000;
inline constexpr std::int64_t ticks_per_ms = ticks_per_second / 1000;
inline constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

inline constexpr std::uint32_t layout_magic = 0x50524F41;  // "PROA"
inline constexpr std::uint32_t layout_version = 4;
inline constexpr int max_nodes = 32;
inline constexpr int max_pair_rules = 256;
inline constexpr int max_node_rules = 64;
inline constexpr int max_faults = 64;
inline constexpr int max_name = 32;
inline constexpr std::size_t ring_samples = std::size_t{1}
                                            << 17;   ///< 1 MiB a transmitter: more falls out of the caches
inline constexpr std::uint32_t max_segments = 1024;  ///< bursts in flight from one transmitter
inline constexpr std::uint32_t segment_slack = 64;   ///< table entries a new receiver may still find overwritten
inline constexpr double max_delay_s = 1e-3;          ///< longest path delay accepted
inline constexpr double drift_span_s = 100e-6;       ///< clock drift moves a path's delay within this span
inline constexpr std::int64_t filter_span_samples =
    1024;  ///< of a transmitter, which a receiver's filters may look back

using name_text = std::array<char, max_name>;

enum class fading_profile : std::uint32_t { none, epa, eva };

/// The path from one transmitter to one receiver.
struct path_params {
  double gain_db = 0.0;
  double delay_s = 0.0;
  double cfo_hz = 0.0;
  double drift_ppm = 0.0;   ///< sampling clock of the transmitter relative to the receiver
  double doppler_hz = 0.0;  ///< maximum Doppler shift of the fading taps
  fading_profile fading = fading_profile::none;
  double burst_loss = 0.0;    ///< probability that a burst is not heard at all, drawn for each burst
  std::uint32_t blocked = 0;  ///< nothing at all is heard
};

enum path_field : std::uint32_t {
  field_gain = 1,
  field_delay = 2,
  field_cfo = 4,
  field_drift = 8,
  field_doppler = 16,
  field_fading = 32,
  field_blocked = 64,
  field_burst_loss = 128
};

/// Applies to every pair it names ("*" names all); later rules override the fields they set.
struct pair_rule {
  name_text from{};
  name_text to{};
  std::uint32_t fields = 0;
  path_params params;
};

enum node_field : std::uint32_t { field_noise = 1, field_clock = 2 };

/// Applies to every device it names, as a pair_rule does.
struct node_rule {
  name_text name{};
  std::uint32_t fields = 0;
  double noise_dbfs =
      -std::numeric_limits<double>::infinity();  ///< receiver noise power at 0 dB gain, relative to full scale
  double clock_ppm = 0.0;                        ///< error of its reference: shifts its carrier and drifts its samples
};

/// late_command: the stream ends with "late command", as UHD's own restart after an overflow does on a slow host.
/// outage: no samples for length_s, and none afterwards before the next start; commands fail meanwhile.
/// unplug: no samples, no answers, and closing the device takes length_s.
/// clock_step: device time leaps by length_s, forward or back; samples go on.
enum class fault_kind : std::uint32_t {
  overflow,
  underflow,
  late,
  drop,
  kill,
  late_command,
  outage,
  unplug,
  clock_step
};

/// Happens at the node when its stream (RX faults) or its first burst (TX faults) is `after_s` old, and every `every_s`
/// again.
struct fault_rule {
  name_text node{};
  fault_kind kind = fault_kind::overflow;
  double after_s = 0.0;
  double every_s = 0.0;    ///< 0: once
  double length_s = 1e-3;  ///< how much reception an overflow or a drop loses; see also above. Below 0: clock_step only
};

/// Written by the hub before `ready`, read-only afterwards.
struct air_settings {
  std::uint64_t seed = 1;
  std::int64_t start_s = 0;  ///< device time at air time 0
  double speed = 1.0;        ///< air seconds per wall second; 0: as fast as the receivers read
  std::int64_t lead_ticks = ticks_per_ms / 2;
  std::int64_t keep_ticks =
      ticks_per_ms / 10;  ///< how long transmitters keep samples for the longest path and its echoes
  std::int64_t stall_ns = 1'000'000'000;
  std::uint32_t adc_bits = 12;  ///< 0: no quantisation and no clipping
  std::uint32_t n_pair_rules = 0;
  std::uint32_t n_node_rules = 0;
  std::uint32_t n_faults = 0;
  std::array<pair_rule, max_pair_rules> pair_rules;
  std::array<node_rule, max_node_rules> node_rules;
  std::array<fault_rule, max_faults> faults;
};

/// A thread that sleeps until air time reaches `target`. A futex word, because condition variables do not survive a
/// killed process.
struct alignas(64) wait_slot {
  std::atomic<std::uint32_t> word{0};
  std::atomic<std::int64_t> target{no_limit};  ///< no_limit: nobody sleeps here
  std::atomic<std::int64_t> beat_ns{
      0};  ///< wall time at which the sleeper last looked; every 20 ms while its process runs
};
enum wait_purpose { wait_rx, wait_tx, wait_other, n_wait_slots };

/// A stretch of transmission. Everything but `length` is fixed once the segment is published; `length` grows while it
/// is open.
struct segment {
  std::atomic<std::int64_t> first_index{0};  ///< in samples of the transmitter: air tick / ticks_per_sample
  std::atomic<std::int64_t> length{0};
  std::atomic<std::uint64_t> ring_position{0};
  std::int64_t ticks_per_sample = 1;
  double freq_hz = 0.0;
  float amplitude = 1.0F;
};

enum class node_state : std::uint32_t { free, joined, leaving };

struct alignas(64) node_slot {
  // Under the mutex.
  std::atomic<node_state> state{node_state::free};
  std::uint32_t pid = 0;
  std::atomic<std::uint32_t> generation{0};  ///< grows at every join, so that a receiver notices a new occupant
  name_text name{};
  std::int64_t free_after = 0;  ///< a leaving node's slot may be used again when time is past this

  // Receiver.
  alignas(64) std::atomic<std::int64_t> rx_limit{
      no_limit};                                 ///< the clock must not pass it; no_limit while not streaming
  std::atomic<std::int64_t> rx_mixed{no_limit};  ///< all before it has been mixed
  std::atomic<std::uint32_t> rx_excluded{0};     ///< the watchdog gave it up; it lost samples
  std::atomic<std::int64_t> rx_linger_ns{0};  ///< a finished stream still holds the clock until this wall time; 0: no

  // Transmitter.
  alignas(64) std::atomic<std::int64_t> tx_commit{
      no_limit};                                     ///< the open burst is written up to here; no_limit: none is open
  std::atomic<std::uint32_t> tx_excluded{0};         ///< the watchdog closed its burst: an underflow
  std::atomic<std::uint32_t> tx_underflows{0};       ///< how often it did
  std::atomic<std::uint64_t> segment_count{0};       ///< segments ever published
  std::atomic<std::int64_t> tx_ticks_per_sample{0};  ///< as tuned now; 0: it has no transmit stream
  std::atomic<double> tx_freq_hz{0.0};
  std::array<segment, max_segments> segments;

  std::array<wait_slot, n_wait_slots> waits;
};

struct air_memory {
  std::atomic<std::uint32_t> magic{0};  ///< written last: the file is complete
  std::uint32_t version = layout_version;
  std::uint64_t bytes = 0;
  std::uint32_t hub_pid = 0;
  air_settings settings;

  alignas(64) std::atomic<std::int64_t> now{0};  ///< samples before it are final
  alignas(64) pthread_mutex_t mutex;             ///< robust, process-shared: membership, opening bursts, moving `now`
  alignas(64) std::atomic<std::uint32_t> dirty{0};  ///< somebody wanted to move `now` while the mutex was held
  std::atomic<std::uint32_t> ring_waiters{0};       ///< transmitters that wait for receivers to free their rings
  std::atomic<std::uint32_t> membership{0};         ///< grows when a node joins, leaves or is excluded
  std::atomic<std::uint64_t> active{0};             ///< bit per slot that is not free
  std::atomic<std::int64_t> pace_tick{0};  ///< written under the mutex: air time was pace_tick at wall time pace_ns
  std::atomic<std::int64_t> pace_ns{0};
  std::atomic<std::uint32_t> shut_down{0};  ///< the hub ended in good order

  std::array<node_slot, max_nodes> nodes;
  alignas(4096) std::array<std::array<cf32, ring_samples>, max_nodes> rings;
};

static_assert(std::atomic<std::int64_t>::is_always_lock_free && std::atomic<double>::is_always_lock_free);

}  // namespace prose::phy::air
