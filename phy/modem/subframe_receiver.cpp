#include "phy/modem/subframe_receiver.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <numbers>
#include <string>

#include "phy/channels/pscch_extended.h"
#include "phy/channels/soft_bits.h"
#include "phy/coding/control_code.h"
#include "phy/modem/belief.h"
#include "phy/modem/dmrs_screen.h"
#include "phy/modem/expected_signal.h"
#include "phy/modem/grid_cache.h"
#include "phy/modem/prefix_profile.h"
#include "phy/modem/pscch_candidates.h"
#include "phy/modem/receive_window.h"
#include "phy/modem/slss_identity.h"
#include "phy/scfdma/channel_estimator.h"
#include "phy/scfdma/demapper.h"
#include "phy/scfdma/dmrs.h"
#include "phy/scfdma/dmrs_table.h"
#include "phy/scfdma/equaliser.h"

namespace prose::phy {
namespace {

// Carrier offsets that are searched; chosen, not derived. Unaided: a little more than monitor_config::max_cfo_hz. With
// a hint: around the offset of another channel of the same transmitter.
constexpr double search_span_hz = 6500;
constexpr double hint_span_hz = 700;
constexpr double largest_hint_hz = 15e3;  ///< a subcarrier: what lies farther off is no hint
/// Offsets of a control channel that are tried, and no offset less likely than the best by more than exp(-margin).
/// Chosen, not derived.
constexpr int max_decodes_per_control_channel = 3;
constexpr float hypothesis_margin = 14;

/// Transmitters that are separated where they chose the same PSCCH, by their cyclic shifts. Chosen, not derived.
constexpr int most_shifts_of_a_resource = 2;

// A transmission gets a grid of its own where the common one is too far off. Chosen, not derived.
constexpr double hint_grid_hz = 100;  ///< carrier offset of a hint
constexpr int most_moves = 2;         ///< of the window, towards a transmission that is far from it
/// Noise has a delay too. It shows about 1 / m of its energy there, where m is the number of subcarriers, and hardly
/// ever this much; what can be decoded shows more. Chosen, not derived.
constexpr float least_share_to_move(int m) { return std::min(0.2F, 8.0F / static_cast<float>(m)); }
/// PSSS that the common window shows so weakly is not looked for in another one. Its threshold is 0.16 (slss_identity);
/// outside the window two thirds of that are left. Chosen, not derived.
constexpr float worth_a_window = 0.1F;
constexpr double least_regrid_hz = 60;           ///< carrier offset measured: little more than the raster of the grids
constexpr float tolerated_leak = 0.02F;          ///< and leakage over noise
constexpr float tolerated_leak_of_retry = 0.5F;  ///< of an offset that is not the likeliest: the signal is weak then
constexpr double regrid_span_hz = 500;           ///< the offset is measured again within this
constexpr float most_regrid_change_hz = 400;     ///< and believed up to this

// One strong common offset (the receiver's own). Chosen, not derived.
constexpr double common_correlation = 0.25;  ///< share of the energy that repeats in the prefixes
constexpr double common_over_noise = 7;      ///< and over the standard deviation of that share on noise
constexpr double least_common_hz = 400;

/// 2^50: a larger sample cannot be one. Below least_power the subframe counts as empty.
constexpr std::uint32_t largest_exponent = 127U + 50U;
constexpr double least_power = 1e-28;

float to_db(double x) { return static_cast<float>(10 * std::log10(std::max(x, 1e-30))); }

}  // namespace

struct subframe_receiver::state {
  explicit state(const receiver_config& c)
      : config(c),
        samples(c.n_antennas, subframe_samples(c.carrier)),
        grids(c.carrier, c.n_antennas),
        prefix(c.carrier),
        windows(c.carrier),
        candidates(c.carrier),
        screen(c.carrier),
        identity(c.carrier),
        estimator(c.carrier, c.n_antennas),
        eq(c.carrier, c.n_antennas),
        decoder(c.max_turbo_iterations),
        plain_grid(c.n_antennas, resource_grid(c.carrier)) {
    for (int l = 0; l < c.carrier.symbols_per_subframe(); ++l)
      times[l] = symbol_start_samples(c.carrier, l) / c.carrier.sample_rate_hz();
    const int max_bits = c.carrier.n_subcarriers() * 12 * 6;  // 12 data symbols of 64QAM
    raw.resize(max_bits);
    soft.resize(max_bits);
    reference.resize(max_subcarriers);
    for (std::size_t s = 0; s < 12; ++s)
      for (std::size_t n = 0; n < 12; ++n)
        rotations[s][n] = cf32(std::polar(1.0, 2 * std::numbers::pi * static_cast<double>(s * n % 12) / 12.0));
    prefix_length = prefix_samples(c.carrier);
    base_sequence(0, 1);  // computes the table now, not in the first subframe
  }

