// Two samples, one question: could they come from one distribution? Each test gives the probability, were it so, of
// what was found or worse.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace prose::noninterference {

/// Two-sided, of a standard normal variable.
inline double normal_two_sided(double z) { return std::erfc(std::abs(z) / std::sqrt(2.0)); }

/// Rank sum (Mann, Whitney 1947) with mid-ranks and the variance that ties leave; two-sided, normal approximation. The
/// values of one sample must be independent of each other: one value a run, not one an event.
inline double rank_sum(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<std::pair<double, int>> all;
  for (const double x : a) all.emplace_back(x, 0);
  for (const double x : b) all.emplace_back(x, 1);
  std::sort(all.begin(), all.end());
  const auto n = static_cast<double>(all.size()), na = static_cast<double>(a.size()),
             nb = static_cast<double>(b.size());
  double sum = 0, ties = 0;
  for (std::size_t i = 0; i < all.size();) {
    std::size_t k = i;
    while (k < all.size() && all[k].first == all[i].first) ++k;
    const auto t = static_cast<double>(k - i);
    const double rank = (static_cast<double>(i) + static_cast<double>(k) + 1) / 2;  // the first has rank 1
    for (std::size_t j = i; j < k; ++j)
      if (all[j].second == 0) sum += rank;
    ties += t * t * t - t;
    i = k;
  }
  if (na == 0 || nb == 0 || n < 2) return 1;
  const double variance = na * nb / 12 * ((n + 1) - ties / (n * (n - 1)));
  return variance <= 0 ? 1 : normal_two_sided((sum - na * (n + 1) / 2) / std::sqrt(variance));
}

/// Two counts of independent rare events from samples of equal size: given their sum, each event is of either with
/// probability 1/2. Exact, two-sided.
inline double equal_rates(std::uint64_t a, std::uint64_t b) {
  const auto n = static_cast<double>(a + b);
  if (n == 0) return 1;
  const auto least = static_cast<double>(std::min(a, b));
  double p = 0;
  for (double k = 0; k <= least; ++k)
    p += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) - n * std::log(2.0));
  return std::min(1.0, 2 * p);
}

/// Upper tail of the chi-square distribution.
inline double chi_square_tail(double x, double degrees) {
  const double a = degrees / 2, h = x / 2;
  if (h <= 0) return 1;
  const double front = std::exp(-h + a * std::log(h) - std::lgamma(a));
  if (h < a + 1) {  // series of the lower tail
    double term = 1 / a, sum = term;
    for (double k = a + 1; term > sum * 1e-16; ++k) sum += term *= h / k;
    return std::max(0.0, 1 - front * sum);
  }
  double b = h + 1 - a, c = 1e300, d = 1 / b, f = d;  // continued fraction of the upper one (Lentz)
  for (int i = 1; i < 10'000; ++i) {
    const double an = -i * (i - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    const double step = c * d;
    f *= step;
    if (std::abs(step - 1) < 1e-15) break;
  }
  return front * f;
}

/// Homogeneity of two histograms of independent draws; neighbouring cells are put together until both samples expect at
/// least 20 in each.
inline double same_histogram(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  double na = 0, nb = 0;
  for (const auto x : a) na += static_cast<double>(x);
  for (const auto x : b) nb += static_cast<double>(x);
  if (na == 0 || nb == 0) return 1;
  std::vector<std::pair<double, double>> cells(1);
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const double both = cells.back().first + cells.back().second;
    if (both * std::min(na, nb) / (na + nb) >= 20) cells.emplace_back();
    cells.back().first += i < a.size() ? static_cast<double>(a[i]) : 0;
    cells.back().second += i < b.size() ? static_cast<double>(b[i]) : 0;
  }
  if (cells.size() > 1 && (cells.back().first + cells.back().second) * std::min(na, nb) / (na + nb) < 20) {
    const auto last = cells.back();
    cells.pop_back();
    cells.back().first += last.first, cells.back().second += last.second;
  }
  if (cells.size() < 2) return 1;
  double x = 0;
  for (const auto& [u, v] : cells) {
    const double eu = (u + v) * na / (na + nb), ev = (u + v) * nb / (na + nb);
    x += (u - eu) * (u - eu) / eu + (v - ev) * (v - ev) / ev;
  }
  return chi_square_tail(x, static_cast<double>(cells.size() - 1));
}

}  // namespace prose::noninterference
