#include "phy/scfdma/channel_estimator.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace prose::phy {
namespace {

constexpr double two_pi = 2 * std::numbers::pi;
constexpr int max_segment_prb = 12;  // the largest whose cosine terms (basis_size) fit into max_basis
// Allocations up to this size look for their timing in a bank of delays. Chosen, not derived.
constexpr int max_bank_prb = 6;
constexpr float noise_floor = 1e-5F;  // of the signal: no receiver reaches an SNR of 50 dB
constexpr float tiny = 1e-30F;        // keeps quotients of empty sums finite

// Products of subcarriers `lag` apart that keep less than this share of the magnitude at lag 1 are beyond the coherence
// bandwidth. Chosen, not derived.
constexpr float coherent_share = 0.6F;

// Carrier offsets: the raster must resolve the longest interval of two pilots, 0.65 ms (peaks 1.5 kHz apart). Chosen,
// not derived.
constexpr double min_raster_hz = 250.0;
constexpr int max_raster_points = 64;

// The noise variance is a sum of squares over what the fit left free; the fit counts as at most 3/4 of the resource
// elements, so that the quotient stays sound. Chosen, not derived.
constexpr float min_free_share = 0.25F;

float squared(cf32 x) { return x.real() * x.real() + x.imag() * x.imag(); }

cf32 phasor(double turns) {
  turns -= std::floor(turns);
  return cf32(std::polar(1.0F, static_cast<float>(two_pi * turns)));
}

// Cosine terms that a channel within about 3 us of the (removed) mean delay can reach: term b of n subcarriers stands
// for the delay b / (2 n 15 kHz), so 3 us is term 2 * 15 kHz * 3 us * n = 0.09 n. Two more for delays between the
// terms, and never more than a quarter of the subcarriers, so that noise is left to measure (both chosen, not derived).
int basis_size(int n) { return std::min(n / 4, static_cast<int>(std::ceil(0.09 * n)) + 2); }

// First cosine term of group g: 0, 1, 2, 4, 8; one weight a group.
constexpr int n_groups = 5;
constexpr std::array<int, n_groups + 1> group_first{0, 1, 2, 4, 8, 16};

// Level, in multiples of the noise variance, above which the mean |residual|^2 of a subcarrier over n reference symbols
// is interference, and of a resource block. The residual of noise is a mean of n (12 n) exponential variates: false
// alarms of 6e-9 to 2e-8 a subcarrier, 1e-10 to 2e-9 a block.
float subcarrier_threshold(int n) { return n >= 4 ? 6.5F : n == 3 ? 8.0F : 11.0F; }
float block_threshold(int n) { return n >= 4 ? 2.2F : n == 3 ? 2.4F : 2.7F; }

// Between flag_interference() and finish() a negative entry of inverse_noise_ stands for the common variance.
bool is_common(float inverse_noise) { return inverse_noise < 0; }

}  // namespace

channel_estimator::channel_estimator(const carrier_config& c, int n_antennas) : carrier_(c), n_antennas_(n_antennas) {
  const std::size_t antennas = n_antennas;
  const std::size_t rows = antennas * max_pilots;
  pilots_.resize(2 * rows * max_subcarriers);
  coefficients_.resize(rows * max_segments * max_basis);
  shrunk_.resize(coefficients_.size());
  surfaces_.resize(rows * max_subcarriers);
  residual_.resize(antennas * max_subcarriers);
  inverse_noise_.resize(residual_.size());
  scratch_.resize(max_subcarriers);
  ramp_.resize(max_subcarriers);
  for (int prb = 1; prb <= max_segment_prb; ++prb) {
    auto& t = cosines_[prb];
    const int n = prb * subcarriers_per_prb;
    t.n_basis = basis_size(n);
    assert(t.n_basis <= max_basis);
    for (int b = 0; b < t.n_basis; ++b)
      for (int k = 0; k < n; ++k)
        t.rows.push_back(static_cast<float>(
            b == 0 ? std::sqrt(1.0 / n) : std::sqrt(2.0 / n) * std::cos(std::numbers::pi * b * (k + 0.5) / n)));
  }
  for (int prb = 1; prb <= max_bank_prb; ++prb) {
    auto& t = bank_phasors_[prb];
    const int n = 4 * prb * subcarriers_per_prb;
    for (int i = 0; i < n; ++i) t.push_back(phasor(static_cast<double>(i) / n));
  }
}

