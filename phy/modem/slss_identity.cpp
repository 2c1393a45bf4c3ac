#include "phy/modem/slss_identity.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace prose::phy {
namespace {
constexpr double two_pi = 2 * std::numbers::pi;
// Set with the noise campaign of tests/phy/receiver_noise_test.cpp.
constexpr float psss_threshold = 0.16F;
constexpr float ssss_threshold = 0.30F;
/// Delays are tried half a resolution (1 / 930 kHz) apart, and around the best one a tenth. Chosen, not derived.
constexpr double coarse_step = 1.0 / (2 * slss_length), fine_step = coarse_step / 5;
constexpr int fine_steps = 5;  ///< to either side
/// The channel is averaged over so many subcarriers to either side, 255 kHz in all. Chosen, not derived.
constexpr int smoothing_subcarriers = 8;
constexpr int together = 16;  ///< phasors of one step of a vector
cf32 phasor(double turns) { return cf32(std::polar(1.0, two_pi * (turns - std::floor(turns)))); }
}  // namespace

slss_identity::slss_identity(const carrier_config& c)
    : carrier_(c),
      symbols_(slss_symbols_of(c.cp)),
      first_(slss_first_subcarrier(c.n_prb)),
      interval_s_((symbol_start_samples(c, symbols_.psss[1]) - symbol_start_samples(c, symbols_.psss[0])) /
                  c.sample_rate_hz()) {
  for (std::size_t r = 0; r < psss_roots.size(); ++r) psss_sequence(psss_roots[r], psss_[r]);
  ssss_.assign(n_slss_ids * row, 0.0F);
  for (int id = 0; id < n_slss_ids; ++id) ssss_sequence(id, c.tm, std::span(ssss_).subspan(id * row, slss_length));
}

slss_identity::match slss_identity::find(std::span<const resource_grid> grids, const delay_range& delays) noexcept {
  match best;
  const float total_energy = psss_energy(grids);
  if (!(total_energy > 0)) return best;
  path p = best_path(grids, delays);
  best.psss_metric = p.power / (total_energy * 2 * slss_length);
  const float turn_size = std::abs(p.turn);
  p.turn = turn_size > 0 ? p.turn / turn_size : cf32(1);
  best.cfo_hz = static_cast<float>(std::arg(p.turn) / (two_pi * interval_s_));
  best.timing_samples = static_cast<float>(p.slope * carrier_.fft_size);
  folded f;
  for (const auto& g : grids) fold(g, p, f);
  if (!identify(f, p.root, best)) return best;
  const float share = std::clamp(best.psss_metric, 0.0F, 0.99999F);
  best.snr = share / (1 - share) * static_cast<float>(grids.size());
  best.power = f.channel_energy / static_cast<float>(slss_length * grids.size());
  best.detected = best.psss_metric > psss_threshold && best.ssss_metric > ssss_threshold;
  return best;
}

float slss_identity::psss_energy(std::span<const resource_grid> grids) const noexcept {
  float energy = 0;
  for (const auto& g : grids)
    for (const int l : symbols_.psss)
      for (int k = 0; k < slss_length; ++k) energy += std::norm(g.symbol(l)[first_ + k]);
  return energy;
}

void slss_identity::remove_roots(std::span<const resource_grid> grids) noexcept {
  for (std::size_t root = 0; root < psss_roots.size(); ++root)
    for (std::size_t a = 0; a < grids.size(); ++a)
      for (std::size_t i = 0; i < 2; ++i) {
        const cf32* y = grids[a].symbol(symbols_.psss[i]).data() + first_;
        values& h = channel_[root][a][i];
        for (int k = 0; k < slss_length; ++k) {
          const cf32 x = y[k] * std::conj(psss_[root][k]);
          h.re[k] = x.real();
          h.im[k] = x.imag();
        }
      }
}

// Both roots and a bank of delays.
slss_identity::path slss_identity::best_path(std::span<const resource_grid> grids, const delay_range& delays) noexcept {
  remove_roots(grids);
  path best;
  values phasors;
  const auto turn_to = [&](double slope) {
    const cf32 step = phasor(slope);
    const cf32 step_over = phasor(slope * together);
    cf32 p = 1;
    for (int k = 0; k < together; ++k, p *= step) {
      phasors.re[k] = p.real();
      phasors.im[k] = p.imag();
    }
    for (int k = together; k < row; ++k) {
      const cf32 next = cf32(phasors.re[k - together], phasors.im[k - together]) * step_over;
      phasors.re[k] = next.real();
      phasors.im[k] = next.imag();
    }
  };
  for (double slope = delays.earliest; slope < delays.latest + coarse_step; slope += coarse_step) {
    turn_to(slope);
    for (int root = 0; root < std::ssize(psss_roots); ++root)
      if (const path p = try_path(grids.size(), root, slope, phasors); p.power > best.power) best = p;
  }
  const double coarse = best.slope;
  for (int i = -fine_steps; i <= fine_steps; ++i) {
    turn_to(coarse + i * fine_step);
    if (const path p = try_path(grids.size(), best.root, coarse + i * fine_step, phasors); p.power > best.power)
      best = p;
  }
  return best;
}

