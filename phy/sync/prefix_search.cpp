#include "phy/sync/prefix_search.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

namespace prose::phy {
namespace {

/// Where no threshold is given: noise alone exceeds it in one window of so many.
constexpr double windows_per_false_start = 1000.0;
/// A threshold above this would miss weak signals in short windows. Chosen, not derived.
constexpr double highest_threshold = 0.6;
/// Starts of the coarse pass in the length of a prefix. Chosen, not derived.
constexpr int coarse_starts_per_prefix = 16;
/// Peaks tried for each candidate that may be reported. Chosen, not derived.
constexpr int trials_per_candidate = 2;

}  // namespace

struct prefix_search::state {
  prefix_search_config config;
  float threshold = 0;
  int n_fft = 0;
  int starts = 0;
  int step = 1;       // of the coarse pass
  int n_symbols = 0;  // with a prefix that is sent: all but the last
  std::array<int, max_symbols_per_subframe> prefix_at{};
  std::array<int, max_symbols_per_subframe> prefix_length{};
  std::vector<std::complex<double>> product_sum;  // running sum of x(n) conj(x(n + n_fft)) over antennas
  std::vector<double> energy_sum;                 // running sum of |x(n)|^2 + |x(n + n_fft)|^2, halved
  std::vector<float> score;                       // |correlation| of each coarse start
  std::array<prefix_candidate, max_candidates> found{};

  std::complex<double> correlation(int start) const noexcept {
    std::complex<double> sum{};
    for (int l = 0; l < n_symbols; ++l) {
      const int p = start + prefix_at[l];
      sum += product_sum[p + prefix_length[l]] - product_sum[p];
    }
    return sum;
  }
  double energy(int start) const noexcept {
    double sum = 0;
    for (int l = 0; l < n_symbols; ++l) {
      const int p = start + prefix_at[l];
      sum += energy_sum[p + prefix_length[l]] - energy_sum[p];
    }
    return sum;
  }
  int best_start_near(int coarse, double& value) const noexcept;
};

prefix_search::prefix_search(std::unique_ptr<state> s) : s_(std::move(s)) {}
prefix_search::prefix_search(prefix_search&&) noexcept = default;
prefix_search& prefix_search::operator=(prefix_search&&) noexcept = default;
prefix_search::~prefix_search() = default;

result<prefix_search> prefix_search::make(const prefix_search_config& config) {
  if (config.n_antennas < 1 || config.n_antennas > 4) return fail("n_antennas: 1 to 4 are accepted");
  auto s = std::make_unique<state>();
  const carrier_config& c = config.carrier;
  s->config = config;
  s->n_fft = c.fft_size;
  s->starts = c.samples_per_subframe();
  s->n_symbols = c.symbols_per_subframe() - 1;
  int samples = 0;
  for (int l = 0; l < s->n_symbols; ++l) {
    const double begin = l == 0 ? 0.0 : symbol_start_samples(c, l - 1) + c.fft_size;
    s->prefix_at[l] = static_cast<int>(std::ceil(begin));
    s->prefix_length[l] = static_cast<int>(std::floor(symbol_start_samples(c, l))) - s->prefix_at[l];
    samples += s->prefix_length[l];
  }
  // The share that noise shows is Rayleigh distributed with a mean square of one over the number of samples. One start
  // exceeds sqrt(ln(1000 starts) / samples) with a probability of 1 / (1000 starts).
  const double noise = std::sqrt(std::log(windows_per_false_start * s->starts) / (samples * config.n_antennas));
  s->threshold = config.threshold > 0 ? config.threshold : static_cast<float>(std::min(highest_threshold, noise));
  s->step = std::max(1, s->prefix_length[1] / coarse_starts_per_prefix);
  const std::size_t total = 2 * s->starts;
  s->product_sum.resize(total + 1);
  s->energy_sum.resize(total + 1);
  s->score.resize(s->starts / s->step + 1);
  return prefix_search(std::move(s));
}

std::size_t prefix_search::window_samples() const { return 2 * s_->starts + s_->n_fft; }

std::span<const prefix_candidate> prefix_search::search(std::span<const cf32> antenna) noexcept {
  const std::array<std::span<const cf32>, 1> one{antenna};
  return search(one);
}

std::span<const prefix_candidate> prefix_search::search(std::span<const std::span<const cf32>> antennas) noexcept {
  state& s = *s_;
  const std::size_t total = s.energy_sum.size() - 1;
  const int lag = s.n_fft;
  std::complex<double> product{};
  double energy = 0;
  for (std::size_t i = 0; i < total; ++i) {
    for (const auto& x : antennas) {
      assert(x.size() >= window_samples());
      const cf32 p = x[i] * std::conj(x[i + lag]);
      product += std::complex<double>(p);
      energy += 0.5 * static_cast<double>(std::norm(x[i]) + std::norm(x[i + lag]));
    }
    s.product_sum[i + 1] = product;
    s.energy_sum[i + 1] = energy;
  }
  const int n = (s.starts + s.step - 1) / s.step;
  for (int i = 0; i < n; ++i) {
    const int start = i * s.step;
    s.score[i] = static_cast<float>(std::sqrt(std::norm(s.correlation(start))));  // no hypot: nothing overflows here
  }
  // The best start first. Each takes half a symbol to either side out of the search.
  const int apart = std::max(1, s.n_fft / 2 / s.step);
  int n_found = 0;
  for (int trial = 0; trial < trials_per_candidate * max_candidates && n_found < max_candidates; ++trial) {
    const auto end = s.score.begin() + n;
    const auto it = std::max_element(s.score.begin(), end);
    if (!(*it > 0)) break;
    const int at = it - s.score.begin();
    double best_value = -1;
    const int best = s.best_start_near(at, best_value);
    const double e = s.energy(best);
    const double share = e > 0 ? best_value / e : 0;
    if (share >= static_cast<double>(s.threshold)) {
      auto& c = s.found[n_found++];
      c.start_samples = best;
      c.correlation = static_cast<float>(share);
      c.score = static_cast<float>(best_value);
      // x(n) conj(x(n + N)) = -|x|^2 exp(-j 2 pi f / 15 kHz)
      c.cfo_hz = static_cast<float>(-std::arg(-s.correlation(best)) / (2.0 * std::numbers::pi) * subcarrier_spacing_hz);
    }
    std::fill(s.score.begin() + std::max(0, at - apart), s.score.begin() + std::min(n - 1, at + apart) + 1, 0.0F);
  }
  return std::span(s.found).first(n_found);
}

/// Every start between the neighbours of this one of the coarse pass; `value` is its |correlation|.
int prefix_search::state::best_start_near(int coarse, double& value) const noexcept {
  int best = coarse * step;
  for (int start = std::max(0, (coarse - 1) * step); start <= std::min(starts - 1, (coarse + 1) * step); ++start) {
    const double v = std::abs(correlation(start));
    if (v > value) {
      value = v;
      best = start;
    }
  }
  return best;
}

}  // namespace prose::phy