std::span<cf32> channel_estimator::pilot(int antenna, int index) noexcept {
  return std::span(row_of(pilots_, antenna * max_pilots + index, max_subcarriers), m_);
}
std::span<const cf32> channel_estimator::pilot(int antenna, int index) const noexcept {
  return std::span(row_of(pilots_, antenna * max_pilots + index, max_subcarriers), m_);
}
cf32* channel_estimator::coefficient(int a, int i, int seg) noexcept {
  return row_of(coefficients_, (a * max_pilots + i) * max_segments + seg, max_basis);
}
std::span<const cf32> channel_estimator::surface(int antenna, int order) const noexcept {
  return std::span(row_of(surfaces_, antenna * max_pilots + order, max_subcarriers), m_);
}
std::span<const float> channel_estimator::inverse_noise(int antenna) const noexcept {
  return std::span(row_of(inverse_noise_, antenna, max_subcarriers), m_);
}

bool channel_estimator::is_static() const {
  return std::none_of(order_used_.begin() + 1, order_used_.end(), [](bool used) { return used; });
}

void channel_estimator::begin(int m, std::span<const double> pilot_times_s) noexcept {
  assert(m >= subcarriers_per_prb && m <= max_subcarriers && m % subcarriers_per_prb == 0);
  assert(!pilot_times_s.empty() && pilot_times_s.size() <= max_pilots);
  m_ = m;
  n_pilots_ = static_cast<int>(pilot_times_s.size());
  make_time_basis(pilot_times_s);
  const int n_prb = m / subcarriers_per_prb;
  n_segments_ = (n_prb + max_segment_prb - 1) / max_segment_prb;
  int first_prb = 0;
  for (int s = 0; s < n_segments_; ++s) {
    const int size_prb = n_prb / n_segments_ + (s < n_prb % n_segments_ ? 1 : 0);
    const auto& t = cosines_[size_prb];
    segments_[s] = {first_prb * subcarriers_per_prb, size_prb * subcarriers_per_prb, t.n_basis, t.rows.data()};
    first_prb += size_prb;
  }
}

void channel_estimator::make_time_basis(std::span<const double> times) noexcept {
  std::copy(times.begin(), times.end(), times_.begin());
  const auto n = times.size();
  n_orders_ = static_cast<int>(n);
  double centre = 0;
  for (const double t : times) centre += t / static_cast<double>(n);
  time_.centre = centre;
  // Gram-Schmidt of 1, x, x^2, ... over the pilots' times in ms.
  for (std::size_t o = 0; o < n; ++o) {
    auto& poly = time_.coefficients[o];
    auto& val = time_.values[o];
    poly.fill(0);
    poly[o] = 1;
    for (std::size_t i = 0; i < n; ++i) val[i] = std::pow((times[i] - centre) * 1e3, static_cast<double>(o));
    for (std::size_t p = 0; p < o; ++p) {
      double dot = 0;
      for (std::size_t i = 0; i < n; ++i) dot += val[i] * time_.values[p][i];
      for (std::size_t i = 0; i < n; ++i) val[i] -= dot * time_.values[p][i];
      for (std::size_t i = 0; i < max_pilots; ++i) poly[i] -= dot * time_.coefficients[p][i];
    }
    double norm = 0;
    for (std::size_t i = 0; i < n; ++i) norm += val[i] * val[i];
    norm = std::sqrt(norm);
    for (std::size_t i = 0; i < n; ++i) val[i] /= norm;
    for (auto& c : poly) c /= norm;
  }
}

