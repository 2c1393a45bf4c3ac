// The inner loops of the mixer. Groups of 8 complex samples aligned on their absolute index are always computed the same way, so a
// result does not depend on how a caller cuts the stream.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "phy/types/cf32.h"

namespace prose::phy::air {

inline constexpr int group = 8;     ///< complex samples in a vector
inline constexpr int block = 256;   ///< complex samples between exact restarts of the rotation

typedef float vec __attribute__((vector_size(64)));
typedef std::int32_t ivec __attribute__((vector_size(64)));

inline vec load(const void* p) {
  vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store(void* p, const vec& v) { std::memcpy(p, &v, sizeof v); }
inline vec splat(float f) { return vec{} + f; }
inline vec swap_parts(const vec& v) {
  return __builtin_shuffle(v, ivec{1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14});
}
/// [-f, f, -f, f, ...]
inline vec alternate(float f) { return vec{-f, f, -f, f, -f, f, -f, f, -f, f, -f, f, -f, f, -f, f}; }

/// e^(j step i) for i = 0..255, in the form the complex product wants.
struct alignas(64) rotation_table {
  std::array<float, 2 * block> re;      ///< [re, re] of each
  std::array<float, 2 * block> im_alt;  ///< [-im, im] of each
  void fill(double radians_a_sample);
};

/// acc[g] += src[g] * base * table[g] over n groups. acc and table are aligned, src need not be.
inline void add_rotated(float* acc, const cf32* src, const float* re, const float* im_alt, int n_groups, cf32 base) {
  const vec br = splat(base.real());
  const vec ba = alternate(base.imag());
  const float* s = reinterpret_cast<const float*>(src);
  for (int g = 0; g < n_groups; ++g, acc += 2 * group, s += 2 * group, re += 2 * group, im_alt += 2 * group) {
    const vec tr = load(re);
    const vec ti = load(im_alt);
    const vec cr = br * tr - ba * ti;
    const vec ci = br * ti + ba * tr;
    const vec x = load(s);
    store(acc, load(acc) + x * cr + swap_parts(x) * ci);
  }
}

/// acc[g] += src[g] * c.
inline void add_scaled(float* acc, const cf32* src, int n_groups, cf32 c) {
  const vec cr = splat(c.real());
  const vec ci = alternate(c.imag());
  const float* s = reinterpret_cast<const float*>(src);
  for (int g = 0; g < n_groups; ++g, acc += 2 * group, s += 2 * group) {
    const vec x = load(s);
    store(acc, load(acc) + x * cr + swap_parts(x) * ci);
  }
}

/// A converter of `bits`: clips to [-1, 1 - 1 lsb], rounds to nearest. bits = 0 passes through.
class quantiser {
 public:
  explicit quantiser(unsigned bits = 12)
      : on_(bits > 0 && bits < 24), scale_(on_ ? static_cast<float>(1U << (bits - 1)) : 1.0F) {}
  bool on() const { return on_; }
  vec apply(vec v) const {
    const vec high = splat(scale_ - 1.0F);
    const vec low = splat(-scale_);
    v *= splat(scale_);
    v = v < high ? v : high;  // a NaN becomes full scale, as garbage in a DAC register would
    v = v > low ? v : low;
    const vec magic = splat(12582912.0F);  // 1.5 * 2^23: adding it rounds to an integer
    v = (v + magic) - magic;
    return v * splat(1.0F / scale_);
  }
  /// n complex samples, any alignment; in == out is allowed.
  void run(const cf32* in, cf32* out, std::size_t n) const {
    const float* s = reinterpret_cast<const float*>(in);
    float* d = reinterpret_cast<float*>(out);
    if (!on_) {
      std::memmove(d, s, n * sizeof(cf32));
      return;
    }
    std::size_t i = 0;
    for (; i + group <= n; i += group) store(d + 2 * i, apply(load(s + 2 * i)));
    if (i < n) {
      std::array<float, 2 * group> tail{};
      std::memcpy(tail.data(), s + 2 * i, (n - i) * sizeof(cf32));
      store(tail.data(), apply(load(tail.data())));
      std::memcpy(d + 2 * i, tail.data(), (n - i) * sizeof(cf32));
    }
  }

 private:
  bool on_;
  float scale_;
};

/// One well-mixed 64-bit word of a counter (the finaliser of splitmix64).
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace prose::phy::air
