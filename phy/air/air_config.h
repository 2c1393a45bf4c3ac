// configs/air.yaml: the paths, noise, clocks and faults of an emulated air.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"
#include "phy/air/shm_layout.h"

namespace prose::phy::air {

struct air_config {
  std::string air = "default";
  air_settings settings;
  double kill_hub_after_s = -1.0;  ///< a fault of the hub itself; negative: never
};

/// Errors are one line: source:line: what is wrong, what is accepted.
result<air_config> parse_air_config(const std::string& yaml, const std::string& source);
/// As a configuration names it.
std::string_view name_of(fault_kind kind);
std::string_view name_of(fading_profile profile);
/// "1", "20" or "max". 0 stands for max.
result<double> parse_speed(const std::string& text);

}  // namespace prose::phy::air