double channel_estimator::basis(int order, double t_s) const noexcept {
  const double x = (t_s - time_.centre) * 1e3;
  double v = 0;
  for (int i = max_pilots - 1; i >= 0; --i) v = v * x + time_.coefficients[order][i];
  return v;
}

// Energy (over antennas and symbols) of the path with the delay `index` in a bank of 4 m delays a symbol.
float channel_estimator::energy_at(int index) const noexcept {
  const auto& phasors = bank_phasors_[m_ / subcarriers_per_prb];
  const int period = 4 * m_;
  const int step = index >= 0 ? index : index + period;
  float energy = 0;
  for (int a = 0; a < n_antennas_; ++a)
    for (int l = 0; l < n_pilots_; ++l) {
      const cf32* h = pilot(a, l).data();
      cf32 sum{};
      int turned = 0;
      for (int k = 0; k < m_; ++k) {
        sum += h[k] * phasors[turned];
        turned += step;
        if (turned >= period) turned -= period;
      }
      energy += squared(sum);
    }
  return energy;
}

// Few subcarriers: the strongest of a bank of delays, half a resolution apart and then a quarter.
float channel_estimator::timing_by_bank(const delay_range& delays) const noexcept {
  const int period = 4 * m_;
  const int first = std::max(std::min(-1, static_cast<int>(std::floor(delays.earliest * period))), -period / 2);
  const int last = std::min(std::max(1, static_cast<int>(std::ceil(delays.latest * period))), period / 2);
  int best = first;
  float peak = -1;
  for (int i = first; i <= last; i += 2)
    if (const float e = energy_at(i); e > peak) {
      peak = e;
      best = i;
    }
  float left = best > first ? energy_at(best - 1) : 0;
  float right = best < last ? energy_at(best + 1) : 0;
  if (left > peak || right > peak) {
    const bool later = right > left;
    best += later ? 1 : -1;
    (later ? left : right) = peak;
    peak = later ? right : left;
    (later ? right : left) = energy_at(best + (later ? 1 : -1));
  }
  float offset = 0;
  if (best > first && best < last) {
    const float curvature = left - 2 * peak + right;
    if (curvature < 0) offset = std::clamp(0.5F * (left - right) / curvature, -0.5F, 0.5F);
  }
  return (static_cast<float>(best) + offset) / static_cast<float>(period);
}

// Many subcarriers: the slope from products of subcarriers 1, 2, 4, ... apart, each resolving the next, as far as the
// channel's coherence bandwidth lets it.
float channel_estimator::timing_by_lags() const noexcept {
  double slope = 0;
  float first = 0;
  for (int lag = 1; lag <= m_ / 2; lag *= 2) {
    float re = 0;
    float im = 0;
    for (int a = 0; a < n_antennas_; ++a)
      for (int l = 0; l < n_pilots_; ++l) {
        const cf32* h = pilot(a, l).data();
        for (int k = 0; k < m_ - lag; ++k) {
          re += h[k].real() * h[k + lag].real() + h[k].imag() * h[k + lag].imag();
          im += h[k].imag() * h[k + lag].real() - h[k].real() * h[k + lag].imag();
        }
      }
    const float magnitude = std::sqrt(re * re + im * im) / static_cast<float>(m_ - lag);
    if (lag == 1) first = magnitude;
    if (!(magnitude > coherent_share * first)) break;
    const double turns = std::atan2(im, re) / two_pi;  // slope * lag, modulo 1
    double rest = turns - slope * lag;
    rest -= std::round(rest);
    slope += rest / lag;
  }
  return static_cast<float>(slope);
}