  receiver_config config;
  std::vector<subframe_samples> samples;
  grid_cache grids;
  prefix_profile prefix;
  receive_window windows;
  pscch_candidates candidates;
  dmrs_screen screen;
  slss_identity identity;
  channel_estimator estimator;
  equaliser eq;
  control_decoder control;
  transport_decoder decoder;
  std::vector<resource_grid> plain_grid;
  std::array<double, max_symbols_per_subframe> times{};
  double prefix_length = 0;
  aligned_vector<llr> raw;
  aligned_vector<llr> soft;
  std::array<llr, pscch_extended_srsran_bits> raw_alternative{};
  aligned_vector<cf32> reference;
  std::array<std::array<cf32, 12>, 12> rotations{};
  std::array<pscch_result, max_found> found{};

  float amplitude = 0;     // samples times this have unit mean power
  double base_cfo_hz = 0;  // of the grid that everything starts from
  prefix_profile::whole whole;
  std::optional<int> prefix_analysed_at;    // shift
  const grid_cache::entry* grid = nullptr;  // of the current transmission
  demodulated last;                         // what the estimator and the equaliser hold
  double last_cfo_hz = 0;

  load_report load(std::span<const std::span<const cf32>> antennas) noexcept;
  std::array<double, channel_estimator::max_pilots> pilot_times(const expected_signal& t) const;
  void fill_pilots(const expected_signal& t) noexcept;
  void use_grid(const expected_signal& t, double cfo_hz, int shift, const delay_range& delays) noexcept;
  std::span<const cfo_hypothesis> prepare(const expected_signal& t, const signal_hints& hints) noexcept;
  bool plausible(const expected_signal& t, const signal_hints& hints, float at_least) noexcept;
  signal_estimate realise(const expected_signal& t, float cfo_hz, float tolerated = tolerated_leak) noexcept;
  signal_estimate describe(const expected_signal& t, float cfo_hz) const noexcept;
  std::span<llr> soft_bits(const expected_signal& t) { return {soft.data(), t.n_bits()}; }
  void demap(const expected_signal& t) noexcept;
  pscch_candidates::subframe all_grids() { return {grids, samples, base_cfo_hz}; }
  template <class Result>
  void decode_control(const expected_signal& t, const signal_hints& hints, belief needed, std::optional<float> metric,
                      Result& best) noexcept;
  pscch_result decode_pscch_at(int first_prb, const pscch_candidate& c, const signal_hints& hints) noexcept;
  transport_result decode_transport(const expected_signal& t, const transport_format& format, const signal_hints& hints,
                                    soft_buffer& buffer, std::span<std::uint8_t> payload) noexcept;
};

load_report subframe_receiver::state::load(std::span<const std::span<const cf32>> antennas) noexcept {
  load_report report;
  double energy = 0;
  const std::size_t size = config.carrier.samples_per_subframe();
  for (std::size_t a = 0; a < samples.size(); ++a) {
    const auto body = samples[a].body();
    const std::size_t n = a < antennas.size() ? std::min(size, antennas[a].size()) : 0;
    constexpr std::uint32_t limit = largest_exponent << 23;  // infinities and NaNs have larger ones too
    // An array of complex numbers is one of their parts (std::complex guarantees it), and vectorises as that.
    const auto* in = reinterpret_cast<const float*>(a < antennas.size() ? antennas[a].data() : nullptr);
    auto* out = reinterpret_cast<float*>(body.data());
    float sum = 0;
    int invalid = 0;
    for (std::size_t i = 0; i < 2 * n; ++i) {
      const bool bad = (std::bit_cast<std::uint32_t>(in[i]) & 0x7FFFFFFFU) >= limit;
      const float x = bad ? 0.0F : in[i];
      out[i] = x;
      invalid += bad ? 1 : 0;
      sum += x * x;
    }
    if (invalid > 0) {  // a sample is invalid as a whole
      invalid = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const bool bad = (std::bit_cast<std::uint32_t>(in[2 * i]) & 0x7FFFFFFFU) >= limit ||
                         (std::bit_cast<std::uint32_t>(in[2 * i + 1]) & 0x7FFFFFFFU) >= limit;
        invalid += bad ? 1 : 0;
        if (bad) body[i] = {};
      }
      sum = 0;
      for (std::size_t i = 0; i < 2 * n; ++i) sum += out[i] * out[i];
    }
    std::fill(body.begin() + n, body.end(), cf32{});
    report.n_invalid_samples += invalid;
    energy += static_cast<double>(sum);
  }
  const double power = energy / static_cast<double>(size * samples.size());
  last = {};
  amplitude = power > least_power ? static_cast<float>(1 / std::sqrt(power)) : 0.0F;
  report.power_db = power > 0 ? to_db(power) : -300;
  grids.begin_subframe(amplitude);
  screen.begin_subframe();
  prefix_analysed_at.reset();
  // A strong common offset is taken out at once: its leakage would reach other resource blocks. If the transmitter is
  // late its prefixes are too.
  bool certain = false;
  for (const int prefixes_late : {0, -1, 1, 2, 3}) {
    const auto at = static_cast<int>(prefixes_late * prefix_length);
    if (at > received_delays(config.carrier.cp).latest * config.carrier.fft_size) break;
    const auto there = prefix.measure(samples, at);
    certain = there.correlation > common_correlation && there.correlation > common_over_noise * there.noise_level;
    if (at == 0 || certain) whole = there;
    if (certain) break;
  }
  base_cfo_hz = certain && std::abs(whole.cfo_hz) > least_common_hz ? whole.cfo_hz : 0;
  base_cfo_hz = std::round(base_cfo_hz / grid_cache::cfo_raster_hz) * grid_cache::cfo_raster_hz;
  return report;
}

