#include "phy/channels/encoders.h"
#include "phy/dsp/gold.h"

namespace prose::phy {

pssch_encoder::pssch_encoder(const carrier_config& c) : carrier_(c) {
  const std::size_t n = symbols_of(sl_channel::pssch, c.cp, c.tm).n_data * c.n_subcarriers() * 6;
  coded_.resize(n);
  scrambling_.resize(n);
}

std::uint32_t pssch_encoder::encode(const pssch_config& config, std::span<const std::uint8_t> payload, float amplitude,
                                    channel_mapper& mapper, resource_grid& grid) noexcept {
  const mapping m{.where = subcarriers_of_prbs(config.prb_start, config.n_prb),
                  .channel = sl_channel::pssch,
                  .modulation_order = config.modulation_order,
                  .last_symbol_rate_matched = config.last_symbol_rate_matched,
                  .amplitude = amplitude};
  const std::size_t n = mapper.n_coded_bits(m);
  const std::span<std::uint8_t> coded(coded_.data(), n);
  const std::span<std::uint8_t> scrambling(scrambling_.data(), n);
  code_.encode({.tbs = config.tbs, .modulation_order = config.modulation_order, .rv = config.rv}, payload, coded);
  gold_bits((config.n_x_id << 14) + (static_cast<std::uint32_t>(config.n_ssf) << 9) + 510U,
            scrambling);  // 36.211 9.3.1
  return mapper.map(m, coded, scrambling, pssch_dmrs(carrier_.tm, config.n_x_id, config.n_ssf), grid);
}

}  // namespace prose::phy
