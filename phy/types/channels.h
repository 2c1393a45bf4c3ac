// What identifies one transmission of each sidelink channel: all that a transmitter and a receiver must agree on.
#pragma once

#include <array>
#include <cstdint>

#include "phy/types/carrier.h"

namespace prose::phy {

/// PSSCH (TS 36.211 9.3). The allocation is contiguous in the subframe.
struct pssch_config {
  int prb_start = 0;                      ///< relative to the carrier
  int n_prb = 1;                          ///< 2^a 3^b 5^c
  int tbs = 0;                            ///< bits
  int modulation_order = 2;               ///< Q_m: 2, 4, and 6 with transmission format 1
  int rv = 0;                             ///< redundancy version 0..3
  std::uint32_t n_x_id = 0;               ///< n_ID^X: n_ID^SA (TM1/2) or the 16 CRC bits of the PSCCH (TM3/4)
  int n_ssf = 0;                          ///< n_ssf^PSSCH 0..9, relative to the pool (phy/types/pool.h)
  bool last_symbol_rate_matched = false;  ///< Rel-15 transmission format 1: the last symbol is left out of the mapping
  bool operator==(const pssch_config&) const = default;
};

/// Redundancy version of transmission 0..3 of a transport block or discovery message (TS 36.321 5.14.1.2.2, 5.15.1.2).
/// TM3/4 uses the first two.
inline constexpr std::array<int, 4> rv_order{0, 2, 3, 1};

/// PSCCH (TS 36.211 9.4).
struct pscch_config {
  int prb = 0;           ///< first PRB (1 PRB in TM1/2, 2 in TM3/4), relative to the carrier
  int cyclic_shift = 0;  ///< DMRS n_cs: 0 in TM1/2; 0, 3, 6 or 9 in TM3/4
  bool operator==(const pscch_config&) const = default;
};

/// Power density of PSCCH over that of PSSCH in TM3/4 (TS 36.213 14.2.1).
inline constexpr float v2x_pscch_boost_db = 3.0F;

/// PSDCH (TS 36.211 9.5): 2 PRB, 232 bits, QPSK.
struct psdch_config {
  int prb = 0;  ///< first PRB, relative to the carrier
  int rv = 0;
  /// The other PRB; -1: prb + 1. Pools of an odd prb_num pair PRBs across their gap (TS 36.213 14.3.1 taken literally).
  int prb_second = -1;
  constexpr int second() const { return prb_second < 0 ? prb + 1 : prb_second; }
  bool operator==(const psdch_config&) const = default;
};
inline constexpr int discovery_message_bits = 232;

/// N_ID^SL of SLSS and PSBCH, 0..335.
inline constexpr int n_slss_ids = 336;

}  // namespace prose::phy
