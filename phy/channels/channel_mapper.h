// What the four sidelink data channels have in common on their way into the grid: channel interleaver, scrambling,
// modulation, transform precoding, mapping with the last symbol punctured, DMRS (TS 36.211 9.3
// to 9.6, 9.8; 36.212 5.2.2.8).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "phy/dsp/dft.h"
#include "phy/scfdma/dmrs.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"
#include "phy/types/grid.h"

namespace prose::phy {

/// Subcarriers of an allocation: `length` from `first`, or where `split` is not 0 the first `split` of them and the
/// rest from `second` (a PSDCH pair that a pool's gap tears apart).
struct subcarrier_set {
  int first = 0;
  int length = 12;
  int split = 0;
  int second = 0;
};
subcarrier_set subcarriers_of_prbs(int first_prb, int n_prb);

struct mapping {
  subcarrier_set where;
  sl_channel channel = sl_channel::pssch;
  int modulation_order = 2;
  bool last_symbol_rate_matched = false;  ///< the last symbol is no part of the mapping, rather than punctured
  float amplitude = 1.0F;                 ///< of a resource element
};

/// One object a transmitter; writing allocates nothing.
class channel_mapper {
public:
  explicit channel_mapper(const carrier_config& carrier);
  /// Symbols that the coded bits are spread over: the columns of the interleaver.
  int n_columns(const mapping& m) const;
  /// Coded bits of a transmission, those of a punctured symbol included.
  int n_coded_bits(const mapping& m) const { return n_columns(m) * m.where.length * m.modulation_order; }
  /// Adds the transmission to the grid. coded and scrambling: n_coded_bits() each, scrambling in the order of
  /// transmission. Returns the mask of the symbols written.
  std::uint32_t map(const mapping& m, std::span<const std::uint8_t> coded, std::span<const std::uint8_t> scrambling,
                    const dmrs_params& dmrs, resource_grid& grid) noexcept;

private:
  void add(const subcarrier_set& where, std::span<const cf32> values, float amplitude, std::span<cf32> symbol) noexcept;
  carrier_config carrier_;
  dft_bank precoder_;
  std::vector<cf32> symbol_;
};

}  // namespace prose::phy
