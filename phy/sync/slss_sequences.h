// Sidelink synchronisation sequences (TS 36.211 9.7): PSSS and SSSS.
#pragma once

#include <array>
#include <span>

#include "phy/types/carrier.h"
#include "phy/types/cf32.h"
#include "phy/types/channels.h"

namespace prose::phy {

inline constexpr int slss_length = 62;

/// First subcarrier of both, n - 31 + N_RB^SL * 12 / 2 for n = 0.
constexpr int slss_first_subcarrier(int n_prb) { return n_prb * subcarriers_per_prb / 2 - slss_length / 2; }

/// Symbols of the subframe: two of each.
struct slss_symbols {
  int psss[2];
  int ssss[2];
};
constexpr slss_symbols slss_symbols_of(cyclic_prefix cp) {
  return cp == cyclic_prefix::normal ? slss_symbols{{1, 2}, {11, 12}} : slss_symbols{{0, 1}, {9, 10}};
}

/// N_ID^SL 0..167 uses the first Zadoff-Chu root, 168..335 the second (TS 36.211 9.7.1.1).
inline constexpr std::array<int, 2> psss_roots{26, 37};
inline constexpr int ids_per_psss_root = n_slss_ids / 2;
constexpr int psss_root(int n_sl_id) { return psss_roots[n_sl_id / ids_per_psss_root]; }

/// out.size() == slss_length, unit magnitude.
void psss_sequence(int root, std::span<cf32> out);

/// out.size() == slss_length, +-1. The sequence of subframe 0 in TM1/TM2, of subframe 5 in TM3/TM4 (TS 36.211 9.7.2).
void ssss_sequence(int n_sl_id, transmission_mode tm, std::span<float> out);

}  // namespace prose::phy
