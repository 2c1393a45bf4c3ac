// Setting a device's seconds at the pulses of a PPS. Apart from UHD, so that it can be tested with clocks that are late
// or wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/result.h"

namespace prose::phy {

struct device_second {
  std::int64_t full = 0;
  double fraction = 0;
  bool operator==(const device_second&) const = default;
};

struct pps_device {
  std::function<device_second()> last_pps;  ///< device time at the last pulse
  std::function<void(std::int64_t)> set_at_next_pps;
  std::function<std::int64_t()>
      gps_second;                  ///< GPSDO: seconds since 1970 of the last pulse that it has reported; else empty
  std::function<double()> host_s;  ///< the host's UTC, for a PPS that names no second
  std::function<void(std::chrono::milliseconds)> sleep;
};

/// GPSDO: GPS seconds, so that all radios agree. Without: the host's UTC second that is nearest to the pulse, so that a
/// host that is milliseconds early or late means the same second. A second too many or too few would matter: discovery
/// and SC periods are counted from device time zero, and 1000 subframes are no multiple of 320. Errors are one line;
/// notes tell of a host's clock that can hardly say which.
result<void> set_pps_time(const pps_device& d, double timeout_s, std::vector<std::string>& notes);

}  // namespace prose::phy
