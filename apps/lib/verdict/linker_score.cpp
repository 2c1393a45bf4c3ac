#include "apps/lib/verdict/linker_score.h"

#include <cstdio>

#include "apps/lib/verdict/statistics.h"

namespace prose::apps {

void linker_score::add(double chance, bool right) {
  if (chance_.size() == most) {
    n_right_ -= right_.front() ? 1 : 0;
    chance_.erase(chance_.begin());
    right_.erase(right_.begin());
  }
  chance_.push_back(chance);
  right_.push_back(right);
  n_right_ += right ? 1 : 0;
}

double linker_score::chance() const {
  double mean = 0;
  for (const double c : chance_) mean += c / static_cast<double>(chance_.size());
  return mean;
}

double linker_score::p_value() const { return chance_.empty() ? 1.0 : poisson_binomial_tail(chance_, n_right_); }

std::string linker_score::text(const std::string& what) const {
  const auto ci = wilson_95(n_right_, trials());
  char t[120];
  std::snprintf(t, sizeof t, " succeeds in %llu of %zu trials, 95 %% interval %.3f to %.3f, chance %.3f",
                static_cast<unsigned long long>(n_right_), trials(), ci.low, ci.high, chance());
  return what + t;
}

}  // namespace prose::apps