void channel_estimator::estimate_timing(const delay_range& delays) noexcept {
  slope_ = m_ <= max_bank_prb * subcarriers_per_prb ? timing_by_bank(delays) : timing_by_lags();
  timing_samples_ = static_cast<float>(slope_ * carrier_.fft_size);
  // ramp = exp(-j 2 pi slope (k - centre)): what the timing did to the channel.
  constexpr int block = 32;  // one exact phasor a block, so that rounding does not accumulate
  std::array<cf32, block> fine;
  for (int i = 0; i < block; ++i) fine[i] = phasor(-slope_ * i);
  const double centre = 0.5 * (m_ - 1);
  for (int b = 0; b < m_; b += block) {
    const cf32 coarse = phasor(-slope_ * (b - centre));
    for (int i = 0; i < std::min(block, m_ - b); ++i) ramp_[b + i] = coarse * fine[i];
  }
  for (int a = 0; a < n_antennas_; ++a)
    for (int l = 0; l < n_pilots_; ++l) {
      cf32* h = pilot(a, l).data();
      for (int k = 0; k < m_; ++k) h[k] *= std::conj(ramp_[k]);
    }
}

void channel_estimator::expand() noexcept {
  for (int a = 0; a < n_antennas_; ++a)
    for (int l = 0; l < n_pilots_; ++l)
      for (int s = 0; s < n_segments_; ++s) {
        const segment& seg = segments_[s];
        const cf32* h = pilot(a, l).data() + seg.first;
        cf32* c = coefficient(a, l, s);
        for (int b = 0; b < seg.n_basis; ++b) {
          const float* d = seg.row(b);
          float re = 0;
          float im = 0;
          for (int k = 0; k < seg.size; ++k) {
            re += h[k].real() * d[k];
            im += h[k].imag() * d[k];
          }
          c[b] = {re, im};
        }
      }
}

void channel_estimator::analyse(const delay_range& delays) noexcept {
  estimate_timing(delays);
  expand();
  energy_ = 0;
  int n_kept = 0;
  for (int s = 0; s < n_segments_; ++s) n_kept += segments_[s].n_basis;
  float flat = 0;
  for (int a = 0; a < n_antennas_; ++a) {
    float total = 0;
    float kept = 0;
    for (int l = 0; l < n_pilots_; ++l) {
      for (const cf32 h : pilot(a, l)) total += squared(h);
      for (int s = 0; s < n_segments_; ++s) {
        flat += squared(coefficient(a, l, s)[0]);
        for (int b = 0; b < segments_[s].n_basis; ++b) kept += squared(coefficient(a, l, s)[b]);
      }
    }
    energy_ += total;
    const auto n = static_cast<float>(n_pilots_ * m_);
    prior_noise_[a] = std::max(std::max(total - kept, 0.0F) / static_cast<float>(n_pilots_ * (m_ - n_kept)),
                               noise_floor * total / n + tiny);
  }
  path_share_ = flat / std::max(energy_, tiny);
}

// Products of each two reference symbols, over the coefficients that carry signal, in units of the noise.
struct channel_estimator::pilot_products {
  struct pair {
    double interval = 0;
    cf32 product{};
  };
  std::array<pair, max_pilots*(max_pilots - 1) / 2> pairs{};
  std::size_t n_pairs = 0;
  int n_pilots = 0;
  float explained = 0;  // energy that the coarsest group of coefficients has above the noise
  float noise = 0;      // variance, mean over the antennas

