#include "phy/modem/expected_signal.h"

#include <algorithm>

#include "phy/channels/soft_bits.h"

namespace prose::phy {
namespace {

expected_signal expect(const carrier_config& carrier, sl_channel channel, int first_prb, int n_prb) {
  expected_signal t;
  t.first_subcarrier = std::clamp(first_prb, -1, carrier.n_prb) * subcarriers_per_prb;
  t.n_prb = n_prb;
  t.map = &symbols_of(channel, carrier.cp, carrier.tm);
  t.n_columns = t.map->n_data;
  t.scrambling = fixed_scrambling;
  return t;
}

}  // namespace

bool expected_signal::fits(const carrier_config& carrier) const {
  return n_prb >= 1 && n_prb <= carrier.n_prb && first_subcarrier >= 0 &&
         first_subcarrier + m() <= carrier.n_subcarriers() && is_235(n_prb) &&
         (modulation_order == 2 || modulation_order == 4 || modulation_order == 6);
}

expected_signal expect_pscch(const carrier_config& carrier, const pscch_config& config) {
  auto t = expect(carrier, sl_channel::pscch, config.prb, is_v2x(carrier.tm) ? 2 : 1);
  t.dmrs = pscch_dmrs(carrier.tm, config.cyclic_shift);
  t.srsran_layout_too = carrier.cp == cyclic_prefix::extended;
  return t;
}

expected_signal expect_pssch(const carrier_config& carrier, const pssch_config& config) {
  auto t = expect(carrier, sl_channel::pssch, config.prb_start, config.n_prb);
  const std::uint32_t n_x_id = config.n_x_id & 0xFFFFU;
  const int n_ssf = std::clamp(config.n_ssf, 0, 9);
  t.dmrs = pssch_dmrs(carrier.tm, n_x_id, n_ssf);
  t.n_columns -= config.last_symbol_rate_matched ? 1 : 0;
  t.modulation_order = config.modulation_order;
  t.scrambling = pssch_scrambling(n_x_id, n_ssf);
  return t;
}

expected_signal expect_psdch(const carrier_config& carrier, const psdch_config& config) {
  auto t = expect(carrier, sl_channel::psdch, config.prb, 2);
  t.dmrs = psdch_dmrs();
  return t;
}

expected_signal expect_psbch(const carrier_config& carrier, int n_sl_id) {
  auto t = expect(carrier, sl_channel::psbch, 0, 6);
  t.first_subcarrier = (carrier.n_subcarriers() - t.m()) / 2;
  t.dmrs = psbch_dmrs(carrier.tm, n_sl_id);
  t.scrambling = static_cast<std::uint32_t>(n_sl_id);
  t.has_slss = true;
  t.n_sl_id = n_sl_id;
  return t;
}

}  // namespace prose::phy
