#include "apps/bler/link.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "phy/coding/transport_code.h"
#include "phy/dsp/random.h"
#include "phy/modem/subframe_receiver.h"
#include "phy/modem/transmitter.h"
#include "phy/types/tbs.h"

namespace prose::apps {
namespace {
using namespace phy;
// PSSS elements are sent with sqrt(72/62) of the amplitude of PSBCH elements (TS 36.211 9.7.1.2); here they count as
// unit power.
const float slss_re_power_db = -10 * std::log10(72.0F / 62.0F);
}  // namespace

std::optional<link_channel> link_channel_from(const std::string& name) {
  for (const auto c :
       {link_channel::pssch, link_channel::pscch, link_channel::psbch, link_channel::psdch, link_channel::slss})
    if (name == name_of(c)) return c;
  return std::nullopt;
}

const char* name_of(link_channel c) {
  switch (c) {
    case link_channel::pssch:
      return "pssch";
    case link_channel::pscch:
      return "pscch";
    case link_channel::psbch:
      return "psbch";
    case link_channel::psdch:
      return "psdch";
    case link_channel::slss:
      return "slss";
  }
  return "";
}

struct link_simulator::state {
  state(const link_config& c, transmitter t, subframe_receiver r)
      : config(c), tx(std::move(t)), rx(std::move(r)), channel(c.fading, c.carrier.sample_rate_hz()) {
    const std::size_t n = c.carrier.samples_per_subframe();
    sent.resize(n);
    shifted.resize(n + pad);
    faded.resize(n + pad);
    received.assign(c.n_antennas, std::vector<cf32>(n));
  }

  link_config config;
  transmitter tx;
  subframe_receiver rx;
  multipath_channel channel;
  transport_parameters transport{2, 0};
  int n_bits = 0;
  std::vector<std::uint8_t> payload, decoded;
  std::vector<cf32> sent, shifted, faded;
  std::vector<std::vector<cf32>> received;
  std::optional<soft_buffer> soft;
  static constexpr std::size_t pad = 16;

  /// Sends, then gives the receiver what each antenna gets. Returns the offsets of this transmitter.
  signal_hints over_the_air(const transmission& t, simulation_rng& rng, double snr_db, double cfo_hz, double delay) {
    (void)tx.transmit({&t, 1}, sent);
    apply_offsets(cfo_hz, delay);
    const auto noise = static_cast<float>(std::pow(10.0, -snr_db / 10));
    const std::size_t lead = static_cast<std::size_t>(channel.delay_samples());
    std::vector<std::span<const cf32>>& in = spans;
    in.clear();
    for (auto& antenna : received) {
      channel.draw(rng);
      channel.apply(shifted, 0, faded);
      std::copy_n(faded.begin() + lead, antenna.size(), antenna.begin());
      // An element that adds 1/fft_size to the sample power has unit power where the noise of the samples is N_0.
      rng.add_noise(antenna, noise);
      in.emplace_back(antenna);
    }
    rx.load(in);
    if (!config.known_offsets) return {};
    return {static_cast<float>(cfo_hz), static_cast<float>(delay)};
  }
  std::vector<std::span<const cf32>> spans;

