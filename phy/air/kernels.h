// The inner loops of the mixer. Groups of 8 complex samples aligned on their absolute index are always computed the
// same way, so a result does not depend on how a caller cuts the stream.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "phy/types/cf32.h"

namespace prose::phy::air {

inline constexpr int group = 8;    ///< complex samples in a vector
inline constexpr int block = 256;  ///< complex samples between exact restarts of the rotation

// A group is held in parts as wide as a register: GCC 12 takes conditionals and shuffles of wider vectors apart, float
// by float.
#if defined(__AVX512F__)
inline constexpr int part_floats = 16;
#else
inline constexpr int part_floats = 8;
#endif
typedef float part __attribute__((vector_size(4 * part_floats)));
typedef std::int32_t part_index __attribute__((vector_size(4 * part_floats)));
inline constexpr int n_parts = 2 * group / part_floats;

/// The 8 complex samples of a group: re, im, re, im, ...
struct vec {
  std::array<part, n_parts> p;
  float operator[](int i) const { return p[static_cast<std::size_t>(i / part_floats)][i % part_floats]; }
};

/// A vec of f(0), f(1), ...: not a loop, as parts that are indexed by a variable stay in memory.
template <class F>
inline vec each_part(F&& f) {
  if constexpr (n_parts == 1)
    return {{f(0U)}};
  else
    return {{f(0U), f(1U)}};
}
inline vec operator+(const vec& x, const vec& y) {
  return each_part([&](unsigned i) { return x.p[i] + y.p[i]; });
}
inline vec& operator+=(vec& x, const vec& y) { return x = x + y; }
inline vec operator-(const vec& x, const vec& y) {
  return each_part([&](unsigned i) { return x.p[i] - y.p[i]; });
}
inline vec operator*(const vec& x, const vec& y) {
  return each_part([&](unsigned i) { return x.p[i] * y.p[i]; });
}

/// The compiler may fuse either of two products with their sum, and the choice shows in the last bit: a rounded one it
/// leaves alone.
inline vec rounded(const vec& x) {
#if defined(__clang__)
  return each_part([&](unsigned i) {
    part v = x.p[i];
#if defined(__AVX__)
    asm("" : "+x"(v));
#else
    asm("" : "+m"(v));
#endif
    return v;
  });
#else
  return each_part([&](unsigned i) { return __builtin_assoc_barrier(x.p[i]); });
#endif
}

inline vec load(const float* from) {
  return each_part([from](unsigned i) {
    part v;
    std::memcpy(&v, from + i * part_floats, sizeof v);
    return v;
  });
}
inline void store(float* to, const vec& v) {
  for (unsigned i = 0; i < n_parts; ++i) std::memcpy(to + i * part_floats, &v.p[i], sizeof(part));
}
inline vec splat(float f) {
  return each_part([f](unsigned) { return part{} + f; });
}
inline vec swap_parts(const vec& v) {
#if defined(__clang__) && defined(__AVX512F__)
  return each_part([&](unsigned i) {
    return __builtin_shufflevector(v.p[i], v.p[i], 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
  });
#elif defined(__clang__)
  return each_part([&](unsigned i) { return __builtin_shufflevector(v.p[i], v.p[i], 1, 0, 3, 2, 5, 4, 7, 6); });
#else
#if defined(__AVX512F__)
  constexpr part_index neighbour{1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14};
#else
  constexpr part_index neighbour{1, 0, 3, 2, 5, 4, 7, 6};
#endif
  return each_part([&](unsigned i) { return __builtin_shuffle(v.p[i], neighbour); });
#endif
}
/// [-f, f, -f, f, ...]
inline vec alternate(float f) {
#if defined(__AVX512F__)
  const part a{-f, f, -f, f, -f, f, -f, f, -f, f, -f, f, -f, f, -f, f};
#else
  const part a{-f, f, -f, f, -f, f, -f, f};
#endif
  return each_part([&](unsigned) { return a; });
}

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
    const vec cr = br * tr - rounded(ba * ti);
    const vec ci = br * ti + rounded(ba * tr);
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
    v = v * splat(scale_);
    // A NaN becomes full scale, as garbage in a DAC register would.
    v = each_part([&](unsigned i) { return v.p[i] < high.p[i] ? v.p[i] : high.p[i]; });
    v = each_part([&](unsigned i) { return v.p[i] > low.p[i] ? v.p[i] : low.p[i]; });
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
