#include "phy/modem/transmitter.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "phy/channels/encoders.h"
#include "phy/scfdma/modulator.h"
#include "phy/types/mib_sl.h"

namespace prose::phy {

struct transmitter::state {
  explicit state(const transmitter_config& c)
      : config(c),
        grid(c.carrier),
        modulator(c.carrier),
        mapper(c.carrier),
        psbch(c.carrier),
        pscch(c.carrier, c.srsran_extended_pscch),
        pssch(c.carrier),
        psdch(c.carrier) {}

  result<void> check(const psbch_transmission& t) const {
    if (t.n_sl_id < 0 || t.n_sl_id >= n_slss_ids)
      return fail("n_sl_id " + std::to_string(t.n_sl_id) + ": 0..335 is accepted");
    return check_size("PSBCH", t.bits.size(), mib_sl_bits(config.carrier.tm));
  }
  result<void> check(const pscch_transmission& t) const {
    const bool v2x = is_v2x(config.carrier.tm);
    if (t.config.prb < 0 || t.config.prb + (v2x ? 2 : 1) > config.carrier.n_prb)
      return out_of_carrier("PSCCH", t.config.prb);
    const int n_cs = t.config.cyclic_shift;
    if (v2x ? n_cs < 0 || n_cs > 9 || n_cs % 3 != 0 : n_cs != 0)
      return fail("PSCCH cyclic_shift " + std::to_string(n_cs) +
                  (v2x ? ": 0, 3, 6, 9 are accepted" : ": only 0 in TM1/2"));
    return check_size("PSCCH", t.bits.size(), v2x ? sci_format1_bits : sci_format0_bits(config.carrier.n_prb));
  }
  result<void> check(const pssch_transmission& t) const {
    const auto& c = t.config;
    const bool v2x = is_v2x(config.carrier.tm);
    if (!is_235(c.n_prb)) return fail("PSSCH n_prb " + std::to_string(c.n_prb) + ": only 2^a 3^b 5^c is accepted");
    if (c.prb_start < 0 || c.prb_start + c.n_prb > config.carrier.n_prb) return out_of_carrier("PSSCH", c.prb_start);
    if (c.tbs < 16 || c.tbs > max_transport_block_bits)
      return fail("PSSCH tbs " + std::to_string(c.tbs) + ": 16..97896 is accepted");
    if (c.modulation_order != 2 && c.modulation_order != 4 && c.modulation_order != 6)
      return fail("PSSCH modulation_order " + std::to_string(c.modulation_order) + ": 2, 4, 6 are accepted");
    if (c.rv < 0 || c.rv > 3 || c.n_ssf < 0 || c.n_ssf > 9) return fail("PSSCH: rv 0..3 and n_ssf 0..9 are accepted");
    if (c.n_x_id > (v2x ? 0xFFFFU : 0xFFU)) return fail("PSSCH n_x_id " + std::to_string(c.n_x_id) + " is too large");
    if (c.last_symbol_rate_matched && !v2x) return fail("PSSCH transmission format 1 exists only in TM3/4");
    return check_size("PSSCH", t.payload.size(), c.tbs);
  }
  result<void> check(const psdch_transmission& t) const {
    const int second = t.config.second();
    const int n = config.carrier.n_prb;
    if (t.config.prb < 0 || t.config.prb >= n || second < 0 || second >= n || second == t.config.prb)
      return out_of_carrier("PSDCH", t.config.prb);
    if (t.config.rv < 0 || t.config.rv > 3)
      return fail("PSDCH rv " + std::to_string(t.config.rv) + ": 0..3 is accepted");
    return check_size("PSDCH", t.payload.size(), discovery_message_bits);
  }
  result<void> out_of_carrier(const char* channel, int prb) const {
    return fail(std::string(channel) + " at PRB " + std::to_string(prb) + " does not fit " +
                std::to_string(config.carrier.n_prb) + " PRB");
  }
  static result<void> check_size(const char* channel, std::size_t bits, int wanted) {
    if (bits == static_cast<std::size_t>(wanted)) return {};
    return fail(std::string(channel) + " payload of " + std::to_string(bits) + " bits: " + std::to_string(wanted) +
                " are accepted");
  }

  std::uint32_t encode(const psbch_transmission& t, float amplitude) {
    return psbch.encode(t.n_sl_id, t.bits, amplitude, std::pow(10.0F, config.ssss_db / 20), mapper, grid);
  }
  std::uint32_t encode(const pscch_transmission& t, float amplitude) {
    if (is_v2x(config.carrier.tm)) amplitude *= std::pow(10.0F, config.pscch_boost_db / 20);
    return pscch.encode(t.config, t.bits, amplitude, mapper, grid);
  }
  std::uint32_t encode(const pssch_transmission& t, float amplitude) {
    return pssch.encode(t.config, t.payload, amplitude, mapper, grid);
  }
  std::uint32_t encode(const psdch_transmission& t, float amplitude) {
    return psdch.encode(t.config, t.payload, amplitude, mapper, grid);
  }

  transmitter_config config;
  resource_grid grid;
  scfdma_modulator modulator;
  channel_mapper mapper;
  psbch_encoder psbch;
  pscch_encoder pscch;
  pssch_encoder pssch;
  psdch_encoder psdch;
};

float re_power_db(const carrier_config& carrier, float power_db, float n_subcarriers) {
  return power_db + 10 * std::log10(static_cast<float>(carrier.fft_size) / n_subcarriers);
}

transmitter::transmitter(std::unique_ptr<state> s) : s_(std::move(s)) {}
transmitter::~transmitter() = default;
transmitter::transmitter(transmitter&&) noexcept = default;
transmitter& transmitter::operator=(transmitter&&) noexcept = default;
const transmitter_config& transmitter::config() const noexcept { return s_->config; }

result<transmitter> transmitter::make(const transmitter_config& c) {
  const auto carrier = carrier_config::make(c.carrier.n_prb, c.carrier.cp, c.carrier.tm, c.carrier.sample_rate_hz());
  if (!carrier) return fail(carrier.error().message);
  if (!(std::abs(c.pscch_boost_db) <= 20) || !(std::abs(c.ssss_db) <= 20))
    return fail("pscch_boost_db, ssss_db: -20 to 20 dB is accepted");
  return transmitter(std::make_unique<state>(c));
}

result<void> transmitter::transmit(std::span<const transmission> transmissions, std::span<cf32> out) {
  auto& s = *s_;
  if (out.size() != static_cast<std::size_t>(s.config.carrier.samples_per_subframe()))
    return fail("a subframe of this carrier has " + std::to_string(s.config.carrier.samples_per_subframe()) +
                " samples");
  for (const auto& t : transmissions) {
    auto checked = std::visit([&](const auto& what) { return s.check(what); }, t.what);
    if (checked && !std::isfinite(t.re_power_db)) checked = fail("re_power_db is not a finite number");
    if (checked) continue;
    std::fill(out.begin(), out.end(), cf32{});
    return checked;
  }
  if (!transmissions.empty()) s.grid.clear();
  std::uint32_t used = 0;
  for (const auto& t : transmissions) {
    const float amplitude = std::pow(10.0F, t.re_power_db / 20);
    used |= std::visit([&](const auto& what) { return s.encode(what, amplitude); }, t.what);
  }
  s.modulator.modulate(s.grid, used, out);
  return {};
}

}  // namespace prose::phy
