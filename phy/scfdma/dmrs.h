// Demodulation reference signals of the sidelink (TS 36.211 9.8 with 5.5.1).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "phy/types/carrier.h"
#include "phy/types/cf32.h"

namespace prose::phy {

enum class sl_channel : std::uint8_t { psbch, pscch, pssch, psdch };

/// Symbols of the subframe that carry DMRS, ascending, and the data symbols (the punctured last one included).
struct symbol_map {
  std::array<std::int8_t, 4> dmrs{};
  int n_dmrs = 0;
  std::array<std::int8_t, max_symbols_per_subframe> data{};
  int n_data = 0;
};
const symbol_map& symbols_of(sl_channel channel, cyclic_prefix cp, transmission_mode tm);

/// Table of TS 36.211 9.8-1 to 9.8-3 reduced to what the sequence of one transmission depends on.
struct dmrs_params {
  bool group_hopping = false;
  std::uint32_t n_rs_id = 0;  ///< n_ID^RS: c_init of the hopping is floor(n_rs_id / 30)
  int f_ss = 0;
  int cyclic_shift = 0;  ///< n_cs, 0..11
  bool odd = false;      ///< orthogonal cover: +1 -1 ... instead of +1 +1 ...
  int n_ssf = 0;         ///< 0..9
  bool v2x = false;
};
dmrs_params pssch_dmrs(transmission_mode tm, std::uint32_t n_x_id, int n_ssf);
dmrs_params pscch_dmrs(transmission_mode tm, int cyclic_shift);
dmrs_params psdch_dmrs();
dmrs_params psbch_dmrs(transmission_mode tm, int n_sl_id);

/// Writes the reference signal of DMRS symbol `index` (0-based among the subframe's) over n_prb * 12 subcarriers, unit
/// magnitude, cyclic shift and orthogonal cover applied. No allocation.
void dmrs_sequence(const dmrs_params& p, int index, std::span<cf32> out);

/// Base sequence r_u,v with v = 0 (TS 36.211 5.5.1.1, 5.5.1.2) of out.size() = 12, 24, 36, ... subcarriers.
void dmrs_base_sequence(int u, std::span<cf32> out);

/// f_gh(n_s), TS 36.211 5.5.1.3.
int group_hopping_pattern(std::uint32_t n_rs_id, int n_s);

/// The sequence group u (0..29) of DMRS symbol `index` (0-based among the subframe's).
int sequence_group(const dmrs_params& p, int index);

}  // namespace prose::phy
