// What is known of a recording or a carrier beforehand: bandwidth, resource pool, timing. A scene is a JSON object with
// the keys carrier, pool (one, or a list of them), first_subframe_sample, samples_per_subframe, absolute_subframes; the
// same carrier and pool keys are accepted as text (--carrier, --pool). Absent keys and null mean "not known"; other
// keys are left alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "phy/modem/monitor.h"

namespace prose::apps {

struct scene {
  std::optional<int> n_prb;
  std::optional<phy::cyclic_prefix> cp;
  std::optional<phy::transmission_mode> tm;
  std::optional<double> sample_rate_hz;
  std::optional<int> fft_size;
  std::optional<std::int64_t> first_subframe_sample;
  std::optional<std::int64_t> samples_per_subframe;
  std::vector<int> absolute_subframes;   ///< empty: not known
  std::vector<phy::monitor_pool> pools;  ///< empty: not known
  std::string file;                      ///< for errors
};

/// One-line errors with `file` and the key.
result<scene> parse_scene(std::string_view text, const std::string& file);
result<scene> load_scene(const std::string& path);

/// "prb=50,tm=4,cp=normal" over what the scene holds; `what` names the text in errors ("--carrier").
result<void> apply_carrier_text(std::string_view text, const std::string& what, scene& s);
/// "kind=v2x,size=10,count=5,start_prb=0": the keys of the scene's pool, those of data with "data." before them. Adds a
/// pool.
result<void> apply_pool_text(std::string_view text, const std::string& what, scene& s);

/// The samples that the scene is about.
struct sample_facts {
  std::string name;      ///< names the file in errors
  std::string rate_key;  ///< the key of the rate in that file
  double sample_rate_hz = 0;
  std::optional<std::int64_t> n_samples;  ///< not for a radio
};

/// Checks a scene against the samples and fills in what follows from the rate. What is not said of the carrier is taken
/// as transmission mode 4, normal prefix, and the bandwidth whose LTE rate this is; `assumed` tells so in words.
result<phy::carrier_config> carrier_of(const scene& s, const sample_facts& f, std::string& assumed);

}  // namespace prose::apps
