#include "phy/channels/encoders.h"
#include "phy/dsp/gold.h"

namespace prose::phy {
namespace {

constexpr std::uint32_t psdch_c_init = 510;  // 36.211 9.5.1

}  // namespace

psdch_encoder::psdch_encoder(const carrier_config& c) : carrier_(c) {
  const std::size_t n = symbols_of(sl_channel::psdch, c.cp, c.tm).n_data * 24 * 2;
  coded_.resize(n);
  scrambling_.resize(n);
  gold_bits(psdch_c_init, scrambling_);
}

std::uint32_t psdch_encoder::encode(const psdch_config& config, std::span<const std::uint8_t> payload, float amplitude,
                                    channel_mapper& mapper, resource_grid& grid) noexcept {
  mapping m{.where = subcarriers_of_prbs(config.prb, 2), .channel = sl_channel::psdch, .amplitude = amplitude};
  if (config.second() != config.prb + 1) {
    m.where.split = subcarriers_per_prb;
    m.where.second = config.second() * subcarriers_per_prb;
  }
  code_.encode({.tbs = discovery_message_bits, .modulation_order = 2, .rv = config.rv}, payload, coded_);
  return mapper.map(m, coded_, scrambling_, psdch_dmrs(), grid);
}

}  // namespace prose::phy
