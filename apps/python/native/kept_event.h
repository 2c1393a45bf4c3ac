// Events that wait for Python: copies, because what the monitor gives is valid during its call only.
#pragma once

#include <variant>

#include "apps/lib/listen/capture.h"
#include "apps/python/native/convert.h"

namespace prose::python {

/// A monitor's event. Its bits are in the frame, packed.
struct kept_frame {
  phy::monitor_event event;
  apps::captured_frame frame;
};
struct kept_statistics {
  phy::monitor_statistics counts;
  double t_s = 0;
};
using kept_event = std::variant<kept_frame, apps::stream_gap, kept_statistics>;

/// The dataclass of prose.events.
py::object to_python(const kept_event& e);

}  // namespace prose::python