  // Log-likelihood of the offset f up to a constant.
  double score(double f) const {
    double score = 0;
    for (std::size_t p = 0; p < n_pairs; ++p) {
      const double angle = two_pi * f * pairs[p].interval;
      score += 2.0 / n_pilots * (pairs[p].product.real() * std::cos(angle) + pairs[p].product.imag() * std::sin(angle));
    }
    return score;
  }
  // The same at first + (i - 1) * step for each entry i of the raster, by turning phasors.
  void score_raster(double first, double step, std::span<double> raster) const {
    for (std::size_t p = 0; p < n_pairs; ++p) {
      cf32 turned =
          2.0F / static_cast<float>(n_pilots) * pairs[p].product * phasor(-(first - step) * pairs[p].interval);
      const cf32 advance = phasor(-step * pairs[p].interval);
      for (double& score : raster) {
        score += static_cast<double>(turned.real());
        turned *= advance;
      }
    }
  }
  // The local maximum near f, from the phases left at each interval.
  double refine(double f, double step) const {
    constexpr int n_rounds = 2;  // chosen: the phases are linear in f this close to the maximum
    for (int round = 0; round < n_rounds; ++round) {
      double weighted = 0;
      double weights = 0;
      for (std::size_t p = 0; p < n_pairs; ++p) {
        const double t = pairs[p].interval;
        const cf32 rest = pairs[p].product * phasor(-f * t);
        weighted += std::abs(rest) * t * std::arg(rest);
        weights += two_pi * std::abs(rest) * t * t;
      }
      if (weights > 0) f += std::clamp(weighted / weights, -step, step);
    }
    return f;
  }
};

void channel_estimator::add_products(std::size_t group, float weight, int antenna, pilot_products& out) noexcept {
  for (int s = 0; s < n_segments_; ++s)
    for (int b = group_first[group]; b < std::min(group_first[group + 1], segments_[s].n_basis); ++b) {
      std::size_t p = 0;
      for (int i = 0; i < n_pilots_; ++i)
        for (int j = 0; j < i; ++j)
          out.pairs[p++].product += weight * coefficient(antenna, i, s)[b] * std::conj(coefficient(antenna, j, s)[b]);
    }
}

channel_estimator::pilot_products channel_estimator::multiply_pilots() noexcept {
  pilot_products out;
  out.n_pilots = n_pilots_;
  for (int i = 0; i < n_pilots_; ++i)
    for (int j = 0; j < i; ++j) out.pairs[out.n_pairs++].interval = times_[i] - times_[j];
  for (int a = 0; a < n_antennas_; ++a) {
    const float var = prior_noise_[a];
    out.noise += var / static_cast<float>(n_antennas_);
    for (std::size_t g = 0; g < n_groups; ++g) {
      float power = 0;
      int count = 0;
      for (int s = 0; s < n_segments_; ++s)
        for (int b = group_first[g]; b < std::min(group_first[g + 1], segments_[s].n_basis); ++b) {
          for (int l = 0; l < n_pilots_; ++l) power += squared(coefficient(a, l, s)[b]);
          count += n_pilots_;
        }
      if (count == 0) continue;
      power /= static_cast<float>(count);
      const float weight = std::max(0.0F, 1.0F - var / std::max(power, tiny)) / var;
      if (g == 0) out.explained += static_cast<float>(count) * std::max(0.0F, power - var);
      if (weight > 0) add_products(g, weight, a, out);
    }
  }
  return out;
}

std::span<const cfo_hypothesis> channel_estimator::cfo_hypotheses(double centre_hz, double span_hz,
                                                                  const prefix_observation& prefix,
                                                                  const phase_observation& extra) noexcept {
  const pilot_products products = multiply_pilots();
  // Two noisy observations of one unknown: the log-likelihood of the angle between prefix and symbol end.
  const double per_re = products.explained / static_cast<double>(n_antennas_ * n_pilots_ * m_);
  const double prefix_weight = 2 * per_re / (products.noise * (2 * per_re + products.noise));
  const auto prefix_at = [&](double f) {
    const double angle = two_pi * f * prefix.interval_s;
    const double other = two_pi * f * extra.interval_s;
    return prefix_weight * (prefix.correlation.real() * std::cos(angle) + prefix.correlation.imag() * std::sin(angle)) +
           extra.weighted.real() * std::cos(other) + extra.weighted.imag() * std::sin(other);
  };

  // Local maxima of the reference symbols' score on a coarse raster with one more point at either end.
  const double step = std::max(min_raster_hz, 2 * span_hz / (max_raster_points - 3));
  const int n_points = static_cast<int>(std::floor(2 * span_hz / step)) + 1;
  std::array<double, max_raster_points + 2> raster{};
  const double first = centre_hz - 0.5 * step * (n_points - 1);
  products.score_raster(first, step, std::span(raster).first(n_points + 2));
  std::size_t n_found = 0;
  for (int i = 0; i < n_points; ++i) {
    const double here = raster[i + 1];
    const bool peak = here >= raster[i] && here > raster[i + 2];
    if (!peak && products.n_pairs > 0) continue;
    const double f = products.refine(first + i * step, step);
    if (n_found < hypotheses_.size())
      hypotheses_[n_found++] = {static_cast<float>(f), static_cast<float>(products.score(f) + prefix_at(f))};
  }
  if (n_found == 0) hypotheses_[n_found++] = {static_cast<float>(centre_hz), 0};
  std::sort(hypotheses_.begin(), hypotheses_.begin() + n_found,
            [](const auto& x, const auto& y) { return x.score > y.score; });
  return {hypotheses_.data(), std::min<std::size_t>(n_found, max_hypotheses)};
}

