// --look: what a live page shows of the samples and of what was decoded, for local readers: rows of a waterfall and
// constellation points, one JSON object a line. It costs next to nothing while nobody reads.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/lib/listen/capture.h"
#include "apps/sniffer/look_readers.h"
#include "phy/dsp/spectrum.h"

namespace prose::apps {

class look_feed {
public:
  static constexpr int n_bins = 256;
  static constexpr double row_s = 0.002;
  /// frequency_hz: of the carrier, nothing where it is not known. Where safe_file.h only looks, nothing is made.
  static result<std::unique_ptr<look_feed>> open(const std::string& path, const phy::carrier_config& carrier,
                                                 std::optional<double> frequency_hz);
  /// The feed must outlive it. It never ends the capture.
  capture_observer observer();
  /// Lines that readers did not take in time.
  std::uint64_t dropped() const { return readers_.dropped(); }

private:
  using clock = std::chrono::steady_clock;
  /// Symbols of one channel and modulation since they were last told.
  struct channel_points {
    int modulation_order = 2;
    std::vector<phy::cf32> points;
    double t_s = 0;  ///< of the latest frame
    clock::time_point told{};
  };
  look_feed(look_readers readers, const phy::carrier_config& carrier, std::optional<double> frequency_hz);
  void add(std::span<const phy::cf32> samples, std::int64_t first_tick, bool gap_before);
  void add(const phy::monitor_event& e, const captured_frame& f);
  void end_row(std::int64_t next_tick);
  void look_after(clock::time_point now);
  void tell_rows();
  void tell_points(std::size_t channel, clock::time_point now);

  look_readers readers_;
  double rate_hz_;
  std::int64_t row_samples_;
  std::string hello_;
  phy::spectrum spectrum_{n_bins};
  std::vector<float> psd_ = std::vector<float>(n_bins);
  std::vector<std::uint8_t> rows_;
  std::int64_t rows_tick_ = 0;    ///< of the first sample of the first row
  std::int64_t in_row_ = 0;       ///< samples of the row that is not complete
  bool row_has_samples_ = false;  ///< any that are numbers
  clock::time_point served_{};
  std::array<channel_points, 4> channels_;
};

}  // namespace prose::apps
