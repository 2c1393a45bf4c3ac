#include "apps/lib/verdict/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace prose::apps {
namespace {
// Small, so that few repeated octets are learnt quickly; the first of each kind costs about 12 bits.
constexpr double prior = 1.0 / 16;

double clamp_p(double p) { return std::isnan(p) ? 1.0 : std::clamp(p, 0.0, 1.0); }
}  // namespace

interval wilson_95(std::uint64_t right, std::uint64_t trials) {
  if (trials == 0) return {};
  constexpr double z = 1.959963985;
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(std::min(right, trials)) / n;
  const double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

double poisson_tail(double mean, std::uint64_t k) {
  if (k == 0) return 1;
  if (!(mean > 0)) return 0;
  const auto n = static_cast<double>(k);
  if (n <= mean) return 1;  // no finding is near: no need for more
  // Sum of the terms from k on: each is smaller than the one before by at least mean / (k + 1).
  const double first = std::exp(n * std::log(mean) - mean - std::lgamma(n + 1));
  double sum = 0, term = first;
  for (double i = n + 1; term > sum * 1e-12 && i < n + 1000; ++i) {
    sum += term;
    term *= mean / i;
  }
  return clamp_p(sum);
}

double fair_coin_p(std::uint64_t ones, std::uint64_t n) {
  if (n == 0) return 1;
  const double d = static_cast<double>(ones) / static_cast<double>(n) - 0.5;
  return clamp_p(2 * std::exp(-2 * d * d * static_cast<double>(n)));
}

double chi_square_p(double value, double dof) {
  if (!(value > 0) || !(dof > 0)) return 1;
  const double a = dof / 2, x = value / 2;
  const double scale = std::exp(-x + a * std::log(x) - std::lgamma(a));
  if (x < a + 1) {  // series of the lower function
    double term = 1 / a, sum = term;
    for (int i = 1; i < 10'000 && term > sum * 1e-15; ++i) {
      term *= x / (a + i);
      sum += term;
    }
    return clamp_p(1 - sum * scale);
  }
  double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;  // Lentz's continued fraction of the upper one
  for (int i = 1; i < 10'000; ++i) {
    const double an = -i * (i - a);
    b += 2;
    d = an * d + b;
    if (std::abs(d) < 1e-300) d = 1e-300;
    c = b + an / c;
    if (std::abs(c) < 1e-300) c = 1e-300;
    d = 1 / d;
    h *= d * c;
    if (std::abs(d * c - 1) < 1e-14) break;
  }
  return clamp_p(scale * h);
}

double poisson_binomial_tail(std::span<const double> probability, std::uint64_t k) {
  if (k == 0) return 1;
  if (probability.size() > 2000) probability = probability.last(2000);
  std::vector<double> at(probability.size() + 1);
  at[0] = 1;
  std::size_t n = 0;
  for (const double p : probability) {
    ++n;
    for (std::size_t i = n; i > 0; --i) at[i] = at[i] * (1 - p) + at[i - 1] * p;
    at[0] *= 1 - p;
  }
  double sum = 0;
  for (std::size_t i = at.size(); i-- > k;) sum += at[i];
  return clamp_p(sum);
}

double octet_model::saving(std::uint8_t x) const {
  return 8 + std::log2((static_cast<double>(count_[x]) + prior) / (static_cast<double>(total_) + 256 * prior));
}

double code_saving::p_value() const { return std::min(1.0, std::exp2(-most_)); }

}  // namespace prose::apps
