// The subcommands of prose-iq. Each gives an exit code and prints one line on a mistake.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "phy/radio/radio.h"
#include "phy/types/sample_source.h"

namespace prose::apps {

inline constexpr const char* iq_program = "prose-iq";

struct info_options {
  std::string in;
  bool verify = false;  ///< compare core:sha512
  bool json = false;
  double rate_hz = 0;  ///< of a recording that does not say it; 0: not known
};
int run_info(const info_options& o);

struct convert_options {
  std::string in, out;
  std::string in_type = "cf32", out_type = "cf32";
  double rate_hz = 0;       ///< of a raw input, or of a recording that does not say it
  double frequency_hz = 0;  ///< of a raw input, or of captures that do not say it; 0: not known
  int n_channels = 1;       ///< of a raw input
  bool verify = true;       ///< refuse a recording whose core:sha512 does not match
};
int run_convert(const convert_options& o);

struct plot_options {
  std::string in, out;
  double start_s = 0, duration_s = 0;  ///< 0: to the end
  double rate_hz = 0;                  ///< of a recording that does not say it
  int n_bins = 512;
  int width = 1200, height = 900;
  std::string scene_path, carrier, sync;  ///< a scene, carrier or pool: draws the constellation of what is decoded
  std::vector<std::string> pools;
};
int run_plot(const plot_options& o);

struct record_limits {
  double duration_s = 0;        ///< 0: none; of the source's time, gaps included
  std::uint64_t max_bytes = 0;  ///< 0: none
};
struct record_target {
  std::string path, type = "cf32", description, hw;
  std::string prose = {};  ///< as sigmf_meta::prose
  double frequency_hz = 0;
};
struct record_report {
  std::int64_t n_samples = 0;
  std::size_t n_segments = 0;
  std::uint64_t n_clipped = 0;
  std::string why;  ///< what ended it: "duration", "size limit", "disk full", "stopped", "end of the source"
  bool failed = false;
};
struct record_options {
  phy::radio_config radio;
  std::string out, type = "cf32", description;
  record_limits limits;
  double start_s = -1;                                   ///< device time of the first sample; negative: at once
  std::string scene_path = {}, carrier = {}, sync = {};  ///< what is known of the carrier
  std::vector<std::string> pools = {};
};
int run_record(const record_options& o);

struct replay_options {
  phy::radio_config radio;
  bool profile_given = false;  ///< the profile's sample rate is what the device gives
  double rate_hz = 0;          ///< 0: the profile's, or the recording's
  double frequency_hz = 0;     ///< 0: the recording's, or the profile's (radio.center_freq_hz; 0: not given)
  std::string in;
  std::int64_t segment = -1;  ///< place in the recording's list of captures; negative: all of them
  int channel = 0;
  double scale = 1;
  double start_s = -1;  ///< device time of the first sample; negative: soon
  bool loop = false;
  std::int64_t times = 1;
};
int run_replay(const replay_options& o);

struct measure_options {
  std::array<std::string, 2> profiles;  ///< of the two radios, with device_args
  int bursts = 20;                      ///< in each direction
  double power_db = -12;                ///< mean of a burst, 0 dB = full scale; as prose-ue
};
int run_measure(const measure_options& o);

/// Waits until a device tick is about a second away: a device that is told earlier holds its caller until then, and
/// Ctrl-C finds it blocked. False when it was asked to stop.
result<bool> wait_until_near(const phy::radio& radio, std::int64_t tick);

/// Reads a source into a SigMF recording until a limit, the end or Ctrl-C. What was recorded is complete in every case.
result<record_report> record(phy::sample_source& source, const record_target& target, const record_limits& limits);

}  // namespace prose::apps
