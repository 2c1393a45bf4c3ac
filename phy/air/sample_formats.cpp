#include "phy/air/sample_formats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstdint>

namespace prose::phy::air {
namespace {

template <class T>
void to_integers(const cf32* in, void* out, std::size_t n) {
  constexpr float scale = static_cast<float>(std::int64_t{1} << (8 * sizeof(T) - 1));
  const float* s = reinterpret_cast<const float*>(in);
  T* d = static_cast<T*>(out);
  for (std::size_t i = 0; i < 2 * n; ++i)
    d[i] = static_cast<T>(std::clamp(std::nearbyint(s[i] * scale), -scale, scale - 1));
}

template <class T>
void from_integers(const void* in, cf32* out, std::size_t n) {
  constexpr float scale = 1.0F / static_cast<float>(std::int64_t{1} << (8 * sizeof(T) - 1));
  const T* s = static_cast<const T*>(in);
  float* d = reinterpret_cast<float*>(out);
  for (std::size_t i = 0; i < 2 * n; ++i) d[i] = static_cast<float>(s[i]) * scale;
}

void to_doubles(const cf32* in, void* out, std::size_t n) {
  std::copy_n(reinterpret_cast<const float*>(in), 2 * n, static_cast<double*>(out));
}

void from_doubles(const void* in, cf32* out, std::size_t n) {
  const double* s = static_cast<const double*>(in);
  std::transform(s, s + 2 * n, reinterpret_cast<float*>(out), [](double x) { return static_cast<float>(x); });
}

const std::array<sample_format, 4> formats{{{"fc32", 8, true, nullptr, nullptr},
                                            {"fc64", 16, false, to_doubles, from_doubles},
                                            {"sc16", 4, false, to_integers<std::int16_t>, from_integers<std::int16_t>},
                                            {"sc8", 2, false, to_integers<std::int8_t>, from_integers<std::int8_t>}}};

}  // namespace

const sample_format* find_format(const std::string& name) {
  const auto f = std::find_if(formats.begin(), formats.end(), [&](const sample_format& s) { return name == s.name; });
  return f == formats.end() ? nullptr : &*f;
}

}  // namespace prose::phy::air
