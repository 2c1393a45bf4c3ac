// From a source of samples, file or radio, through the monitor to events and captured frames.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/lib/capture/captured_frame.h"
#include "apps/lib/common/events.h"
#include "apps/lib/common/sample_power.h"
#include "apps/lib/listen/event_json.h"
#include "apps/lib/listen/file_source.h"
#include "apps/lib/listen/recorded_time.h"
#include "apps/lib/listen/scene.h"
#include "apps/lib/listen/stream_place.h"
#include "phy/modem/monitor.h"

namespace prose::apps {

enum class listen_sync : std::uint8_t {
  slss,     ///< search SLSS, then track
  aligned,  ///< the scene's timing
  blind,
  gnss,  ///< device time gives the subframes: subframe n of the air begins at tick n * samples_per_subframe
};

struct capture_options {
  listen_sync sync = listen_sync::slss;
  bool report_failed_tbs = false;
  double duration_s = 0;       ///< of samples; 0: until the source ends
  bool search_beside = false;  ///< where pools are told: what they do not explain is searched as well, and counted
  bool as_ci16 = false;  ///< round the samples to ci16_le before anything else, as a recording of that type keeps them
  std::function<bool()> stop = [] { return false; };
  bool tell_odd_samples = true;  ///< warn where no sample is finite, or the power beyond that of any signal
};

/// A place in the stream where the ticks are not those that follow.
struct stream_gap {
  double t_s = 0;                 ///< device time of the first sample behind it
  std::int64_t sample = 0;        ///< that sample's index
  std::int64_t samples_lost = 0;  ///< as the ticks tell it
  std::int64_t time_jump = 0;     ///< samples by which the device's time was set
};

/// What a capture is used for, beside its events. Each is called in the order of the stream, from one thread; false
/// ends the capture with the error that the observer keeps.
struct capture_observer {
  /// Called with each decoded event. The frame is a copy of it; bits of the event are valid only during the call.
  std::function<bool(const phy::monitor_event&, const captured_frame&)> frame = {};
  /// Called with each block of samples before it is decoded. The tick is of device time as if that had never leapt.
  std::function<bool(std::span<const std::span<const phy::cf32>>, std::int64_t first_tick, bool gap_before)> samples =
      {};
  /// Called after each block: samples so far, and seconds of device time.
  std::function<void(std::int64_t, double)> progress = {};
  /// Called with each gap of known length.
  std::function<bool(const stream_gap&)> gap = {};
};

struct capture_result {
  phy::monitor_statistics statistics;
  double t_end_s = 0;
  std::int64_t n_samples = 0;
  std::uint64_t n_frames = 0;
  bool pools_told = false, searched_beside = false;
  double seconds_since_first_frame = 0;  ///< of device time, gaps included
  double seconds_lost = 0;               ///< in gaps since the first frame, and samples that were no numbers
  std::uint64_t unknown_gaps = 0;        ///< gaps since then of which nobody knows the length
};

/// An error of make() is a usage error (the scene, the pools), which is why preparing is a step of its own.
class capture {
public:
  /// A recording.
  static result<capture> make(std::unique_ptr<file_source> file, const scene& s, capture_options options,
                              std::string& assumed);
  /// A radio, which must outlive the capture. Its timing is device time, whatever the scene says.
  static result<capture> make(phy::sample_source& radio, const std::string& name, const scene& s,
                              capture_options options, std::string& assumed);
  /// Samples in memory, `n_samples` of them, the first of which has tick 0.
  static result<capture> make(std::unique_ptr<phy::sample_source> stored, std::int64_t n_samples,
                              const std::string& name, const scene& s, capture_options options, std::string& assumed);
  /// Transport blocks so far whose CRC failed, told of as events or not.
  std::uint64_t blocks_failed() const { return monitor_->statistics().tb_failed; }
  result<capture_result> run(event_writer& events, std::vector<capture_observer> observers = {});
  /// run() in steps: begin(), advance() as long as it gives true, end().
  void begin(std::vector<capture_observer> observers);
  /// Takes the next block of samples, a subframe at most. False: the source or what was asked for ended, or an observer
  /// ended the capture.
  result<bool> advance(event_writer& events);
  result<capture_result> end(event_writer& events);
  /// So far.
  capture_result totals() const;
  /// Takes the radio's samples from here instead, the same samples by another way.
  void read_through(phy::sample_source& source) { source_ = &source; }
  const phy::carrier_config& carrier() const { return config_.carrier; }
  int n_antennas() const { return config_.n_antennas; }

private:
  capture() = default;
  static result<capture> make_common(phy::sample_source& source, const sample_facts& facts, const scene& s,
                                     capture_options options, std::string& assumed);
  result<void> make_monitor();
  void align(const scene& s, std::int64_t first_tick);
  void lost(std::int64_t samples) { lost_ += n_frames_ > 0 ? samples : 0; }
  bool emit(std::span<const phy::monitor_event> found, event_writer& events);
  /// How a block of samples follows what came before it.
  struct arrival {
    phy::read_status status;
    bool round = false;      ///< it begins a round of the file
    std::int64_t shift = 0;  ///< ticks of that round less those of the file
    bool first = false;      ///< nothing came before it
    bool jump = false;       ///< its tick is not the next one
  };
  bool start_anew(const arrival& a, event_writer& events);
  bool count_gap(const arrival& a, bool going, event_writer& events);
  bool take(std::span<const std::span<const phy::cf32>> in, const arrival& a, bool going, event_writer& events);

  std::unique_ptr<file_source> file_;
  std::unique_ptr<phy::sample_source> stored_source_;
  phy::sample_source* source_ = nullptr;
  capture_options options_;
  phy::monitor_config config_;
  std::optional<phy::monitor> monitor_;
  std::int64_t first_subframe_ = 0;  ///< of the first round: tick, or sample where the subframes are stored one by one
  bool stored_ = false;  ///< numbered subframes stored one after the other, whatever their distance on the air
  stream_place place_;
  recorded_time recorded_;
  std::uint64_t n_frames_ = 0;
  std::int64_t first_frame_tick_ = 0, lost_ = 0;
  std::optional<sample_watch> watch_;
  std::uint64_t unknown_gaps_ = 0, restarts_ = 0;  ///< restarts: at gaps of unknown length
  std::vector<capture_observer> observers_;
  std::vector<std::vector<phy::cf32>> samples_;  ///< a block of each antenna
  std::vector<std::uint8_t> packed_;
  bool going_ = true;  ///< no observer, nor a failed event, has ended the capture
};

}  // namespace prose::apps