std::array<double, channel_estimator::max_pilots> subframe_receiver::state::pilot_times(
    const expected_signal& t) const {
  std::array<double, channel_estimator::max_pilots> v{};
  for (int i = 0; i < t.map->n_dmrs; ++i) v[i] = times[t.map->dmrs[i]];
  return v;
}

void subframe_receiver::state::fill_pilots(const expected_signal& t) noexcept {
  const int m = t.m();
  for (int i = 0; i < t.map->n_dmrs; ++i) {
    // As dmrs_sequence(), from the tables.
    const auto base = base_sequence(sequence_group(t.dmrs, i), t.n_prb);
    const auto& rotation = rotations[t.dmrs.cyclic_shift % 12];
    const float cover = t.dmrs.odd && i % 2 == 1 ? -1.0F : 1.0F;
    for (int b = 0; b < m; b += 12)
      for (int k = 0; k < 12; ++k) reference[b + k] = cover * std::conj(base[b + k] * rotation[k]);
    for (int a = 0; a < config.n_antennas; ++a) {
      const cf32* y = grid->antennas[a].symbol(t.map->dmrs[i]).data() + t.first_subcarrier;
      cf32* h = estimator.pilot(a, i).data();
      for (int k = 0; k < m; ++k) h[k] = y[k] * reference[k];
    }
  }
}

void subframe_receiver::state::use_grid(const expected_signal& t, double cfo_hz, int shift,
                                        const delay_range& delays) noexcept {
  grid = &grids.get(samples, cfo_hz, shift);
  last = {};
  const auto at = pilot_times(t);
  estimator.begin(t.m(), std::span(at).first(t.map->n_dmrs));
  fill_pilots(t);
  estimator.analyse(delays);
}