void channel_estimator::fit(double cfo_hz) noexcept {
  constexpr int n_repairs = 2;  // the second when the fit is no longer drawn towards the interference
  const std::size_t used_rows = n_antennas_ * max_pilots;
  const std::size_t used = used_rows * max_subcarriers;
  fit_run run;
  run.variances = prior_noise_;
  for (int l = 0; l < n_pilots_; ++l) run.back[l] = phasor(-cfo_hz * times_[l]);
  for (int pass = 0;; ++pass) {
    const double flat = shrink(run);
    if (pass == 0) metric_ = static_cast<float>(flat / std::max(energy_, tiny));
    build_surfaces();
    const bool interference = measure_noise(run);
    const bool again = pass == 0 ? interference : pass < n_repairs && run.repaired;
    if (!again) break;
    // Replace what was hit by the fit and fit again without it.
    if (pass == 0) std::copy(pilots_.begin(), pilots_.begin() + used, pilots_.begin() + used);
    repair_outliers();
    expand();
    run.repaired = true;
  }
  finish(run);
  if (run.repaired) {
    std::copy(pilots_.begin() + used, pilots_.begin() + 2 * used, pilots_.begin());
    expand();
  }
}

// Polynomials over time, each group of coefficients shrunk by how far it stands above the noise. Returns the energy
// that a flat, static channel explains.
double channel_estimator::shrink(fit_run& run) noexcept {
  const auto back = run.back;
  const auto variances = run.variances;
  order_used_.fill(false);
  float kept_dimensions = 0;
  double flat = 0;
  for (int o = 0; o < n_orders_; ++o)
    for (std::size_t g = 0; g < n_groups; ++g) {
      float ratio_sum = 0;
      int count = 0;
      for (int a = 0; a < n_antennas_; ++a)
        for (int s = 0; s < n_segments_; ++s) {
          const int last = std::min(group_first[g + 1], segments_[s].n_basis);
          cf32* out = shrunk(a, o, s);
          for (int b = group_first[g]; b < last; ++b) {
            cf32 e{};
            for (int l = 0; l < n_pilots_; ++l)
              e += static_cast<float>(time_.values[o][l]) * back[l] * coefficient(a, l, s)[b];
            // Not squared(): with fused products the order decides the last bit.
            const float power = e.imag() * e.imag() + e.real() * e.real();
            out[b] = e;
            ratio_sum += power / variances[a];
            ++count;
            if (o == 0 && b == 0) flat += power;
          }
        }
      if (count == 0) continue;
      const auto n = static_cast<float>(count);
      // The fewer coefficients, the further they must stand out to be believed.
      const float gain = std::max(0.0F, 1.0F - (1.0F + 1.0F / std::sqrt(n)) * n / std::max(ratio_sum, tiny));
      kept_dimensions += gain * n;
      if (gain > 0) order_used_[o] = true;
      scale_group(o, g, gain);
    }
  run.kept_dimensions = kept_dimensions;
  return flat;
}

