// Included first by every file of a copy that take_out.py made: is this the check that the run is without?
#pragma once

#include <cstring>

namespace prose {
inline const char* taken_out = "";  // set by the test
inline bool mutant(const char* name) { return std::strcmp(taken_out, name) == 0; }
}  // namespace prose