std::span<const cfo_hypothesis> subframe_receiver::state::prepare(const expected_signal& t,
                                                                  const signal_hints& hints) noexcept {
  // What was found in another grid than the common one is searched around that grid's offset.
  double centre = t.start_cfo_hz.value_or(base_cfo_hz);
  double span = search_span_hz;
  int shift = 0;
  if (hints.cfo_hz && std::isfinite(*hints.cfo_hz)) {
    centre = std::clamp<double>(*hints.cfo_hz, -largest_hint_hz, largest_hint_hz);
    span = hint_span_hz;
  }
  if (hints.timing_offset_samples && windows.worth_moving(*hints.timing_offset_samples))
    shift = windows.place_for(*hints.timing_offset_samples);
  const bool own_grid = span < search_span_hz && std::abs(centre - base_cfo_hz) > hint_grid_hz;
  const delay_range near = delays_in_prefix(config.carrier.cp);
  const bool known_delay = t.start_shift || hints.timing_offset_samples;
  use_grid(t, own_grid ? centre : t.start_cfo_hz.value_or(base_cfo_hz), t.start_shift.value_or(shift),
           known_delay ? near : received_delays(config.carrier.cp));
  // A path outside the prefix needs its own window. A window far from it shows its delay less exactly.
  for (int i = 0; i < most_moves; ++i) {
    const double timing = estimator.timing_samples();
    if (!windows.outside(timing) || estimator.path_share() < least_share_to_move(t.m())) break;
    const int moved = std::max(windows.place_for(grid->shift + timing), grids.min_shift());
    if (moved == grid->shift) break;
    use_grid(t, grid->cfo_hz, moved, near);
  }
  // The prefixes of a late transmission are elsewhere. Noise has a delay too, but no window was moved for it.
  const double delay = grid->shift + static_cast<double>(estimator.timing_samples());
  const int prefixes_at = grid->shift != 0 && windows.outside(delay) ? windows.place_for(delay) : 0;
  if (prefix_analysed_at != prefixes_at) {
    prefix.analyse(samples, amplitude, prefixes_at);
    prefix_analysed_at = prefixes_at;
  }
  phase_observation extra;
  if (t.has_slss) {
    std::array<float, max_rx_antennas> noise{};
    for (int a = 0; a < config.n_antennas; ++a) noise[a] = estimator.prior_noise(a);
    extra = identity.phases(grid->antennas, t.n_sl_id, estimator.slope(), noise);
  }
  return estimator.cfo_hypotheses(centre, span, prefix.band(t.first_subcarrier, t.m()), extra);
}

// A carrier offset of 1.5 kHz costs a thirtieth of the share, a timing error of a whole prefix a twelfth. What is
// farther off gets a grid of its own.
bool subframe_receiver::state::plausible(const expected_signal& t, const signal_hints& hints, float at_least) noexcept {
  constexpr double own_grid_hz = 1500;
  const double cfo = hints.cfo_hz && std::abs(*hints.cfo_hz - base_cfo_hz) > own_grid_hz
                         ? std::clamp<double>(*hints.cfo_hz, -largest_hint_hz, largest_hint_hz)
                         : base_cfo_hz;
  const float timing = hints.timing_offset_samples.value_or(0);
  const int shift = std::abs(timing) > prefix_length ? windows.place_for(timing) : 0;
  return screen.share(grids.get(samples, cfo, shift), t.dmrs, *t.map, t.first_subcarrier, t.n_prb) >=
         std::max(at_least, dmrs_screen::least_share(t.m() * t.map->n_dmrs));
}

