// The tail-biting convolutional code of TS 36.212 5.1.3.1: rate 1/3, constraint length 7, generators 133, 171, 165
// (octal).
#pragma once

#include <cstdint>
#include <span>

namespace prose::phy {

inline constexpr int conv_max_bits = 64;  ///< longest block of the decoder

/// out[i * n + k] = d(i) of bit k; out.size() == 3 n, n = bits.size() >= 6.
void conv_encode(std::span<const std::uint8_t> bits, std::span<std::uint8_t> out) noexcept;

/// Viterbi decoder, maximum likelihood but for a limit on its effort. soft[i * n + k]: soft values of d(i), positive
/// for 0, |soft| <= conv_soft_limit; n <= 64 bits.
inline constexpr int conv_soft_limit = 255;
void conv_decode(std::span<const std::int16_t> soft, std::span<std::uint8_t> bits) noexcept;

}  // namespace prose::phy
