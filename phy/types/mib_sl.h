// MasterInformationBlock-SL (TS 36.331 6.5.2): 40 bits, 48 in its V2X form.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "phy/types/carrier.h"

namespace prose::phy {

struct mib_sl {
  int n_prb = 50;
  std::uint8_t tdd_config = 0;              ///< 0 none, 1..7 for sa0..sa6
  std::uint16_t direct_frame_number = 0;    ///< 0..1023
  std::uint8_t direct_subframe_number = 0;  ///< 0..9
  bool in_coverage = false;
  std::uint32_t reserved = 0;  ///< 19 bits (27 in V2X)
  bool operator==(const mib_sl&) const = default;
};

constexpr int mib_sl_bits(transmission_mode tm) { return is_v2x(tm) ? 48 : 40; }

/// bits.size() is 40 or 48, unpacked; that size selects the form.
void pack(const mib_sl& mib, std::span<std::uint8_t> bits);
/// Empty when a field holds a value that TS 36.331 does not define (bandwidth 6, 7; subframe 10..15).
std::optional<mib_sl> unpack_mib_sl(std::span<const std::uint8_t> bits);

}  // namespace prose::phy
