// A captured frame from a monitor event: copied, so that it outlives the stream.
#pragma once

#include "apps/lib/capture/captured_frame.h"
#include "apps/lib/listen/event_json.h"
#include "phy/modem/monitor.h"

namespace prose::apps {

captured_frame frame_of(const phy::monitor_event& e, const stream_position& at, std::uint64_t number);

}  // namespace prose::apps
