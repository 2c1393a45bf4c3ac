// What prose-function keeps in a PostgreSQL database, as steps from each version to the next.
#pragma once

#include <span>

namespace prose::function {

/// Step i makes version i + 1 of version i. A step that was released is never changed.
std::span<const char* const> postgres_steps();

}  // namespace prose::function
