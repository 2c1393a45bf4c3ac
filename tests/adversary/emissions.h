// What one UE emitted, as the ear at its antenna notes it (the air of the test blocks everybody else's way to the ear).
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "tests/adversary/town.h"

namespace prose::adversary {

struct emissions {
  int subframes = 0, discovery = 0, other = 0;
  std::set<int> a_period;  ///< numbers of emissions in whole discovery periods
};

inline emissions emitted(town& t, const node& m, std::int64_t from, std::int64_t to) {
  emissions o;
  std::map<std::int64_t, int> periods;
  to -= 2;
  const auto power = t.heard_power(from, to);
  for (std::int64_t s = from; s < to; ++s) {
    if (s % 320 == 0 && s + 320 <= to) periods[s / 320];
    const bool on = power[s - from] > -50;  // noise lies at -60, the UE's bursts at -32
    o.subframes += on;
    const bool disc = m.discovery_pool().n_candidates(node::absolute(s)) > 0;
    (disc ? o.discovery : o.other) += on;
    if (on && disc)
      if (const auto p = periods.find(s / 320); p != periods.end()) ++p->second;
  }
  for (const auto& [p, n] : periods) o.a_period.insert(n);
  return o;
}

}  // namespace prose::adversary