  /// Carrier offset, and a delay by whole samples and a linear-phase fraction.
  void apply_offsets(double cfo_hz, double delay) {
    std::fill(shifted.begin(), shifted.end(), cf32{});
    const std::size_t whole = delay;
    const double fraction = delay - static_cast<double>(whole);
    constexpr int half = 8;
    float kernel[2 * half];
    for (int k = 0; k < 2 * half; ++k) {
      const double x = k - (half - 1) - fraction, window = std::cos(std::numbers::pi * x / (2.0 * half));
      const double sinc = std::abs(x) < 1e-9 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
      kernel[k] = static_cast<float>(sinc * window * window);
    }
    const std::ptrdiff_t n = sent.size();
    for (std::ptrdiff_t i = 0; i + static_cast<std::ptrdiff_t>(whole) < static_cast<std::ptrdiff_t>(shifted.size());
         ++i) {
      cf32 v{};
      if (fraction == 0) {
        v = i < n ? sent[i] : cf32{};
      } else {
        for (int k = 0; k < 2 * half; ++k) {
          const std::ptrdiff_t at = i - (k - (half - 1));
          if (at >= 0 && at < n) v += kernel[k] * sent[at];
        }
      }
      shifted[static_cast<std::size_t>(i) + whole] = v;
    }
    if (cfo_hz == 0) return;
    const double step = 2 * std::numbers::pi * cfo_hz / config.carrier.sample_rate_hz();
    for (std::size_t i = 0; i < shifted.size(); ++i)
      shifted[i] *= cf32(static_cast<float>(std::cos(step * static_cast<double>(i))),
                         static_cast<float>(std::sin(step * static_cast<double>(i))));
  }

  bool equal() const { return std::equal(payload.begin(), payload.end(), decoded.begin()); }

  bool pssch(simulation_rng& rng, double snr_db, double cfo, double delay) {
    pssch_config c;
    c.n_prb = config.n_prb;
    c.prb_start = rng.below(config.carrier.n_prb - config.n_prb + 1);
    c.tbs = transport.tbs;
    c.modulation_order = transport.modulation_order;
    c.n_x_id = static_cast<std::uint32_t>(rng.below(is_v2x(config.carrier.tm) ? 65536 : 256));
    c.last_symbol_rate_matched = config.transmission_format == 1;
    soft->reset(c.tbs);
    bool ok = false;
    for (int i = 0; i < config.n_transmissions && !ok; ++i) {
      c.rv = rv_order[i % 4];
      c.n_ssf = rng.below(10);
      const auto hints = over_the_air({pssch_transmission{c, payload}}, rng, snr_db, cfo, delay);
      ok = rx.decode_pssch(c, hints, *soft, decoded).crc_ok && equal();
    }
    return !ok;
  }

  bool psdch(simulation_rng& rng, double snr_db, double cfo, double delay) {
    psdch_config c;
    c.prb = rng.below(config.carrier.n_prb - 1);
    soft->reset(discovery_message_bits);
    bool ok = false;
    for (int i = 0; i < config.n_transmissions && !ok; ++i) {
      c.rv = rv_order[i % 4];
      const auto hints = over_the_air({psdch_transmission{c, payload}}, rng, snr_db, cfo, delay);
      ok = rx.decode_psdch(c, *soft, decoded, hints).crc_ok && equal();
    }
    return !ok;
  }

  bool pscch(simulation_rng& rng, double snr_db, double cfo, double delay) {
    const bool v2x = is_v2x(config.carrier.tm);
    const pscch_config c{rng.below(config.carrier.n_prb - (v2x ? 1 : 0)), v2x ? 3 * rng.below(4) : 0};
    over_the_air({pscch_transmission{c, payload}}, rng, snr_db, cfo, delay);
    // The search of the real receiver: DMRS check, every cyclic shift, CRC and agreement.
    for (const auto& found : rx.find_pscch({&c.prb, 1}))
      if (std::equal(payload.begin(), payload.end(), found.payload().begin(), found.payload().end())) return false;
    return true;
  }

  bool psbch(simulation_rng& rng, double snr_db, double cfo, double delay) {
    const int id = rng.below(n_slss_ids);
    const auto hints = over_the_air({psbch_transmission{id, payload}}, rng, snr_db, cfo, delay);
    const auto r = rx.decode_psbch(id, hints);
    return !(r.detected && std::equal(payload.begin(), payload.end(), r.payload().begin(), r.payload().end()));
  }

