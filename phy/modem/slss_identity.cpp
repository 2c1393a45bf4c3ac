#include "phy/modem/slss_identity.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace prose::phy {
namespace {
constexpr double two_pi = 2 * std::numbers::pi;
constexpr int row = 64;
// Set by the noise campaign of tests/phy/receiver_false_alarm.cpp.
constexpr float psss_threshold = 0.16F;
constexpr float ssss_threshold = 0.30F;
cf32 phasor(double turns) { return cf32(std::polar(1.0, two_pi * (turns - std::floor(turns)))); }
}  // namespace

slss_identity::slss_identity(const carrier_config& c)
    : carrier_(c),
      symbols_(slss_symbols_of(c.cp)),
      first_(slss_first_subcarrier(c.n_prb)),
      interval_s_((symbol_start_samples(c, symbols_.psss[1]) - symbol_start_samples(c, symbols_.psss[0])) /
                  c.sample_rate_hz()) {
  for (std::size_t r = 0; r < 2; ++r) psss_sequence(r == 0 ? 26 : 37, psss_[r]);
  ssss_.assign(static_cast<std::size_t>(n_slss_ids) * row, 0.0F);
  for (int id = 0; id < n_slss_ids; ++id)
    ssss_sequence(id, c.tm, std::span(ssss_).subspan(static_cast<std::size_t>(id) * row, slss_length));
}

slss_identity::match slss_identity::find(std::span<const resource_grid> grids) noexcept {
  match best;
  float total_energy = 0;
  for (const auto& g : grids)
    for (const int l : symbols_.psss)
      for (int k = 0; k < slss_length; ++k) total_energy += std::norm(g.symbol(l)[first_ + k]);
  if (!(total_energy > 0)) return best;
  // PSSS: both roots, a bank of delays, any phase between the two symbols.
  const double reach = carrier_.cp == cyclic_prefix::normal ? 0.07 : 0.25;
  int root = 0;
  double slope = 0;
  cf32 turn{};
  float peak = -1;
  for (std::size_t r = 0; r < 2; ++r)
    for (int d = 0; d < n_delays; ++d) {
      const double s = reach * (2.0 * d / (n_delays - 1) - 1);
      const cf32 step = phasor(s);
      float power = 0;
      cf32 product{};
      for (const auto& g : grids) {
        const cf32* y0 = g.symbol(symbols_.psss[0]).data() + first_;
        const cf32* y1 = g.symbol(symbols_.psss[1]).data() + first_;
        cf32 z0{};
        cf32 z1{};
        cf32 p = 1;
        for (std::size_t k = 0; k < slss_length; ++k) {
          const cf32 w = std::conj(psss_[r][k]) * p;
          z0 += y0[k] * w;
          z1 += y1[k] * w;
          p *= step;
        }
        power += std::norm(z0) + std::norm(z1);
        product += z1 * std::conj(z0);
      }
      power += 2 * std::abs(product);
      if (power > peak) {
        peak = power;
        root = static_cast<int>(r);
        slope = s;
        turn = product;
      }
    }
  best.psss_metric = peak / (total_energy * 2 * slss_length);
  const float turn_size = std::abs(turn);
  turn = turn_size > 0 ? turn / turn_size : cf32(1);
  best.cfo_hz = static_cast<float>(std::arg(turn) / (two_pi * interval_s_));
  best.timing_samples = static_cast<float>(slope * carrier_.fft_size);
  // SSSS: both symbols through the channel that PSSS shows, smoothed over a few subcarriers.
  alignas(64) std::array<float, row> re{};
  alignas(64) std::array<float, row> im{};
  float ssss_energy = 0;
  float signal = 0;
  for (const auto& g : grids) {
    const cf32* p0 = g.symbol(symbols_.psss[0]).data() + first_;
    const cf32* p1 = g.symbol(symbols_.psss[1]).data() + first_;
    const cf32* s0 = g.symbol(symbols_.ssss[0]).data() + first_;
    const cf32* s1 = g.symbol(symbols_.ssss[1]).data() + first_;
    std::array<cf32, slss_length> h;
    const cf32 step = phasor(slope);
    cf32 p = 1;
    for (std::size_t k = 0; k < slss_length; ++k) {
      h[k] = 0.5F * (p0[k] + std::conj(turn) * p1[k]) * std::conj(psss_[root][k]) * p;
      p *= step;
    }
    constexpr int half = 8;
    p = 1;
    for (int k = 0; k < slss_length; ++k) {
      cf32 mean{};
      const int low = std::max(0, k - half);
      const int high = std::min(slss_length - 1, k + half);
      for (int i = low; i <= high; ++i) mean += h[i];
      mean /= static_cast<float>(high - low + 1);
      signal += std::norm(mean);
      const cf32 w = std::conj(mean) * (s0[k] + std::conj(turn) * s1[k]) * p;
      re[k] += w.real();
      im[k] += w.imag();
      p *= step;
    }
  }
  for (std::size_t k = 0; k < slss_length; ++k) ssss_energy += re[k] * re[k] + im[k] * im[k];
  if (!(ssss_energy > 0)) return best;
  for (int n = 0; n < n_slss_ids / 2; ++n) {
    const int id = root * (n_slss_ids / 2) + n;
    const float* s = ssss_.data() + static_cast<std::ptrdiff_t>(id) * row;
    float r = 0;
    float i = 0;
    for (std::size_t k = 0; k < row; ++k) {
      r += re[k] * s[k];
      i += im[k] * s[k];
    }
    const float metric = (r * r + i * i) / (ssss_energy * slss_length);
    if (metric > best.ssss_metric) {
      best.second_metric = best.ssss_metric;
      best.ssss_metric = metric;
      best.n_sl_id = id;
    } else {
      best.second_metric = std::max(best.second_metric, metric);
    }
  }
  const float share = std::clamp(best.psss_metric, 0.0F, 0.99999F);
  best.snr = share / (1 - share) * static_cast<float>(grids.size());
  best.power = signal / static_cast<float>(slss_length * grids.size());
  best.detected = best.psss_metric > psss_threshold && best.ssss_metric > ssss_threshold;
  return best;
}

phase_observation slss_identity::phases(std::span<const resource_grid> grids, int n_sl_id, double slope,
                                        std::span<const float> noise) const noexcept {
  phase_observation o;
  o.interval_s = interval_s_;
  const auto& psss = psss_[psss_root(n_sl_id) == 26 ? 0 : 1];
  const float* ssss = ssss_.data() + static_cast<std::ptrdiff_t>(n_sl_id) * row;
  const cf32 step = phasor(slope);
  for (std::size_t a = 0; a < grids.size(); ++a) {
    const auto& g = grids[a];
    cf32 z[4] = {};
    cf32 p = 1;
    for (std::size_t k = 0; k < slss_length; ++k) {
      const std::size_t at = static_cast<std::size_t>(first_) + k;
      const cf32 w = std::conj(psss[k]) * p;
      z[0] += g.symbol(symbols_.psss[0])[at] * w;
      z[1] += g.symbol(symbols_.psss[1])[at] * w;
      z[2] += g.symbol(symbols_.ssss[0])[at] * (ssss[k] * p);
      z[3] += g.symbol(symbols_.ssss[1])[at] * (ssss[k] * p);
      p *= step;
    }
    o.weighted += (z[1] * std::conj(z[0]) + z[3] * std::conj(z[2])) / (noise[a] * static_cast<float>(slss_length));
  }
  return o;
}

}  // namespace prose::phy
