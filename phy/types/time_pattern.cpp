#include "phy/types/time_pattern.h"

#include <array>
#include <bit>

namespace prose::phy {
namespace {

// For N_TRP = 8 the table runs through the numbers of weight 1, then 2, then 4, each ascending, and ends with all ones.
constexpr std::array<std::uint8_t, 107> make_patterns_of_8() {
  std::array<std::uint8_t, 107> t{};
  std::size_t i = 0;
  for (const int weight : {1, 2, 4, 8})
    for (unsigned v = 1; v < 256; ++v)
      if (std::popcount(v) == weight) t[i++] = static_cast<std::uint8_t>(v);
  return t;
}
constexpr auto patterns_of_8 = make_patterns_of_8();
static_assert(patterns_of_8[106] == 255);

}  // namespace

int n_trp(int tdd_config) { return tdd_config == 1 ? 7 : tdd_config == 4 || tdd_config == 7 ? 6 : 8; }

std::optional<std::uint8_t> time_pattern(int n, int i_trp) {
  if (i_trp < 0) return std::nullopt;
  if (n == 8) {
    if (i_trp >= static_cast<int>(patterns_of_8.size())) return std::nullopt;
    return patterns_of_8[i_trp];
  }
  if (i_trp == 0 || i_trp >= (1 << n)) return std::nullopt;
  return static_cast<std::uint8_t>(i_trp);
}

bool time_pattern_allowed_in_tm2(int n, int i_trp) {
  const auto p = time_pattern(n, i_trp);
  if (!p) return false;
  const int k = std::popcount(*p);
  return n == 8 ? k <= 4 : n == 7 ? k <= 5 : k <= 4;
}

}  // namespace prose::phy
