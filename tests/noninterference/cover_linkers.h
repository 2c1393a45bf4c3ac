// Two linkers against link cover. They hear every block of every radio, know whose radio it was and read what is not
// encrypted; they learn on towns of the same kind whose truth they are told.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/noninterference/cover_town.h"

namespace prose::noninterference {

/// Wilson's interval for hits of n, at z standard deviations.
struct share {
  int hits = 0, n = 0;
  void add(bool hit) { hits += hit, ++n; }
  double rate() const { return n > 0 ? static_cast<double>(hits) / n : 0; }
  double bound(double z, int side) const {
    if (n == 0) return side < 0 ? 0 : 1;
    const double p = rate(), k = n, centre = p + z * z / (2 * k);
    return (centre + side * z * std::sqrt(p * (1 - p) / k + z * z / (4 * k * k))) / (1 + z * z / k);
  }
  double low(double z = 1.96) const { return bound(z, -1); }
  double high(double z = 1.96) const { return bound(z, 1); }
};

/// How often a linker says `real`: of what is, and of what is not. How many there are of each does not matter.
struct verdicts {
  share of_real, of_dummies;
  void add(bool says_real, bool is_real) { (is_real ? of_real : of_dummies).add(says_real); }
  /// Of right answers, if there were as many real ones as dummies. 0.5: the linker knows nothing.
  double right() const { return (1 + of_real.rate() - of_dummies.rate()) / 2; }
  /// Standard deviation of right() where the linker knows nothing.
  double deviation() const {
    const double n = of_real.n, m = of_dummies.n, p = (of_real.hits + of_dummies.hits) / (n + m);
    return std::sqrt(p * (1 - p) * (1 / n + 1 / m)) / 2;
  }
};

using flow_features = std::array<double, 15>;

/// One flow of John's for the time between two rounds, or for a part of it.
struct heard_life {
  flow_features f{};
  bool real = false;
};

/// What the blocks of one flow show; `interval_ms`: from one of its records to the next.
inline flow_features features_of(const std::vector<heard_cover_block>& blocks, std::int64_t since, int interval_ms) {
  flow_features f{};
  std::int64_t last = since;
  for (const auto& b : blocks) {
    f[0] += 1;
    f[1] += static_cast<double>(b.octets);
    f[2] += b.prb;
    f[3] += b.n_prb;
    f[4] += static_cast<double>(b.sdus.size());
    for (const auto& s : b.sdus) f[5] += static_cast<double>(s.octets), f[6] += s.lcid;
    f[7] += b.ones;
    const auto gap = static_cast<double>(b.subframe - last);
    f[8] += gap;
    f[9] += gap * gap;
    f[10] = std::max(f[10], gap);
    f[11] += static_cast<double>(b.subframe % 40);
    f[12] += b.src & 1U;
    f[14] += static_cast<double>(b.subframe % interval_ms);
    last = b.subframe;
  }
  f[13] = blocks.empty() ? 0 : static_cast<double>(blocks.front().subframe - since);
  return f;
}

/// How another radio's blocks lie behind those of one flow of John's: how soon the next one comes, and where in the
/// interval.
inline flow_features offsets_of(const std::vector<std::int64_t>& johns, const std::vector<std::int64_t>& theirs,
                                int interval_ms) {
  flow_features f{};
  constexpr std::int64_t bin_ms = 30, bins = 10;
  for (const auto t : johns) {
    const auto next = std::upper_bound(theirs.begin(), theirs.end(), t);
    if (next == theirs.end()) continue;
    f[static_cast<std::size_t>(std::min((*next - t) / bin_ms, bins))] += 1;
    f[11] += *next - t <= 10;
    const double angle = 2 * 3.14159265358979 * static_cast<double>((*next - t) % interval_ms) / interval_ms;
    f[12] += std::cos(angle);
    f[13] += std::sin(angle);
  }
  for (auto& x : f) x /= std::max<double>(1, static_cast<double>(johns.size()));
  return f;
}

/// Nearest mean of standardised features: learnt on some, asked about others.
class nearest_mean {
public:
  void learn(const std::vector<heard_life>& lives) {
    std::array<double, 2> n{};
    for (const auto& l : lives) {
      n[l.real] += 1;
      for (std::size_t i = 0; i < l.f.size(); ++i) mean_[l.real][i] += l.f[i];
    }
    for (int c = 0; c < 2; ++c)
      for (auto& m : mean_[c]) m /= std::max(n[c], 1.0);
    for (const auto& l : lives)
      for (std::size_t i = 0; i < l.f.size(); ++i) {
        const double d = l.f[i] - mean_[l.real][i];
        variance_[i] += d * d / static_cast<double>(lives.size());
      }
  }
  bool says_real(const flow_features& f) const { return score(f) > 0; }
  double score(const flow_features& f) const {
    double score = 0;
    for (std::size_t i = 0; i < f.size(); ++i) {
      // A feature that never varies within a class tells them apart by any difference.
      const double s = std::max(variance_[i], 1e-9);
      score += ((f[i] - mean_[0][i]) * (f[i] - mean_[0][i]) - (f[i] - mean_[1][i]) * (f[i] - mean_[1][i])) / s;
    }
    return score;
  }

private:
  std::array<flow_features, 2> mean_{};
  flow_features variance_{};
};

}  // namespace prose::noninterference
