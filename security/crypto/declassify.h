// Where a value stops being secret: it goes on the air, or it is the one bit that a comparison of tags gives away.
// Costs nothing in the product. tests/security/secret_flow marks keys as undefined for valgrind's memcheck, which then
// reports every branch and every address that depends on them; these marks end that. Each needs its reason beside it;
// security/THREATS.md lists them.
#pragma once

#include <cstdint>
#include <span>

#if defined(PROSE_SECRET_FLOW)
#include <valgrind/memcheck.h>
#endif

namespace prose::security::crypto {

inline void declassify([[maybe_unused]] std::span<const std::uint8_t> octets) {
#if defined(PROSE_SECRET_FLOW)
  VALGRIND_MAKE_MEM_DEFINED(octets.data(), octets.size());
#endif
}

template <class Scalar>
Scalar declassified(Scalar value) {
#if defined(PROSE_SECRET_FLOW)
  VALGRIND_MAKE_MEM_DEFINED(&value, sizeof value);
#endif
  return value;
}

}  // namespace prose::security::crypto
