#pragma once

#include <cstdlib>

namespace prose::security::crypto {

/// An assertion that stays in every build: here a wrong length would mean memory overrun, or a key that is partly used.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace prose::security::crypto
