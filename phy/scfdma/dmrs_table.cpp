#include "phy/scfdma/dmrs_table.h"

#include <array>
#include <cassert>
#include <vector>

#include "phy/scfdma/dmrs.h"
#include "phy/types/carrier.h"

namespace prose::phy {
namespace {

constexpr int max_prb = 100;
constexpr int n_groups = 30;

struct table {
  std::array<std::size_t, max_prb + 1> first{};
  std::vector<cf32> values;
  table() {
    std::size_t total = 0;
    for (int n = 1; n <= max_prb; ++n) {
      if (!is_235(n)) continue;
      first[n] = total;
      total += static_cast<std::size_t>(n_groups * n * subcarriers_per_prb);
    }
    values.resize(total);
    for (int n = 1; n <= max_prb; ++n) {
      if (!is_235(n)) continue;
      const std::size_t m = n * subcarriers_per_prb;
      for (int u = 0; u < n_groups; ++u)
        dmrs_base_sequence(u, std::span(values).subspan(first[n] + static_cast<std::size_t>(u) * m, m));
    }
  }
};

}  // namespace

std::span<const cf32> base_sequence(int u, int n_prb) {
  static const table t;
  assert(u >= 0 && u < n_groups && n_prb <= max_prb && is_235(n_prb));
  const std::size_t m = n_prb * subcarriers_per_prb;
  return std::span(t.values).subspan(t.first[n_prb] + static_cast<std::size_t>(u) * m, m);
}

}  // namespace prose::phy
