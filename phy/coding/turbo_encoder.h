// The turbo encoder (TS 36.212 5.1.3.2): two 8-state recursive encoders g0 = 1 + D^2 + D^3, g1 = 1 + D + D^3.
#pragma once

#include <cstdint>
#include <span>

#include "phy/coding/qpp.h"

namespace prose::phy {

inline constexpr int turbo_tail = 4;  ///< trellis termination bits in each of the three streams

/// bits: q.k unpacked bits (0 or 1), filler bits as 0. parity1, parity2: d(1) and d(2) of q.k + 4 bits; tail0: the last
/// four bits of d(0), whose first q.k are `bits` themselves.
void turbo_encode(const qpp& q, std::span<const std::uint8_t> bits, std::span<std::uint8_t> tail0,
                  std::span<std::uint8_t> parity1, std::span<std::uint8_t> parity2) noexcept;

}  // namespace prose::phy
