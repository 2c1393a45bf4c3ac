// Tail probabilities, confidence intervals and adaptive codes. All p-values are upper bounds or exact where nothing
// else is said.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace prose::apps {

struct interval {
  double low = 0, high = 1;
};
/// Wilson's interval of a proportion, 95 %.
interval wilson_95(std::uint64_t right, std::uint64_t trials);

/// P(X >= k) for X ~ Poisson(mean). For rare events it also bounds the binomial tail from above at k > mean.
double poisson_tail(double mean, std::uint64_t k);
/// P(|X - n/2| >= |ones - n/2|) for X ~ Binomial(n, 1/2): Hoeffding's bound, hence never too small.
double fair_coin_p(std::uint64_t ones, std::uint64_t n);
/// P(chi-square with `dof` degrees >= value): regularised upper incomplete gamma function.
double chi_square_p(double value, double dof);
/// P(X >= k) for a sum of independent trials with these probabilities. Exact (O(n^2)); n is cut to the last 2000.
double poisson_binomial_tail(std::span<const double> probability, std::uint64_t k);

/// An adaptive code for octets: probability of x is (count[x] + a) / (total + 256 a). The code length of random octets
/// is below 8 n - s bits with a probability of at most 2^-s, for every n at once (Ville's inequality: the ratio of the
/// two probabilities is a martingale), so that compressibility has a p-value without any assumption on what would
/// compress.
class octet_model {
public:
  /// Bits saved against 8 by coding x now (may be negative); then learns x.
  double code(std::uint8_t x) {
    const double saved = saving(x);
    ++count_[x];
    ++total_;
    return saved;
  }
  double saving(std::uint8_t x) const;

private:
  std::array<std::uint32_t, 256> count_{};
  std::uint32_t total_ = 0;
};

/// Bits saved so far and the most that were ever saved.
class code_saving {
public:
  void add(double bits) {
    now_ += bits;
    if (now_ > most_) most_ = now_;
  }
  double most() const { return most_; }
  double p_value() const;

private:
  double now_ = 0, most_ = 0;
};

}  // namespace prose::apps
