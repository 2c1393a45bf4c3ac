#include "apps/lib/common/radio_profile.h"

#include <cmath>
#include <limits>

#include "apps/lib/common/log.h"
#include "apps/lib/common/stop.h"

namespace prose::apps {
namespace {
const std::vector<std::string> sources{"", "internal", "external", "gpsdo"};

void read_band(config_section& map, phy::transmit_limits& limits) {
  phy::band_limit b;
  for (const char* key : {"name", "from_hz", "to_hz"}) map.require(key);
  map.read("name", b.name);
  map.read("from_hz", b.from_hz, 1e6, 6e9);
  map.read("to_hz", b.to_hz, 1e6, 6e9);
  map.read("max_power_dbm", b.max_power_dbm, -100.0, 60.0);
  map.read("max_duty_cycle", b.max_duty_cycle, 0.0, 1.0);
  map.read("window_s", b.window_s, 0.1, 86400.0);
  if (map.has("to_hz") && !(b.to_hz > b.from_hz)) map.reject("to_hz", "accepted: more than from_hz");
  limits.bands.push_back(std::move(b));
}

result<void> load_transmit_limits(const std::string& path, phy::transmit_limits& limits) {
  auto file = config_section::load(path);
  if (!file) return tl::unexpected(file.error());
  limits.bands.clear();
  limits.file = path;
  file->require("bands");
  for (auto& band : file->list("bands")) read_band(band, limits);
  if (limits.bands.empty()) file->reject("bands", "accepted: a list of one or more");
  return file->check();
}

void read_limits(config_section& map, phy::transmit_limits& limits) {
  constexpr double not_given = std::numeric_limits<double>::quiet_NaN();
  double power_dbm_at_gain_0 = limits.power_dbm_at_gain_0.value_or(not_given);
  map.read("power_dbm_at_gain_0", power_dbm_at_gain_0, -200.0, 60.0);
  if (!std::isnan(power_dbm_at_gain_0)) limits.power_dbm_at_gain_0 = power_dbm_at_gain_0;
  std::string path;
  map.read_path("tx_limits", path);
  if (!path.empty())
    if (const auto ok = load_transmit_limits(path, limits); !ok) map.reject("tx_limits", ok.error().message);
  map.in_force().read_path("tx_limits", limits.file);
}
}  // namespace

void read_radio_keys(config_section& map, phy::radio_config& r) {
  map.read_choice("clock_source", r.clock_source, sources);
  map.read_choice("time_source", r.time_source, sources);
  // A PPS that is not derived from the reference slides against the samples.
  if (!r.time_source.empty() && r.time_source != "internal" && !r.clock_source.empty() &&
      r.clock_source != r.time_source)
    map.reject(
        map.has("time_source") ? "time_source" : "clock_source",
        "'" + r.time_source + "' with clock_source '" + r.clock_source + "'; accepted: the same source for both");
  map.read("subdev", r.subdev);
  map.read("rx_antenna", r.rx_antenna);
  map.read("tx_antenna", r.tx_antenna);
  map.read("master_clock_hz", r.master_clock_hz, 0.0, 1e9);
  map.read("sample_rate_hz", r.sample_rate_hz, 1e4, 250e6);
  map.read("device_rate_hz", r.device_rate_hz, 0.0, 250e6);
  map.read("center_freq_hz", r.center_freq_hz, 1e6, 6e9);
  map.read("rx_gain_db", r.rx_gain_db, 0.0, 120.0);
  map.read("tx_gain_db", r.tx_gain_db, 0.0, 120.0);
  map.read("bandwidth_hz", r.bandwidth_hz, 0.0, 250e6);
  map.read("rx_antennas", r.n_rx_antennas, 1, 4);
  map.read("turnaround_s", r.turnaround_s, 0.0, 0.1);
  read_limits(map, r.limits);
  map.read("require_lock", r.require_lock);
  map.read("realtime_priority", r.realtime_priority);
}

void wait_as_a_program(phy::radio_config& radio) {
  radio.tell = [](const std::string& line) { log_info("{}", line); };
  radio.warn = [](const std::string& line) { log_warning("{}", line); };
  radio.stops = stop_requested;
}

result<void> load_radio_profile(const std::string& path, phy::radio_config& radio) {
  auto file = config_section::load(path);
  if (!file) return tl::unexpected(file.error());
  phy::radio_config r = radio;
  file->read("device_args", r.device_args);
  read_radio_keys(*file, r);
  if (auto ok = file->check(); !ok) return ok;
  radio = r;
  return {};
}

}  // namespace prose::apps
