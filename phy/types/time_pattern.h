// Time resource patterns of TM1/TM2 (TS 36.213 14.1.1.1.1).
#pragma once

#include <cstdint>
#include <optional>

namespace prose::phy {

/// N_TRP for tdd_config (0 FDD, 1..7 sa0..sa6): 8; 7 for sa0; 6 for sa3 and sa6.
int n_trp(int tdd_config);

/// b'_0 .. b'_(N_TRP - 1) as bits 0.. of a number; empty where I_TRP is reserved. n_trp is 8, 7 or 6.
std::optional<std::uint8_t> time_pattern(int n_trp, int i_trp);

/// k_TRP values that TM2 may use (table 14.1.1.3-1).
bool time_pattern_allowed_in_tm2(int n_trp, int i_trp);

}  // namespace prose::phy