void channel_estimator::scale_group(int order, std::size_t group, float gain) noexcept {
  for (int a = 0; a < n_antennas_; ++a)
    for (int s = 0; s < n_segments_; ++s) {
      const int last = std::min(group_first[group + 1], segments_[s].n_basis);
      cf32* out = shrunk(a, order, s);
      for (int b = group_first[group]; b < last; ++b) out[b] *= gain;
    }
}

// Back to subcarriers; the timing is still removed.
void channel_estimator::build_surfaces() noexcept {
  for (int a = 0; a < n_antennas_; ++a)
    for (int o = 0; o < n_orders_; ++o) {
      if (!order_used_[o]) continue;
      cf32* q = surface_row(a, o);
      for (int s = 0; s < n_segments_; ++s) {
        const segment& seg = segments_[s];
        const cf32* e = shrunk(a, o, s);
        std::fill(q + seg.first, q + seg.first + seg.size, cf32{});
        for (int b = 0; b < seg.n_basis; ++b) {
          if (e[b] == cf32{}) continue;
          const float* d = seg.row(b);
          const float re = e[b].real();
          const float im = e[b].imag();
          for (int k = 0; k < seg.size; ++k) q[seg.first + k] += cf32(re * d[k], im * d[k]);
        }
      }
    }
}

// Noise variances from what the surfaces leave unexplained. True where interference was found, which is looked for only
// before the first repair.
bool channel_estimator::measure_noise(fit_run& run) noexcept {
  float signal = 0;
  float noise_total = 0;
  bool interference = false;
  const float per_antenna_dimensions = run.kept_dimensions / static_cast<float>(n_antennas_);
  const auto n_re = static_cast<float>(n_pilots_ * m_);
  for (int a = 0; a < n_antennas_; ++a) {
    const float total = measure_residual(a, run);
    if (order_used_[0])
      for (const cf32 q : surface(a, 0)) signal += squared(q);
    int n_good = m_;
    if (run.repaired) {
      const auto inverse = inverse_noise(a);
      n_good = std::max(1, static_cast<int>(std::count_if(inverse.begin(), inverse.end(), is_common)));
    }
    const auto n_used = static_cast<float>(n_pilots_ * n_good);
    const float variance = std::max(total / std::max(n_used - per_antenna_dimensions, min_free_share * n_used),
                                    noise_floor * energy_ / (n_re * static_cast<float>(n_antennas_)) + tiny);
    noise_total += variance;
    run.variances[a] = variance;
    if (!run.repaired) interference = flag_interference(a, variance) || interference;
  }
  signal_power_ = signal / (static_cast<float>(n_pilots_ * m_) * static_cast<float>(n_antennas_));
  noise_variance_ = noise_total / static_cast<float>(n_antennas_);
  return interference;
}

// Sum of |residual|^2 of all pilots; by subcarrier too (residual_, mean over the pilots) before the first repair.
float channel_estimator::measure_residual(int antenna, const fit_run& run) noexcept {
  float* residual = row_of(residual_, antenna, max_subcarriers);
  if (!run.repaired) std::fill(residual, residual + m_, 0.0F);
  float total = 0;
  for (int l = 0; l < n_pilots_; ++l) {
    const cf32* h = pilot(antenna, l).data();
    float* model = scratch_.data();
    std::array<float, max_pilots> v{};
    for (int o = 0; o < n_orders_; ++o) v[o] = order_used_[o] ? static_cast<float>(time_.values[o][l]) : 0.0F;
    const cf32 rotate = run.back[l];
    const cf32* q0 = surface(antenna, 0).data();
    const bool still = is_static();
    for (int k = 0; k < m_; ++k) {
      cf32 r = h[k] * rotate - v[0] * (order_used_[0] ? q0[k] : cf32{});
      if (!still)
        for (int o = 1; o < n_orders_; ++o)
          if (v[o] != 0) r -= v[o] * surface(antenna, o)[k];
      model[k] = squared(r);
    }
    for (int k = 0; k < m_; ++k) total += model[k];
    if (!run.repaired)
      for (int k = 0; k < m_; ++k) residual[k] += model[k] / static_cast<float>(n_pilots_);
  }
  return total;
}

