// From the soft bits of a subframe's symbols to those of the code: descrambling (TS 36.211 9.3.1 and its like for the
// other channels) and deinterleaving (TS 36.212 5.2.2.8).
#pragma once

#include <cstdint>
#include <span>

#include "phy/types/cf32.h"

namespace prose::phy {

/// Changes the sign of soft_bits[i] where the scrambling sequence of c_init has a 1.
void descramble(std::uint32_t c_init, std::span<llr> soft_bits) noexcept;

/// in: symbol after symbol as sent, n_columns symbols in all; out: as the code wrote them.
void deinterleave(std::span<const llr> in, int n_columns, int modulation_order, std::span<llr> out) noexcept;

constexpr std::uint32_t pssch_scrambling(std::uint32_t n_x_id, int n_ssf) {
  return (n_x_id << 14) + (static_cast<std::uint32_t>(n_ssf) << 9) + 510U;
}
/// PSCCH and PSDCH.
inline constexpr std::uint32_t fixed_scrambling = 510;

}  // namespace prose::phy
