// Modulation, TBS index and transport block size of PSSCH (TS 36.213 8.6.1, 14.1.1, 7.1.7.2.1).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "phy/types/carrier.h"

namespace prose::phy {

/// Rows I_TBS 0..26, then 30, 31 and 33. tbs_of() is the way to read it.
extern const std::array<std::array<std::int32_t, 110>, 30> tbs_table;

/// i_tbs 0..26, 30, 31 or 33; n_prb 1..110.
int tbs_of(int i_tbs, int n_prb);

struct mcs_row {
  int modulation_order;  ///< Q'_m before any cap
  int i_tbs;
};
/// Table 8.6.1-1 for 0..28; for 29..31 the rows that table 14.1.1-2 adds. mcs 0..31.
mcs_row mcs_lookup(int mcs);

struct transport_parameters {
  int modulation_order;  ///< Q_m
  int tbs;               ///< bits
};

/// What an SCI's MCS means for `n_prb` allocated PRBs (1..110). transmission_format only in TM3/4:
/// 0 (Rel-14): Q_m = min(4, Q'_m). 1 (Rel-15): 64QAM allowed and the TBS column is max(floor(0.8 n_prb), 1), for the
/// last symbol carries nothing. Empty where the MCS is not usable (29..31 without transmission format 1).
std::optional<transport_parameters> pssch_transport(transmission_mode tm, int mcs, int n_prb,
                                                    int transmission_format = 0);

/// CRC24A (TS 36.212 5.3.2.1).
inline constexpr int transport_crc_bits = 24;
/// Bits that one transmission carries; the last symbol of a subframe is never sent.
int pssch_sent_bits(const carrier_config& carrier, int n_prb, int modulation_order);

/// No code of a rate above 1 can be decoded: whether a block, with its CRC, is more than so many
/// transmissions carry.
bool beyond_capacity(const carrier_config& carrier, int n_prb, const transport_parameters& block, int transmissions);

}  // namespace prose::phy
