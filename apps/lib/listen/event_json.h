// The events of the command-line contract from what the monitor decodes.
#pragma once

#include <cstdint>
#include <functional>

#include "apps/lib/common/events.h"
#include "phy/modem/monitor.h"

namespace prose::apps {

/// Where a tick lies: "sample" counts from the first sample of the file or stream, "t" is device time.
struct stream_position {
  std::int64_t sample = 0;
  double t_s = 0;
};

/// mib_sl, sci, tb or discovery; bits as hexadecimal text, most significant bit first, zero padded at the end.
event to_event(const phy::monitor_event& e, const stream_position& at);
std::int64_t tick_of(const phy::monitor_event& e);
event to_event(const phy::monitor_statistics& s, double t_s);

}  // namespace prose::apps