signal_estimate subframe_receiver::state::describe(const expected_signal& t, float cfo_hz) const noexcept {
  signal_estimate s;
  const double scale = amplitude > 0 ? 1.0 / (static_cast<double>(amplitude) * amplitude) : 0;
  const double per_subcarrier = scale / config.carrier.fft_size;
  s.snr_db = to_db(estimator.snr());
  s.power_db = to_db(estimator.signal_power() * per_subcarrier * t.m());
  s.noise_db = to_db(estimator.noise_variance() * per_subcarrier);
  s.cfo_hz = cfo_hz;
  s.timing_offset_samples = static_cast<float>(grid->shift) + estimator.timing_samples();
  return s;
}

signal_estimate subframe_receiver::state::realise(const expected_signal& t, float cfo_hz, float tolerated) noexcept {
  // Subcarriers leak into each other with about (pi f / 15 kHz)^2 / 3 of their power.
  const double off = std::numbers::pi * (cfo_hz - grid->cfo_hz) / subcarrier_spacing_hz;
  const double leak = off * off / 3;
  estimator.fit(cfo_hz);
  if (std::abs(cfo_hz - grid->cfo_hz) > least_regrid_hz && leak * estimator.snr() > tolerated) {
    use_grid(t, cfo_hz, grid->shift, delays_in_prefix(config.carrier.cp));
    const auto again = estimator.cfo_hypotheses(cfo_hz, regrid_span_hz, {});
    if (std::abs(again.front().cfo_hz - cfo_hz) < most_regrid_change_hz) cfo_hz = again.front().cfo_hz;
    estimator.fit(cfo_hz);
  }
  last = {t.first_subcarrier, t.m(), std::span(t.map->data).first(t.map->n_data - 1)};
  last_cfo_hz = cfo_hz;
  eq.run(estimator, grid->antennas, t.first_subcarrier, last.symbols, times, cfo_hz);
  demap(t);
  signal_estimate s = describe(t, cfo_hz);
  // A stride that is coprime to 12 visits the allocation unevenly enough to show all of it.
  for (int i = 0; i < std::ssize(s.symbols); ++i) s.symbols[i] = eq.symbol(i % (t.map->n_data - 1))[i * 7 % t.m()];
  return s;
}

void subframe_receiver::state::demap(const expected_signal& t) noexcept {
  const std::size_t per_symbol = t.m() * t.modulation_order;
  const int n_sent = t.map->n_data - 1;  // the last symbol of a subframe is never sent
  for (int i = 0; i < n_sent; ++i)
    soft_demap(eq.symbol(i), eq.noise(i), t.modulation_order, std::span(raw).subspan(i * per_symbol, per_symbol));
  const std::size_t sent = n_sent * per_symbol;
  descramble(t.scrambling, std::span(raw).first(sent));
  std::fill(raw.begin() + sent, raw.begin() + t.n_bits(), 0.0F);
  deinterleave(std::span<const llr>(raw).first(t.n_bits()), t.n_columns, t.modulation_order, soft_bits(t));
}

template <class Result>
void subframe_receiver::state::decode_control(const expected_signal& t, const signal_hints& hints, belief needed,
                                              std::optional<float> metric, Result& best) noexcept {
  if (!t.fits(config.carrier) || amplitude == 0) return;
  std::array<cfo_hypothesis, max_decodes_per_control_channel> offsets;
  const auto all = prepare(t, hints);
  const std::size_t n = std::min(all.size(), offsets.size());
  std::copy(all.begin(), all.begin() + n, offsets.begin());
  const double start_cfo = grid->cfo_hz;
  const int start_shift = grid->shift;
  for (std::size_t i = 0; i < n; ++i) {
    if (offsets[i].score < offsets[0].score - hypothesis_margin) break;
    if (i > 0 && grid->cfo_hz != start_cfo) use_grid(t, start_cfo, start_shift, delays_in_prefix(config.carrier.cp));
    // If the first offset is wrong the signal is weak. Leakage between subcarriers matters little then, and time more.
    const signal_estimate s = realise(t, offsets[i].cfo_hz, i == 0 ? tolerated_leak : tolerated_leak_of_retry);
    const float share = metric.value_or(estimator.metric());
    auto bits = best.bits;
    bits.fill(0);
    const auto payload = std::span(bits).first(best.n_bits);
    control_decode d = control.decode(soft_bits(t), payload);
    const auto believed = [&needed](const control_decode& r) {
      return r.crc_ok && r.agreement >= needed.needed_agreement(r.effective_bits);
    };
    if (!believed(d) && t.srsran_layout_too) {
      // The same soft bits in the order of the other layout; what it leaves out is erased.
      raw_alternative.fill(0);
      for (std::size_t b = 0; b < pscch_extended_bits; ++b) raw_alternative[pscch_extended_srsran_source(b)] = soft[b];
      d = control.decode(raw_alternative, payload);
    }
    const bool detected = believed(d) && share >= needed.dmrs_metric;
    if (i == 0 || detected) {
      best.detected = detected;
      best.crc_ok = d.crc_ok;
      if constexpr (requires { best.crc; }) best.crc = d.crc;
      best.agreement = d.agreement;
      best.dmrs_metric = share;
      best.bits = bits;
      best.signal = s;
    }
    if (detected) break;
  }
}

