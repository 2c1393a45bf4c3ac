// Included first by every file of the weakened copy: is this the weakness of the run?
#pragma once

#include <cstdlib>
#include <cstring>

namespace prose {
inline bool weakened(const char* name) {
  static const char* const on = std::getenv("PROSE_WEAKNESS");
  return on != nullptr && std::strcmp(on, name) == 0;
}
}  // namespace prose
