// The device arguments of type=virtual.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"

namespace prose::phy::air {

struct device_args {
  std::string name = "virtual";
  std::string air = "default";
  double master_clock_hz = 122.88e6;
  double lead_s = 0.0;  ///< 0: what the air's configuration says
  double hub_timeout_s = 3.0;
  std::string clock_source = "internal";
  std::string time_source = "internal";
  double rpc_s = 0.0;               ///< how long a question for the time or a stream command takes
  std::size_t tx_buffer_bytes = 0;  ///< of 4 octets a sample; 0: as much as the ring of the air holds
  double claimed_s = 0.0;  ///< opening fails so long since this process looked first, as if another program used it
  double hidden_s = 0.0;   ///< the same, but UHD does not even find it
  std::size_t stale_packets = 0;  ///< from before the end of reception, that come after it, as with UHD's drivers
  bool timestamps = true;         ///< false: samples come without time
  bool broken = false;            ///< opening logs the cause as an error and fails with something general
  bool receive_only = false;      ///< has no transmitter
  bool locked = true;             ///< what the sensors of reference and GPSDO say
};

struct key_value {
  std::string key;
  std::string value;
};

/// Unknown keys and malformed values are errors that name what is accepted.
result<device_args> parse_device_args(const std::vector<key_value>& args);

inline const std::vector<std::string>& reference_sources() {
  static const std::vector<std::string> sources{"internal", "external", "gpsdo"};
  return sources;
}

}  // namespace prose::phy::air
