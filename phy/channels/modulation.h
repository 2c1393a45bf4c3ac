// Modulation mappers (TS 36.211 7.1.2 to 7.1.4), unit mean power.
#pragma once

#include <array>
#include <cstdint>

#include "phy/types/cf32.h"

namespace prose::phy {

/// One axis: entry [bits] where the first bit of the axis is the most significant. Q_m / 2 bits an axis.
inline constexpr std::array<float, 2> axis_qpsk{0.70710678F, -0.70710678F};
inline constexpr std::array<float, 4> axis_16qam{0.31622777F, 0.94868330F, -0.31622777F, -0.94868330F};
inline constexpr std::array<float, 8> axis_64qam{0.46291005F,  0.15430335F,  0.77151675F,  1.08012345F,
                                                 -0.46291005F, -0.15430335F, -0.77151675F, -1.08012345F};

/// bits[0..q_m): even positions belong to the real axis, odd ones to the imaginary axis.
template <int q_m>
inline cf32 modulate_symbol(const std::uint8_t* bits) {
  if constexpr (q_m == 2) return {axis_qpsk[bits[0]], axis_qpsk[bits[1]]};
  if constexpr (q_m == 4) return {axis_16qam[bits[0] * 2 + bits[2]], axis_16qam[bits[1] * 2 + bits[3]]};
  if constexpr (q_m == 6)
    return {axis_64qam[bits[0] * 4 + bits[2] * 2 + bits[4]], axis_64qam[bits[1] * 4 + bits[3] * 2 + bits[5]]};
}

}  // namespace prose::phy
