// Sets and maps of octet strings. The default order of std::vector<std::uint8_t> is the same, but gcc 12 inlines it to
// a memcmp whose length it wrongly takes for negative, and warns (-Wstringop-overread) wherever such a set is used.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace prose {

/// Octet by octet; a string comes before every longer one that begins with it.
struct octet_order {
  bool operator()(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) const {
    const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    return y != b.end() && (x == a.end() || *x < *y);
  }
};
using octet_set = std::set<std::vector<std::uint8_t>, octet_order>;
template <class T>
using octet_map = std::map<std::vector<std::uint8_t>, T, octet_order>;

}  // namespace prose
