// Vectors of int16 by the GNU vector extension: the compiler maps them to whatever the target has. A target without
// AVX-512 only needs more instructions for the same values.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__AVX512BW__)
#include <immintrin.h>
#endif

namespace prose::phy {

template <int Lanes>
struct i16_lanes {
  typedef std::int16_t type __attribute__((vector_size(Lanes * sizeof(std::int16_t))));
};
template <int Lanes>
using i16v = typename i16_lanes<Lanes>::type;

template <class V>
inline V vmax(V a, V b) {
  return a > b ? a : b;
}
template <class V>
inline V vmin(V a, V b) {
  return a < b ? a : b;
}
template <class V>
inline V vload(const void* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V>
inline void vstore(void* p, V v) {
  std::memcpy(p, &v, sizeof v);
}

}  // namespace prose::phy
