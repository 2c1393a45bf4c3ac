#include "phy/channels/encoders.h"
#include "phy/channels/pscch_extended.h"
#include "phy/coding/control_code.h"
#include "phy/dsp/gold.h"

namespace prose::phy {
namespace {

constexpr std::uint32_t pscch_c_init = 510;  // 36.211 9.4.1

mapping pscch_mapping(const carrier_config& c, int prb, float amplitude) {
  return {
      .where = subcarriers_of_prbs(prb, is_v2x(c.tm) ? 2 : 1), .channel = sl_channel::pscch, .amplitude = amplitude};
}

}  // namespace

std::uint16_t sci_crc(std::span<const std::uint8_t> bits) {
  std::array<std::uint8_t, 3 * (max_sci_bits + 16)> coded;
  return encode_control(bits, std::span(coded).first(3 * (bits.size() + 16)));
}

pscch_encoder::pscch_encoder(const carrier_config& c, bool srsran_extended)
    : carrier_(c), srsran_extended_(srsran_extended && c.cp == cyclic_prefix::extended) {
  const auto n =
      static_cast<std::size_t>(symbols_of(sl_channel::pscch, c.cp, c.tm).n_data * (is_v2x(c.tm) ? 24 : 12) * 2);
  coded_.resize(n);
  scrambling_.resize(n);
  gold_bits(pscch_c_init, scrambling_);
}

std::uint32_t pscch_encoder::encode(const pscch_config& config, std::span<const std::uint8_t> bits, float amplitude,
                                    channel_mapper& mapper, resource_grid& grid) noexcept {
  if (srsran_extended_) {
    std::array<std::uint8_t, pscch_extended_srsran_bits> longer;
    encode_control(bits, longer);
    for (std::size_t i = 0; i < coded_.size(); ++i) coded_[i] = longer[pscch_extended_srsran_source(i)];
  } else {
    encode_control(bits, coded_);
  }
  return mapper.map(pscch_mapping(carrier_, config.prb, amplitude), coded_, scrambling_,
                    pscch_dmrs(carrier_.tm, config.cyclic_shift), grid);
}

}  // namespace prose::phy
