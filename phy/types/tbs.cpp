#include "phy/types/tbs.h"

#include <algorithm>
#include <cassert>

namespace prose::phy {

int tbs_of(int i_tbs, int n_prb) {
  assert(n_prb >= 1 && n_prb <= 110);
  assert((i_tbs >= 0 && i_tbs <= 26) || i_tbs == 30 || i_tbs == 31 || i_tbs == 33);
  const int row = i_tbs <= 26 ? i_tbs : i_tbs == 33 ? 29 : i_tbs - 3;
  return tbs_table[row][n_prb - 1];
}

mcs_row mcs_lookup(int mcs) {
  assert(mcs >= 0 && mcs <= 31);
  // Table 8.6.1-1: the index repeats once at each change of modulation.
  if (mcs <= 10) return {2, mcs};
  if (mcs <= 20) return {4, mcs - 1};
  if (mcs <= 28) return {6, mcs - 2};
  // Table 14.1.1-2
  return {6, mcs == 29 ? 30 : mcs == 30 ? 31 : 33};
}

std::optional<transport_parameters> pssch_transport(transmission_mode tm, int mcs, int n_prb, int transmission_format) {
  if (mcs < 0 || mcs > 31 || n_prb < 1 || n_prb > 110) return std::nullopt;
  const bool format1 = is_v2x(tm) && transmission_format == 1;
  if (mcs > 28 && !format1) return std::nullopt;
  const auto [q, i_tbs] = mcs_lookup(mcs);
  if (format1) return transport_parameters{q, tbs_of(i_tbs, std::max(n_prb * 4 / 5, 1))};
  return transport_parameters{std::min(4, q), tbs_of(i_tbs, n_prb)};
}

int pssch_sent_bits(const carrier_config& carrier, int n_prb, int modulation_order) {
  // Of twelve data symbols in TM1/2 with a normal prefix, else of ten (symbols_of() in scfdma/dmrs.h).
  const int sent_symbols = !is_v2x(carrier.tm) && carrier.cp == cyclic_prefix::normal ? 11 : 9;
  return sent_symbols * n_prb * subcarriers_per_prb * modulation_order;
}

bool beyond_capacity(const carrier_config& carrier, int n_prb, const transport_parameters& block, int transmissions) {
  return block.tbs + transport_crc_bits > transmissions * pssch_sent_bits(carrier, n_prb, block.modulation_order);
}

}  // namespace prose::phy
