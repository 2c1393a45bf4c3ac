// Soft demapping of QPSK, 16QAM and 64QAM (TS 36.211 7.1).
#pragma once

#include <span>

#include "phy/types/cf32.h"

namespace prose::phy {

/// out[i * modulation_order + b] is bit b of symbols[i]: max-log likelihood ratios for unit-power symbols in complex
/// noise of variance `noise` > 0. modulation_order 2, 4 or 6.
void soft_demap(std::span<const cf32> symbols, float noise, int modulation_order, std::span<llr> out) noexcept;

}  // namespace prose::phy
