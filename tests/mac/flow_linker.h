// Attributes flows to one radio by exclusion: a UE sends one burst a subframe (single carrier), so two flows of one
// radio never share a subframe, while those of two radios meet by chance. For whoever hears all subframes and reads SRC
// and DST off the blocks; no key helps or hinders. The figures of this linker are a stated limit (security/THREATS.md),
// not a fault that a test could find mended.
#pragma once

#include <cmath>
#include <cstdint>
#include <set>

namespace prose::mac::test {

/// The subframes in which one (SRC, DST) was heard.
class heard_flow {
public:
  void heard(std::int64_t subframe) { at_.insert(subframe); }
  const std::set<std::int64_t>& subframes() const { return at_; }
  void clear() { at_.clear(); }

private:
  std::set<std::int64_t> at_;
};

struct exclusion {
  int together = 0;     ///< subframes that both flows used
  double expected = 0;  ///< the mean of that for two radios
  /// Probability that two radios meet so rarely (Poisson).
  double chance() const {
    double term = std::exp(-expected), sum = term;
    for (int k = 1; k <= together; ++k) sum += term *= expected / k;
    return sum;
  }
  bool one_radio(double alpha = 1e-3) const { return chance() < alpha; }
};

/// Two radios choose their subframes independently among `usable` ones of each window of `window` subframes (an SC
/// period in TM2). What each sends in a window is taken as given, so that traffic that comes and goes together tells
/// nothing.
inline exclusion exclude(const heard_flow& a, const heard_flow& b, int window, int usable) {
  exclusion e;
  auto i = a.subframes().begin();
  auto j = b.subframes().begin();
  while (i != a.subframes().end() && j != b.subframes().end()) {
    const std::int64_t w = *i / window;
    if (*j / window < w) {
      ++j;
      continue;
    }
    const auto i0 = i;
    int na = 0, nb = 0;
    for (; i != a.subframes().end() && *i / window == w; ++i) ++na;
    for (; j != b.subframes().end() && *j / window == w; ++j) ++nb;
    for (auto k = i0; k != i; ++k) e.together += b.subframes().contains(*k);
    e.expected += static_cast<double>(na) * nb / usable;
  }
  return e;
}

}  // namespace prose::mac::test