pscch_result subframe_receiver::state::decode_pscch_at(int first_prb, const pscch_candidate& c,
                                                       const signal_hints& hints) noexcept {
  pscch_result r;
  r.config = {first_prb, c.cyclic_shift};
  r.dmrs_metric = c.metric;
  r.n_bits = is_v2x(config.carrier.tm) ? sci_format1_bits : sci_format0_bits(config.carrier.n_prb);
  auto t = expect_pscch(config.carrier, r.config);
  t.start_cfo_hz = c.cfo_hz;
  if (!hints.timing_offset_samples) t.start_shift = c.window;
  decode_control(t, hints, pscch_belief(config.carrier.tm), c.metric, r);
  return r;
}

transport_result subframe_receiver::state::decode_transport(const expected_signal& t, const transport_format& format,
                                                            const signal_hints& hints, soft_buffer& buffer,
                                                            std::span<std::uint8_t> payload) noexcept {
  transport_result r;
  if (!t.fits(config.carrier) || format.tbs < 1 || buffer.tbs() != format.tbs || std::ssize(payload) != format.tbs ||
      format.rv < 0 || format.rv > 3 || amplitude == 0) {
    std::fill(payload.begin(), payload.end(), std::uint8_t{0});
    return r;
  }
  const auto offsets = prepare(t, hints);
  r.signal = realise(t, offsets.front().cfo_hz);
  r.dmrs_metric = estimator.metric();
  const auto received = soft_bits(t);
  transport_decode d = decoder.decode(format, received, buffer, payload);
  if (d.crc_ok && all_zero(payload)) d.crc_ok = agrees_with_zero(received);
  r.iterations = d.iterations;
  const auto evidence = r.dmrs_metric * static_cast<float>(t.m() * t.map->n_dmrs);
  r.crc_ok = d.crc_ok && evidence > min_transport_evidence;
  return r;
}

subframe_receiver::subframe_receiver(std::unique_ptr<state> s) : s_(std::move(s)) {}
subframe_receiver::~subframe_receiver() = default;
subframe_receiver::subframe_receiver(subframe_receiver&&) noexcept = default;
subframe_receiver& subframe_receiver::operator=(subframe_receiver&&) noexcept = default;

result<subframe_receiver> subframe_receiver::make(const receiver_config& config) {
  const auto& c = config.carrier;
  if (const auto checked = carrier_config::make(c.n_prb, c.cp, c.tm, c.sample_rate_hz()); !checked)
    return tl::unexpected(checked.error());
  if (config.n_antennas < 1 || config.n_antennas > max_rx_antennas)
    return fail("n_antennas " + std::to_string(config.n_antennas) + " is not in 1.." + std::to_string(max_rx_antennas));
  if (config.max_turbo_iterations < 1 || config.max_turbo_iterations > 64)
    return fail("max_turbo_iterations " + std::to_string(config.max_turbo_iterations) + " is not in 1..64");
  return subframe_receiver(std::make_unique<state>(config));
}

const receiver_config& subframe_receiver::config() const noexcept { return s_->config; }