  bool slss(simulation_rng& rng, double snr_db, double cfo, double delay) {
    const int id = rng.below(n_slss_ids);
    over_the_air({psbch_transmission{id, payload}, slss_re_power_db}, rng, snr_db, cfo, delay);
    const auto r = rx.detect_slss();
    return !(r.detected && r.n_sl_id == id);
  }
};

link_simulator::link_simulator(std::unique_ptr<state> s) : s_(std::move(s)) {}
link_simulator::link_simulator(link_simulator&&) noexcept = default;
link_simulator& link_simulator::operator=(link_simulator&&) noexcept = default;
link_simulator::~link_simulator() = default;

result<link_simulator> link_simulator::make(const link_config& config) {
  auto tx = transmitter::make({.carrier = config.carrier, .pscch_boost_db = 0.0F});
  if (!tx) return tl::unexpected(tx.error());
  auto rx = subframe_receiver::make({config.carrier, config.n_antennas, config.max_turbo_iterations});
  if (!rx) return tl::unexpected(rx.error());
  if (config.delay_samples < 0 || config.delay_samples > static_cast<double>(state::pad) - 1)
    return fail("--delay must be 0 to " + std::to_string(state::pad - 1) + " samples");
  auto s = std::make_unique<state>(config, std::move(*tx), std::move(*rx));
  switch (config.channel) {
    case link_channel::pssch: {
      if (config.n_prb < 1 || config.n_prb > config.carrier.n_prb)
        return fail("--n-prb must be 1 to the carrier's PRBs");
      const auto t = pssch_transport(config.carrier.tm, config.mcs, config.n_prb, config.transmission_format);
      if (!t)
        return fail("--mcs " + std::to_string(config.mcs) +
                    " is not usable here; accepted: 0 to 28, with --transmission-format 1 to 31");
      s->transport = *t;
      s->n_bits = t->tbs;
      break;
    }
    case link_channel::psdch:
      s->n_bits = discovery_message_bits;
      break;
    case link_channel::pscch:
      s->n_bits = is_v2x(config.carrier.tm) ? sci_format1_bits : sci_format0_bits(config.carrier.n_prb);
      break;
    case link_channel::psbch:
    case link_channel::slss:
      s->n_bits = mib_sl_bits(config.carrier.tm);
      break;
  }
  s->payload.resize(s->n_bits);
  s->decoded.resize(s->n_bits);
  s->soft.emplace(std::max(s->n_bits, 1));
  // What does not fit the carrier (a PRB count with no transform, say) shows at the first transmission.
  simulation_rng rng(1);
  pssch_config probe;
  probe.n_prb = config.n_prb;
  probe.tbs = s->transport.tbs;
  probe.modulation_order = s->transport.modulation_order;
  probe.last_symbol_rate_matched = config.transmission_format == 1;
  if (config.channel == link_channel::pssch) {
    const transmission t{pssch_transmission{probe, s->payload}};
    if (auto ok = s->tx.transmit({&t, 1}, s->sent); !ok) return tl::unexpected(ok.error());
  }
  return link_simulator(std::move(s));
}

int link_simulator::payload_bits() const { return s_->config.channel == link_channel::slss ? 0 : s_->n_bits; }

bool link_simulator::trial(std::uint64_t seed, double snr_db) {
  auto& s = *s_;
  simulation_rng rng(seed);
  rng.bits(s.payload);
  const double cfo = s.config.cfo_hz * (2 * rng.uniform() - 1), delay = s.config.delay_samples * rng.uniform();
  switch (s.config.channel) {
    case link_channel::pssch:
      return s.pssch(rng, snr_db, cfo, delay);
    case link_channel::pscch:
      return s.pscch(rng, snr_db, cfo, delay);
    case link_channel::psbch:
      return s.psbch(rng, snr_db, cfo, delay);
    case link_channel::psdch:
      return s.psdch(rng, snr_db, cfo, delay);
    case link_channel::slss:
      return s.slss(rng, snr_db, cfo, delay);
  }
  return true;
}

}  // namespace prose::apps
