#include "apps/iq/test_burst.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <utility>

#include "phy/modem/transmitter.h"
#include "phy/types/tbs.h"

namespace prose::apps {
namespace {

using phy::cf32;
using cf64 = std::complex<double>;

constexpr int mcs = 4;                     // QPSK with some redundancy
constexpr std::size_t short_terms = 1024;  // products of the first search, so that it takes less than a second
constexpr double least_match = 0.25;       // 1024 products of noise: 0.15 in 10^9 trials; a burst at 3 dB SNR: 0.44
constexpr double stands_out = 1.6;         // power of a block over the noise's: 2 dB, far beyond the spread of its mean
constexpr std::size_t offset_block = 32;   // samples that are summed before the offset is searched
constexpr int near_samples = 16;           // from where another burst suggests one: 10 ppm of 10 periods at 15.36 Msps
constexpr int gap_step = 4 * near_samples;  // by which neighbouring gaps differ: twice as wide as a search
constexpr int n_gaps = 8;  // different ones: a series is taken for itself, shifted by 1 to 7, in no case
constexpr float silent_db = -300.0F;
constexpr double heard_db = -3.0;

double energy(std::span<const cf32> x) {
  double sum = 0;
  for (const cf32& s : x) sum += std::norm(s);
  return sum;
}

std::vector<cf32> differences(std::span<const cf32> x, std::size_t lag) {
  std::vector<cf32> d(x.size() - lag);
  for (std::size_t n = 0; n < d.size(); ++n) d[n] = x[n + lag] * std::conj(x[n]);
  return d;
}

/// Sums of x conj(s) over blocks: a constant phase slope from block to block is the carrier offset.
std::vector<cf64> block_sums(std::span<const cf32> x, std::span<const cf32> s) {
  std::vector<cf64> sums(s.size() / offset_block);
  for (std::size_t b = 0; b < sums.size(); ++b)
    for (std::size_t n = b * offset_block; n < (b + 1) * offset_block; ++n)
      sums[b] += cf64(x[n]) * std::conj(cf64(s[n]));
  return sums;
}

cf64 turned_sum(std::span<const cf64> sums, double radians_a_block) {
  cf64 sum{};
  const cf64 step = std::polar(1.0, -radians_a_block);
  cf64 turn(1.0);
  for (const cf64& s : sums) {
    sum += s * turn;
    turn *= step;
  }
  return sum;
}

/// Where a parabola through three equally spaced values has its top, -0.5..0.5 of the spacing from the middle.
double top_of(double left, double middle, double right) {
  const double bend = left - 2 * middle + right;
  return bend < 0 ? std::clamp(0.5 * (left - right) / bend, -0.5, 0.5) : 0.0;
}

}  // namespace

double power_dbfs(std::span<const cf32> x) {
  const double e = energy(x);
  return e > 0 ? 10 * std::log10(e / static_cast<double>(x.size())) : silent_db;
}

double evm_of(std::span<const cf32> symbols) {
  double error = 0, power = 0;
  for (const cf32& s : symbols) {
    if (s == cf32{}) continue;
    const float side = static_cast<float>(std::numbers::sqrt2 / 2);
    const cf32 nearest(std::copysign(side, s.real()), std::copysign(side, s.imag()));
    error += std::norm(s - nearest);
    power += 1;
  }
  return power > 0 ? std::sqrt(error / power) : 1.0;
}

result<test_burst> test_burst::make(double rate_hz, float power_db) {
  test_burst b;
  const auto fits = [&](int n) {
    return std::abs(phy::standard_fft_size(n) * phy::subcarrier_spacing_hz - rate_hz) < 1.0;
  };
  const auto prb = std::find_if(phy::bandwidths_prb.begin(), phy::bandwidths_prb.end(), fits);
  if (prb == phy::bandwidths_prb.end())
    return fail("sample_rate_hz " + std::to_string(rate_hz) +
                ": accepted are the LTE rates 1.92e6, 3.84e6, 7.68e6, 15.36e6, 23.04e6, 30.72e6");
  auto carrier = phy::carrier_config::make(*prb, phy::cyclic_prefix::normal, phy::transmission_mode::tm2, rate_hz);
  if (!carrier) return tl::unexpected(carrier.error());
  b.carrier = *carrier;
  int n_prb = *prb;
  while (!phy::is_235(n_prb)) --n_prb;
  const auto transport = phy::pssch_transport(b.carrier.tm, mcs, n_prb);
  if (!transport) return fail("no transport block of " + std::to_string(n_prb) + " PRB");
  b.config = {.prb_start = (*prb - n_prb) / 2,
              .n_prb = n_prb,
              .tbs = transport->tbs,
              .modulation_order = transport->modulation_order,
              .rv = 0,
              .n_x_id = 77U,
              .n_ssf = 0};
  std::mt19937 random(7);
  b.payload.resize(static_cast<std::size_t>(b.config.tbs));
  for (auto& bit : b.payload) bit = static_cast<std::uint8_t>(random() & 1U);
  auto out = phy::transmitter::make({.carrier = b.carrier});
  if (!out) return tl::unexpected(out.error());
  const auto subcarriers = static_cast<float>(n_prb * phy::subcarriers_per_prb);
  const phy::transmission list[] = {
      {phy::pssch_transmission{b.config, b.payload}, phy::re_power_db(b.carrier, power_db, subcarriers)}};
  b.samples.resize(static_cast<std::size_t>(b.carrier.samples_per_subframe()));
  if (auto ok = out->transmit(list, b.samples); !ok) return tl::unexpected(ok.error());
  b.active = static_cast<std::size_t>(phy::symbol_start_samples(b.carrier, 13) - phy::prefix_samples(b.carrier));
  return b;
}

burst_finder::burst_finder(test_burst burst, phy::subframe_receiver receiver)
    : burst_(std::move(burst)),
      receiver_(std::move(receiver)),
      lag_(static_cast<std::size_t>(burst_.carrier.fft_size) / 8),
      differences_(differences(std::span<const cf32>(burst_.samples).first(burst_.active), lag_)),
      derotated_(burst_.samples.size()) {
  differences_.resize(std::min(differences_.size(), short_terms));
  differences_energy_ = energy(differences_);
}

result<burst_finder> burst_finder::make(test_burst burst) {
  auto receiver = phy::subframe_receiver::make({.carrier = burst.carrier});
  if (!receiver) return tl::unexpected(receiver.error());
  return burst_finder(std::move(burst), std::move(*receiver));
}

/// 0..1: how much the beginning of x is that of the burst, whatever its carrier offset.
double burst_finder::match(std::span<const cf32> x) const {
  cf32 sum{};
  float power = 0;
  for (std::size_t n = 0; n < differences_.size(); ++n) {
    const cf32 d = x[n + lag_] * std::conj(x[n]);
    sum += d * std::conj(differences_[n]);
    power += std::norm(d);
  }
  return power > 0 ? std::abs(sum) / std::sqrt(power * differences_energy_) : 0.0;
}

/// x begins where the burst does, to a sample or two.
double burst_finder::offset_at(std::span<const cf32> x) const {
  const auto sums = block_sums(x, std::span<const cf32>(burst_.samples).first(burst_.active));
  const double block_s = offset_block / burst_.carrier.sample_rate_hz();
  const double step = std::numbers::pi / static_cast<double>(sums.size());
  const auto most = static_cast<int>(2 * std::numbers::pi * most_offset_hz * block_s / step);
  const auto strength = [&](double steps) { return std::abs(turned_sum(sums, steps * step)); };
  double best = 0;
  for (int i = -most; i <= most; ++i)
    if (strength(i) > strength(best)) best = i;
  // Each round of the parabola is on a quarter of the spacing of the last.
  for (double spacing = 0.5; spacing > 1e-3; spacing /= 4)
    best += spacing * top_of(strength(best - spacing), strength(best), strength(best + spacing));
  return best * step / (2 * std::numbers::pi * block_s);
}

std::optional<burst_place> burst_finder::best_between(std::span<const cf32> x, std::int64_t first,
                                                      std::int64_t last) const {
  const auto room = static_cast<std::int64_t>(x.size()) - static_cast<std::int64_t>(burst_.samples.size()) - 2;
  first = std::max<std::int64_t>(first, 2);
  last = std::min(last, room);
  double best = least_match;
  std::int64_t at = -1;
  for (std::int64_t t = first; t <= last; ++t)
    if (const double m = match(x.subspan(static_cast<std::size_t>(t))); m > best) {
      best = m;
      at = t;
    }
  if (at < 0) return std::nullopt;
  const double cfo_hz = offset_at(x.subspan(static_cast<std::size_t>(at)));
  // To the sample, with the whole burst and its offset known; then between the samples.
  const auto sent = std::span<const cf32>(burst_.samples).first(burst_.active);
  const double turn = 2 * std::numbers::pi * cfo_hz * offset_block / burst_.carrier.sample_rate_hz();
  const auto strength = [&](std::int64_t t) {
    return std::abs(turned_sum(block_sums(x.subspan(static_cast<std::size_t>(t)), sent), turn));
  };
  std::int64_t top = at;
  for (std::int64_t t = std::max<std::int64_t>(at - 2, 1); t <= std::min(at + 2, room); ++t)
    if (strength(t) > strength(top)) top = t;
  const double fraction = top_of(strength(top - 1), strength(top), strength(top + 1));
  return burst_place{static_cast<double>(top) + fraction, cfo_hz};
}

std::optional<burst_place> burst_finder::find_first(std::span<const cf32> x) const {
  const std::size_t block = burst_.samples.size() / 8;
  std::vector<double> powers(x.size() / block);
  for (std::size_t b = 0; b < powers.size(); ++b) powers[b] = energy(x.subspan(b * block, block));
  if (powers.empty()) return std::nullopt;
  auto sorted = powers;
  std::sort(sorted.begin(), sorted.end());
  const double noise = sorted[sorted.size() / 5];
  std::int64_t searched = 0;
  for (std::size_t b = 0; b < powers.size(); ++b) {
    if (powers[b] <= noise * stands_out) continue;
    const auto begin = static_cast<std::int64_t>(b * block), size = static_cast<std::int64_t>(block);
    if (const auto found = best_between(x, std::max(begin - size, searched), begin + size)) return found;
    searched = begin + size;
  }
  return std::nullopt;
}

std::optional<burst_place> burst_finder::find_near(std::span<const cf32> x, double expected, int around) const {
  const std::int64_t middle = std::llround(expected);
  return best_between(x, middle - around, middle + around);
}

/// The series if the burst at this place is that of this number. Each burst found tells where the next one is.
std::vector<std::optional<burst_place>> burst_finder::around_burst(std::span<const cf32> x,
                                                                   std::span<const std::int64_t> starts,
                                                                   std::size_t number, const burst_place& place) const {
  std::vector<std::optional<burst_place>> found(starts.size());
  found[number] = place;
  const auto n = static_cast<std::ptrdiff_t>(starts.size());
  for (const int step : {1, -1}) {
    double at = place.sample;
    std::int64_t start = starts[number];
    for (auto i = static_cast<std::ptrdiff_t>(number) + step; i >= 0 && i < n; i += step) {
      const auto k = static_cast<std::size_t>(i);
      found[k] = find_near(x, at + static_cast<double>(starts[k] - start), near_samples);
      if (!found[k]) continue;
      at = found[k]->sample;
      start = starts[k];
    }
  }
  return found;
}

std::vector<std::optional<burst_place>> burst_finder::find_series(std::span<const cf32> x,
                                                                  std::span<const std::int64_t> starts,
                                                                  std::int64_t slack) const {
  std::vector<std::optional<burst_place>> best(starts.size());
  const auto first = find_first(x);
  if (!first) return best;
  std::ptrdiff_t most = 0;
  for (std::size_t number = 0; number < starts.size(); ++number) {
    if (std::abs(first->sample - static_cast<double>(starts[number])) > static_cast<double>(slack)) continue;
    auto found = around_burst(x, starts, number, *first);
    const auto n = std::count_if(found.begin(), found.end(), [](const auto& p) { return p.has_value(); });
    if (n <= most) continue;
    most = n;
    best = std::move(found);
  }
  return best;
}

burst_measurement burst_finder::measure(std::span<const cf32> x, const burst_place& place) {
  burst_measurement m;
  m.place = place;
  const auto start = static_cast<std::size_t>(std::max<std::int64_t>(std::llround(place.sample), 0));
  const auto whole = x.subspan(start, burst_.samples.size());
  m.power_dbfs = power_dbfs(whole.first(burst_.active));
  for (const cf32& s : whole) {
    const float level = std::max(std::abs(s.real()), std::abs(s.imag()));
    m.peak = std::max(m.peak, level);
    m.n_clipped += level >= clip_level ? 1 : 0;
  }
  const double turn = -2 * std::numbers::pi * place.cfo_hz / burst_.carrier.sample_rate_hz();
  for (std::size_t n = 0; n < whole.size(); ++n)
    derotated_[n] = whole[n] * cf32(std::polar(1.0, turn * static_cast<double>(n)));
  receiver_.load(derotated_);
  std::vector<std::uint8_t> payload(burst_.payload.size());
  phy::soft_buffer buffer;
  buffer.reset(burst_.config.tbs);
  const auto r = receiver_.decode_pssch(burst_.config, {}, buffer, payload);
  m.decoded = r.crc_ok && payload == burst_.payload;
  m.snr_db = r.signal.snr_db;
  m.symbols = r.signal.symbols;
  m.place.cfo_hz += r.signal.cfo_hz;
  if (m.decoded) m.place.sample = static_cast<double>(start) + r.signal.timing_offset_samples;
  return m;
}

std::vector<std::int64_t> series_starts(std::int64_t first, std::int64_t period, int n) {
  std::vector<std::int64_t> starts;
  for (int i = 0; i < n; ++i) {
    starts.push_back(first);
    first += period + static_cast<std::int64_t>(i % n_gaps) * gap_step;
  }
  return starts;
}

std::vector<cf32> endless(const test_burst& burst, std::size_t n_samples) {
  std::vector<cf32> out(n_samples);
  for (std::size_t n = 0; n < n_samples; ++n) out[n] = burst.samples[n % burst.active];
  return out;
}

namespace {

/// Correlation of the capture with what was sent, a piece each.
std::vector<double> piecewise(std::span<const cf32> x, const known_signal& s, std::int64_t begin, std::size_t first) {
  std::vector<double> strength(s.samples.size() / s.piece, 0.0);
  const double turn = -2 * std::numbers::pi * s.cfo_hz / s.sample_rate_hz;
  for (std::size_t p = first; p < strength.size(); ++p) {
    cf64 sum{};
    double power = 0;
    for (std::size_t i = 0; i < s.piece; ++i) {
      const std::size_t n = p * s.piece + i;
      const std::int64_t at = begin + static_cast<std::int64_t>(n);
      if (at < 0 || at >= static_cast<std::int64_t>(x.size())) continue;
      const cf64 turned = std::conj(cf64(s.samples[n])) * std::polar(1.0, turn * static_cast<double>(i));
      sum += cf64(x[static_cast<std::size_t>(at)]) * turned;
      power += std::norm(s.samples[n]);
    }
    if (power > 0) strength[p] = std::abs(sum) / power;
  }
  return strength;
}

}  // namespace

std::vector<double> strength_of(std::span<const cf32> x, const known_signal& s, std::int64_t begin, int around) {
  const std::size_t n = s.samples.size() / s.piece, last_third = n - n / 3;
  double mean = 0;
  std::int64_t best = begin;
  for (std::int64_t t = begin - around; t <= begin + around; ++t) {
    double sum = 0;
    for (const double v : piecewise(x, s, t, last_third)) sum += v;
    if (sum <= mean) continue;
    mean = sum;
    best = t;
  }
  mean /= static_cast<double>(n - last_third);
  auto strength = piecewise(x, s, best, 0);
  for (double& v : strength) v = v > 0 && mean > 0 ? 20 * std::log10(v / mean) : silent_db;
  return strength;
}

std::size_t heard_from(std::span<const double> strength_db) {
  std::size_t first = strength_db.size();
  while (first > 0 && strength_db[first - 1] >= heard_db) --first;
  return first;
}

}  // namespace prose::apps