load_report subframe_receiver::load(std::span<const std::span<const cf32>> antennas) noexcept {
  return s_->load(antennas);
}
load_report subframe_receiver::load(std::span<const cf32> antenna) noexcept { return s_->load({&antenna, 1}); }

std::span<const pscch_result> subframe_receiver::find_pscch(std::span<const int> first_prbs) noexcept {
  state& s = *s_;
  std::size_t n_found = 0;
  if (s.amplitude == 0) return {};
  for (const int prb : first_prbs) {
    if (prb < 0 || prb > s.config.carrier.n_prb - s.candidates.n_prb()) continue;
    int n_tried = 0;
    const pscch_candidate* decoded = nullptr;
    for (const pscch_candidate& c : s.candidates.at(s.all_grids(), prb)) {
      if (n_tried == most_shifts_of_a_resource || n_found == max_found) break;
      if (decoded != nullptr && decoded->place == c.place) continue;  // the same path
      ++n_tried;
      const auto r = s.decode_pscch_at(prb, c, {});
      if (!r.detected) continue;
      const bool known = decoded != nullptr && s.found[n_found - 1].crc == r.crc;
      if (!known) s.found[n_found++] = r;
      decoded = &c;
    }
  }
  return {s.found.data(), n_found};
}

pscch_result subframe_receiver::decode_pscch(int first_prb, std::optional<int> cyclic_shift,
                                             const signal_hints& hints) noexcept {
  state& s = *s_;
  pscch_result none;
  none.config.prb = first_prb;
  if (first_prb < 0 || first_prb > s.config.carrier.n_prb - s.candidates.n_prb() || s.amplitude == 0) return none;
  const auto c = s.candidates.best_at(s.all_grids(), first_prb, cyclic_shift);
  return s.decode_pscch_at(first_prb, c, hints);
}

bool subframe_receiver::pssch_plausible(const pssch_config& config, const signal_hints& hints,
                                        float at_least) noexcept {
  state& s = *s_;
  const auto t = expect_pssch(s.config.carrier, config);
  return t.fits(s.config.carrier) && s.amplitude != 0 && s.plausible(t, hints, at_least);
}

bool subframe_receiver::psdch_plausible(int first_prb) noexcept {
  state& s = *s_;
  const auto t = expect_psdch(s.config.carrier, {first_prb, 0});
  return t.fits(s.config.carrier) && s.amplitude != 0 && s.plausible(t, {}, 0);
}

float subframe_receiver::pssch_dmrs_metric(const pssch_config& config, const signal_hints& hints) noexcept {
  state& s = *s_;
  const auto t = expect_pssch(s.config.carrier, config);
  if (!t.fits(s.config.carrier) || s.amplitude == 0) return 0;
  const auto offsets = s.prepare(t, hints);
  s.estimator.fit(offsets.front().cfo_hz);
  return s.estimator.metric();
}

transport_result subframe_receiver::decode_pssch(const pssch_config& config, const signal_hints& hints,
                                                 soft_buffer& buffer, std::span<std::uint8_t> payload) noexcept {
  return s_->decode_transport(expect_pssch(s_->config.carrier, config),
                              {config.tbs, config.modulation_order, config.rv}, hints, buffer, payload);
}

transport_result subframe_receiver::decode_psdch(const psdch_config& config, soft_buffer& buffer,
                                                 std::span<std::uint8_t> payload, const signal_hints& hints) noexcept {
  return s_->decode_transport(expect_psdch(s_->config.carrier, config), {discovery_message_bits, 2, config.rv}, hints,
                              buffer, payload);
}

float subframe_receiver::psdch_dmrs_metric(int first_prb) noexcept {
  state& s = *s_;
  const auto t = expect_psdch(s.config.carrier, {first_prb, 0});
  if (!t.fits(s.config.carrier) || s.amplitude == 0) return 0;
  const auto offsets = s.prepare(t, {});
  s.estimator.fit(offsets.front().cfo_hz);
  return s.estimator.metric();
}

