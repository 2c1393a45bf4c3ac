// Arithmetic in GF(2^8) on four octets at once, without a branch: S-boxes are computed from their algebraic
// definitions, and tables are read whole, so that no address and no time depends on what goes in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace prose::security::ts33303::lanes {

inline constexpr std::uint32_t ones = 0x01010101;  // bit 0 of each octet

/// Value of each octet times x. Poly: the field's polynomial without x^8.
template <std::uint8_t Poly>
constexpr std::uint32_t times_x(std::uint32_t v) {
  return (v & 0x7f * ones) << 1 ^ (v >> 7 & ones) * Poly;
}

template <std::uint8_t Poly>
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (int i = 0; i < 8; ++i) {
    product ^= a & (b >> i & ones) * 0xff;
    a = times_x<Poly>(a);
  }
  return product;
}

/// A linear map of an octet: the images of its bits, from bit 0 on.
using linear_map = std::array<std::uint8_t, 8>;
constexpr std::uint32_t apply(const linear_map& images, std::uint32_t v) {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < images.size(); ++i) out ^= (v >> i & ones) * images[i];
  return out;
}

/// v -> v^(2^Doublings), which is linear in this field.
template <std::uint8_t Poly, int Doublings>
constexpr linear_map power_map() {
  linear_map images{};
  for (std::size_t i = 0; i < images.size(); ++i) {
    std::uint32_t v = 1U << i;
    for (int k = 0; k < Doublings; ++k) v = multiply<Poly>(v, v);
    images[i] = static_cast<std::uint8_t>(v);
  }
  return images;
}

/// v -> v^254: the inverse, and 0 for 0.
template <std::uint8_t Poly>
constexpr std::uint32_t inverse(std::uint32_t v) {
  constexpr linear_map square = power_map<Poly, 1>(), fourth = power_map<Poly, 2>(), sixteenth = power_map<Poly, 4>();
  const std::uint32_t v2 = apply(square, v), v3 = multiply<Poly>(v2, v), v12 = apply(fourth, v3);
  const std::uint32_t v15 = multiply<Poly>(v12, v3), v240 = apply(sixteenth, v15);
  return multiply<Poly>(multiply<Poly>(v240, v12), v2);
}

}  // namespace prose::security::ts33303::lanes
