// What the tests on the simulated air share.
#pragma once

#include <gtest/gtest.h>

#include "mac/default_pools.h"
#include "tests/mac/sim_air.h"

namespace prose::mac::test {

inline bool linked(const sim_node& a_, const sim_node& b_) {
  auto& a = const_cast<sim_node&>(a_);
  auto& b = const_cast<sim_node&>(b_);
  const auto x = a.sec().links().link_with(a.id_of(b)), y = b.sec().links().link_with(b.id_of(a));
  if (!x || !y) return false;
  return a.sec().links().info(*x, 0)->key_fingerprint == b.sec().links().info(*y, 0)->key_fingerprint;
}
inline ue_config tm2() { return default_ue_config(phy::transmission_mode::tm2, 25); }
inline std::vector<std::uint8_t> numbered(int i, std::size_t n = 200) {
  std::vector<std::uint8_t> d(n, static_cast<std::uint8_t>(i * 31));
  d[0] = static_cast<std::uint8_t>(i >> 8), d[1] = static_cast<std::uint8_t>(i);
  return d;
}
inline int number_of(const std::vector<std::uint8_t>& d) { return d[0] << 8 | d[1]; }

}  // namespace prose::mac::test