psbch_result subframe_receiver::decode_psbch(int n_sl_id, const signal_hints& hints) noexcept {
  state& s = *s_;
  const auto& c = s.config.carrier;
  psbch_result best;
  best.n_bits = mib_sl_bits(c.tm);
  if (n_sl_id < 0 || n_sl_id >= n_slss_ids || s.amplitude == 0) return best;
  const auto t = expect_psbch(c, n_sl_id);
  s.decode_control(t, hints, psbch_belief(c.tm), std::nullopt, best);
  return best;
}

slss_result subframe_receiver::detect_slss() noexcept {
  state& s = *s_;
  slss_result r;
  if (s.amplitude == 0) return r;
  const cyclic_prefix cp = s.config.carrier.cp;
  const auto& base = s.grids.get(s.samples, s.base_cfo_hz, 0);
  auto m = s.identity.find(base.antennas, received_delays(cp));
  if (s.windows.outside(m.timing_samples) && m.psss_metric > worth_a_window) {
    const auto& there = s.grids.get(s.samples, s.base_cfo_hz, s.windows.place_for(m.timing_samples));
    m = s.identity.find(there.antennas, delays_in_prefix(cp));
    m.timing_samples += static_cast<float>(there.shift);
  }
  r.detected = m.detected;
  r.n_sl_id = m.n_sl_id;
  r.metric = m.ssss_metric;
  r.second_metric = m.second_metric;
  const double scale = 1.0 / (static_cast<double>(s.amplitude) * s.amplitude * s.config.carrier.fft_size);
  r.signal.snr_db = to_db(m.snr);
  r.signal.power_db = to_db(m.power * scale * slss_length);
  r.signal.noise_db = to_db(m.snr > 0 ? m.power * scale / m.snr : 0);
  r.signal.cfo_hz = m.cfo_hz;
  r.signal.timing_offset_samples = m.timing_samples;
  return r;
}

subframe_receiver::prefix_estimate subframe_receiver::prefix_cfo() noexcept {
  return {static_cast<float>(s_->whole.cfo_hz), static_cast<float>(s_->whole.correlation)};
}

void subframe_receiver::copy_grid(int antenna, float cfo_hz, std::span<cf32> out) noexcept {
  state& s = *s_;
  const auto& g = s.grids.get(s.samples, cfo_hz, 0).antennas[std::clamp(antenna, 0, s.config.n_antennas - 1)];
  const float undo = s.amplitude > 0 ? 1.0F / s.amplitude : 0.0F;
  assert(out.size() == g.all().size());
  std::transform(g.all().begin(), g.all().end(), out.begin(), [undo](cf32 x) { return x * undo; });
}

const resource_grid& subframe_receiver::grid(int antenna, float cfo_hz) noexcept {
  auto& out = s_->plain_grid[std::clamp(antenna, 0, s_->config.n_antennas - 1)];
  copy_grid(antenna, cfo_hz, out.all());
  return out;
}

subframe_receiver::demodulated subframe_receiver::last() const noexcept { return s_->last; }

std::span<const cf32> subframe_receiver::equalised(int i) const noexcept {
  assert(i >= 0 && i < std::ssize(s_->last.symbols));
  return s_->eq.symbol(i);
}

void subframe_receiver::copy_channel(int antenna, int i, std::span<cf32> out) const noexcept {
  const state& s = *s_;
  assert(i >= 0 && i < std::ssize(s.last.symbols) && std::ssize(out) == s.last.n_subcarriers);
  const double t = s.times[s.last.symbols[i]];
  std::fill(out.begin(), out.end(), cf32{});
  for (int o = 0; o < s.estimator.n_orders(); ++o) {
    if (!s.estimator.order_used(o)) continue;
    const auto weight = static_cast<float>(s.estimator.basis(o, t));
    const auto surface = s.estimator.surface(antenna, o);
    for (std::size_t k = 0; k < out.size(); ++k) out[k] += weight * surface[k];
  }
  // Where the samples have no power nothing is demodulated.
  const cf32 turn(std::polar(1.0 / s.amplitude, 2 * std::numbers::pi * s.last_cfo_hz * t));
  for (cf32& h : out) h *= turn;
}

}  // namespace prose::phy