// Any phase between the two symbols.
slss_identity::path slss_identity::try_path(std::size_t n_antennas, int root, double slope,
                                            const values& phasors) const noexcept {
  const auto sum = [&](const values& h) {
    float re = 0;
    float im = 0;
    for (int k = 0; k < row; ++k) {
      re += h.re[k] * phasors.re[k] - h.im[k] * phasors.im[k];
      im += h.re[k] * phasors.im[k] + h.im[k] * phasors.re[k];
    }
    return cf32(re, im);
  };
  float power = 0;
  cf32 product{};
  for (std::size_t a = 0; a < n_antennas; ++a) {
    const cf32 z0 = sum(channel_[root][a][0]);
    const cf32 z1 = sum(channel_[root][a][1]);
    power += std::norm(z0) + std::norm(z1);
    product += z1 * std::conj(z0);
  }
  power += 2 * std::abs(product);
  return {root, slope, product, power};
}

// Adds both SSSS symbols of an antenna through the channel that PSSS shows, smoothed over a few subcarriers.
void slss_identity::fold(const resource_grid& g, const path& best, folded& f) const noexcept {
  const cf32* p0 = g.symbol(symbols_.psss[0]).data() + first_;
  const cf32* p1 = g.symbol(symbols_.psss[1]).data() + first_;
  const cf32* s0 = g.symbol(symbols_.ssss[0]).data() + first_;
  const cf32* s1 = g.symbol(symbols_.ssss[1]).data() + first_;
  std::array<cf32, slss_length> h;
  const cf32 step = phasor(best.slope);
  cf32 p = 1;
  for (int k = 0; k < slss_length; ++k) {
    h[k] = 0.5F * (p0[k] + std::conj(best.turn) * p1[k]) * std::conj(psss_[best.root][k]) * p;
    p *= step;
  }
  p = 1;
  for (int k = 0; k < slss_length; ++k) {
    cf32 mean{};
    const int low = std::max(0, k - smoothing_subcarriers);
    const int high = std::min(slss_length - 1, k + smoothing_subcarriers);
    for (int i = low; i <= high; ++i) mean += h[i];
    mean /= static_cast<float>(high - low + 1);
    f.channel_energy += std::norm(mean);
    const cf32 w = std::conj(mean) * (s0[k] + std::conj(best.turn) * s1[k]) * p;
    f.re[k] += w.real();
    f.im[k] += w.imag();
    p *= step;
  }
}

// The best and the second best of the identities of this root. False where nothing was received.
bool slss_identity::identify(const folded& f, int root, match& best) const noexcept {
  float energy = 0;
  for (int k = 0; k < slss_length; ++k) energy += f.re[k] * f.re[k] + f.im[k] * f.im[k];
  if (!(energy > 0)) return false;
  for (int n = 0; n < ids_per_psss_root; ++n) {
    const int id = root * ids_per_psss_root + n;
    const float* s = ssss_.data() + id * row;
    float r = 0;
    float i = 0;
    for (int k = 0; k < row; ++k) {
      r += f.re[k] * s[k];
      i += f.im[k] * s[k];
    }
    const float metric = (r * r + i * i) / (energy * slss_length);
    if (metric > best.ssss_metric) {
      best.second_metric = best.ssss_metric;
      best.ssss_metric = metric;
      best.n_sl_id = id;
    } else {
      best.second_metric = std::max(best.second_metric, metric);
    }
  }
  return true;
}

phase_observation slss_identity::phases(std::span<const resource_grid> grids, int n_sl_id, double slope,
                                        std::span<const float> noise) const noexcept {
  phase_observation o;
  o.interval_s = interval_s_;
  const auto& psss = psss_[n_sl_id / ids_per_psss_root];
  const float* ssss = ssss_.data() + n_sl_id * row;
  const cf32 step = phasor(slope);
  for (std::size_t a = 0; a < grids.size(); ++a) {
    const auto& g = grids[a];
    cf32 z[4] = {};
    cf32 p = 1;
    for (int k = 0; k < slss_length; ++k) {
      const int at = first_ + k;
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
