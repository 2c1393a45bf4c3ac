#include "phy/scfdma/demapper.h"

#include <cassert>
#include <cmath>
#include <numbers>

namespace prose::phy {
namespace {

// One dimension of 16QAM: y in units of 1 / sqrt(10), levels +-1 (outer bit 0), +-3.
inline void demap_pam4(float y, float c, float* sign, float* level) {
  const float a = std::fabs(y);
  const float s = a < 2.0F ? 4.0F * a : 8.0F * a - 8.0F;
  *sign = c * std::copysign(s, y);
  *level = c * (8.0F - 4.0F * a);
}

// One dimension of 64QAM: y in units of 1 / sqrt(42). Magnitudes by the bits (b2, b4): 00 -> 3, 01 -> 1, 10 -> 5, 11
// -> 7.
inline void demap_pam8(float y, float c, float* sign, float* outer, float* inner) {
  const float a = std::fabs(y);
  const auto d = [a](float level) { return (a - level) * (a - level); };
  const float near_zero = std::fmin(std::fmin(d(1), d(3)), std::fmin(d(5), d(7)));
  const auto m = [a](float level) { return (a + level) * (a + level); };
  *sign = c * std::copysign(m(1) - near_zero, y);  // of the levels of the other sign -1 is the nearest
  *outer = c * (std::fmin(d(5), d(7)) - std::fmin(d(1), d(3)));
  *inner = c * (std::fmin(d(1), d(7)) - std::fmin(d(3), d(5)));
}

}  // namespace

void soft_demap(std::span<const cf32> symbols, float noise, int modulation_order, std::span<llr> out) noexcept {
  assert(out.size() == symbols.size() * static_cast<std::size_t>(modulation_order));
  const std::size_t n = symbols.size();
  const cf32* x = symbols.data();
  llr* o = out.data();
  if (modulation_order == 2) {
    const float c = 2.0F * std::numbers::sqrt2_v<float> / noise;
    for (std::size_t i = 0; i < n; ++i) {
      o[2 * i] = c * x[i].real();
      o[2 * i + 1] = c * x[i].imag();
    }
  } else if (modulation_order == 4) {
    const float unit = std::sqrt(10.0F);
    const float c = 0.1F / noise;
    for (std::size_t i = 0; i < n; ++i) {
      demap_pam4(x[i].real() * unit, c, o + 4 * i, o + 4 * i + 2);
      demap_pam4(x[i].imag() * unit, c, o + 4 * i + 1, o + 4 * i + 3);
    }
  } else {
    assert(modulation_order == 6);
    const float unit = std::sqrt(42.0F);
    const float c = 1.0F / (42.0F * noise);
    for (std::size_t i = 0; i < n; ++i) {
      demap_pam8(x[i].real() * unit, c, o + 6 * i, o + 6 * i + 2, o + 6 * i + 4);
      demap_pam8(x[i].imag() * unit, c, o + 6 * i + 1, o + 6 * i + 3, o + 6 * i + 5);
    }
  }
}

}  // namespace prose::phy
