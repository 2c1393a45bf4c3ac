// One transmission as the subframe receiver's common chain sees it, whatever its channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "phy/scfdma/dmrs.h"
#include "phy/types/carrier.h"
#include "phy/types/channels.h"

namespace prose::phy {

struct expected_signal {
  int first_subcarrier = 0;  ///< not always at a block's edge: the six blocks of PSBCH lie in the middle
  int n_prb = 0;
  dmrs_params dmrs;
  const symbol_map* map = nullptr;
  int n_columns = 0;  ///< data symbols that the code fills, the punctured one included
  int modulation_order = 2;
  std::uint32_t scrambling = 0;
  std::optional<double> start_cfo_hz;  ///< of the grid to begin with, where it is not the common one
  std::optional<int> start_shift;      ///< where the search of its delay has put the window
  bool srsran_layout_too = false;      ///< NOT 3GPP: see pscch_extended.h
  bool has_slss = false;
  int n_sl_id = 0;
  int m() const { return n_prb * subcarriers_per_prb; }
  std::size_t n_bits() const { return m() * n_columns * modulation_order; }
  /// Callers pass on what a peer sent: any number may come.
  bool fits(const carrier_config& carrier) const;
};

expected_signal expect_pscch(const carrier_config& carrier, const pscch_config& config);
expected_signal expect_pssch(const carrier_config& carrier, const pssch_config& config);
expected_signal expect_psdch(const carrier_config& carrier, const psdch_config& config);
expected_signal expect_psbch(const carrier_config& carrier, int n_sl_id);

}  // namespace prose::phy
