// From a source of samples through the monitor to events.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "apps/common/events.h"
#include "apps/sniffer/event_json.h"
#include "apps/sniffer/scene.h"
#include "phy/io/sigmf_reader.h"
#include "phy/modem/monitor.h"

namespace prose::apps {

struct capture_options {
  phy::sync_mode sync = phy::sync_mode::slss;
  bool report_failed_tbs = false;
  std::function<bool()> stop = [] { return false; };
};

/// Called with each decoded event, before it is written: what later analyses hang on.
using event_observer = std::function<void(const phy::monitor_event&, const stream_position&)>;

struct capture_result {
  phy::monitor_statistics statistics;
  double t_end_s = 0;
};

/// Reads the whole recording. An error of the monitor's configuration is a usage error, which is why preparing is a step of its own.
class file_capture {
 public:
  static result<file_capture> make(std::unique_ptr<phy::sigmf_reader> reader, const scene& s, capture_options options,
                                   std::string& assumed);
  result<capture_result> run(event_writer& events, const event_observer& observe = {});

 private:
  file_capture(std::unique_ptr<phy::sigmf_reader> reader, phy::monitor_config config, phy::monitor m, capture_options options)
      : reader_(std::move(reader)), config_(std::move(config)), monitor_(std::move(m)), options_(std::move(options)) {}
  bool emit(std::span<const phy::monitor_event> found, event_writer& events, const event_observer& observe);
  std::int64_t tick_for_monitor(std::int64_t sample) const;

  std::unique_ptr<phy::sigmf_reader> reader_;
  phy::monitor_config config_;
  phy::monitor monitor_;
  capture_options options_;
};

}  // namespace prose::apps
