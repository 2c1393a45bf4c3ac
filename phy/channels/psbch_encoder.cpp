#include <cmath>

#include "phy/channels/encoders.h"
#include "phy/coding/control_code.h"
#include "phy/dsp/gold.h"

namespace prose::phy {
namespace {

constexpr int psbch_subcarriers = 72;

mapping psbch_mapping(const carrier_config& c, float amplitude) {
  // 36.211 9.6.4: the 72 centre subcarriers, which an odd number of PRBs puts half a PRB off the PRB grid.
  return {.where = {.first = c.n_subcarriers() / 2 - psbch_subcarriers / 2, .length = psbch_subcarriers},
          .channel = sl_channel::psbch,
          .amplitude = amplitude};
}

}  // namespace

psbch_encoder::psbch_encoder(const carrier_config& c) : carrier_(c) {
  const std::size_t n = symbols_of(sl_channel::psbch, c.cp, c.tm).n_data * psbch_subcarriers * 2;
  coded_.resize(n);
  scrambling_.resize(n);
}

std::uint32_t psbch_encoder::encode(int n_sl_id, std::span<const std::uint8_t> bits, float amplitude, float ssss_factor,
                                    channel_mapper& mapper, resource_grid& grid) noexcept {
  if (n_sl_id != cached_id_) {  // a transmitter keeps its identity for long
    gold_bits(static_cast<std::uint32_t>(n_sl_id), scrambling_);
    psss_sequence(psss_root(n_sl_id), psss_);
    ssss_sequence(n_sl_id, carrier_.tm, ssss_);
    cached_id_ = n_sl_id;
  }
  encode_control(bits, coded_);
  std::uint32_t used =
      mapper.map(psbch_mapping(carrier_, amplitude), coded_, scrambling_, psbch_dmrs(carrier_.tm, n_sl_id), grid);
  const float slss =
      amplitude * std::sqrt(static_cast<float>(psbch_subcarriers) / slss_length);  // 9.7.1: same power as PSBCH
  const auto symbols = slss_symbols_of(carrier_.cp);
  const std::size_t first = slss_first_subcarrier(carrier_.n_prb);
  for (int i = 0; i < 2; ++i) {
    const auto psss_symbol = grid.symbol(symbols.psss[i]).subspan(first, slss_length);
    const auto ssss_symbol = grid.symbol(symbols.ssss[i]).subspan(first, slss_length);
    for (std::size_t n = 0; n < slss_length; ++n) {
      psss_symbol[n] += psss_[n] * slss;
      ssss_symbol[n] += ssss_[n] * slss * ssss_factor;
    }
    used |= (1U << symbols.psss[i]) | (1U << symbols.ssss[i]);
  }
  return used;
}

}  // namespace prose::phy