// Interference: single subcarriers, then whole resource blocks. Sets inverse_noise_ of what is hit, and a negative
// value where the common variance applies.
bool channel_estimator::flag_interference(int antenna, float variance) noexcept {
  const float* residual = row_of(residual_, antenna, max_subcarriers);
  float* inverse = row_of(inverse_noise_, antenna, max_subcarriers);
  const float limit = subcarrier_threshold(n_pilots_) * variance;
  const float block_limit = block_threshold(n_pilots_) * variance;
  // A block of so few would be most of what the variance was measured on.
  const bool check_blocks = m_ > 2 * subcarriers_per_prb;
  bool found = false;
  for (int b = 0; b < m_; b += subcarriers_per_prb) {
    float sum = 0;
    float peak = 0;
    for (int k = b; k < b + subcarriers_per_prb; ++k) {
      sum += residual[k];
      peak = std::max(peak, residual[k]);
    }
    const float mean = sum / subcarriers_per_prb;
    const bool block = check_blocks && mean > block_limit;
    for (int k = b; k < b + subcarriers_per_prb; ++k) {
      const bool single = residual[k] > limit;
      inverse[k] = single ? 1.0F / residual[k] : block ? 1.0F / mean : -1.0F;
    }
    found = found || block || peak > limit;
  }
  return found;
}

// The common variance where nothing was flagged; the timing put back.
void channel_estimator::finish(const fit_run& run) noexcept {
  const float per_antenna_dimensions = run.kept_dimensions / static_cast<float>(n_antennas_);
  const auto n_re = static_cast<float>(n_pilots_ * m_);
  const float estimation_loss = 1.0F + per_antenna_dimensions / n_re;
  double snr = 0;
  for (int a = 0; a < n_antennas_; ++a) {
    float* inverse = row_of(inverse_noise_, a, max_subcarriers);
    const float variance = run.variances[a];
    const float common = 1.0F / (variance * estimation_loss);
    for (int k = 0; k < m_; ++k) inverse[k] = is_common(inverse[k]) ? common : std::min(inverse[k], common);
    if (order_used_[0]) {
      float power = 0;
      for (const cf32 q : surface(a, 0)) power += squared(q);
      snr += power / n_re / variance;
    }
    for (int o = 0; o < n_orders_; ++o) {
      if (!order_used_[o]) continue;
      cf32* q = surface_row(a, o);
      for (int k = 0; k < m_; ++k) q[k] *= ramp_[k];
    }
  }
  snr_ = static_cast<float>(snr);
}

void channel_estimator::repair_outliers() noexcept {
  for (int a = 0; a < n_antennas_; ++a)
    for (int l = 0; l < n_pilots_; ++l) repair_pilot(a, l);
}

// The surfaces are those of the last pass. The pilots still contain the rotation of the carrier offset, so it is
// measured on the good subcarriers.
void channel_estimator::repair_pilot(int antenna, int index) noexcept {
  const float* inverse = row_of(inverse_noise_, antenna, max_subcarriers);
  cf32* h = pilot(antenna, index).data();
  cf32 turn{};
  const auto model = [&](int k) {
    cf32 v{};
    for (int o = 0; o < n_orders_; ++o)
      if (order_used_[o]) v += static_cast<float>(time_.values[o][index]) * surface(antenna, o)[k];
    return v;
  };
  for (int k = 0; k < m_; ++k)
    if (is_common(inverse[k])) turn += h[k] * std::conj(model(k));
  const float size = std::abs(turn);
  if (size > 0) turn /= size;
  for (int k = 0; k < m_; ++k)
    if (!is_common(inverse[k])) h[k] = turn * model(k);
}

}  // namespace prose::phy
