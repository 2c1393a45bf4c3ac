// Programs that hold keys keep their memory to themselves.
#pragma once

#include "common/result.h"

namespace prose::apps {

/// From now on the process leaves no core, and no other process of the user (debugger, /proc/PID/mem) reads its memory.
/// Root can.
result<void> forbid_dumps();

}  // namespace prose::apps
