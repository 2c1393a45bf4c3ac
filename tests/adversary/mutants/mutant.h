// Included first by every file of the mutated copy: which check is switched off in this run.
#pragma once

#include <cstdlib>
#include <cstring>

namespace prose {
inline bool mutant(const char* name) {
  static const char* const on = std::getenv("PROSE_MUTANT");
  return on != nullptr && std::strcmp(on, name) == 0;
}
}  // namespace prose
