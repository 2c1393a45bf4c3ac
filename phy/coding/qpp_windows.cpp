#include "phy/coding/qpp_windows.h"

#include <cstddef>
#include <vector>

namespace prose::phy {
namespace {

int choose_windows(int k) {
  constexpr int shortest = 64;  // shorter windows lose more at their edges than the further lanes gain
  if (k % 32 == 0 && k / 32 >= shortest) return 32;
  if (k % 16 == 0 && k / 16 >= shortest) return 16;
  return 8;  // every K is a multiple of 8
}

std::uint32_t times_x(const crc_code& c, std::uint32_t a) {
  const std::uint32_t top = (a >> (c.length - 1)) & 1U;
  return ((a << 1) & ((1U << c.length) - 1U)) ^ (top != 0 ? c.polynomial : 0U);
}
std::uint32_t multiply(const crc_code& c, std::uint32_t a, std::uint32_t b) {
  std::uint32_t r = 0;
  for (int i = c.length - 1; i >= 0; --i) {
    r = times_x(c, r);
    if (((b >> i) & 1U) != 0) r ^= a;
  }
  return r;
}

struct tables {
  std::vector<std::uint16_t> rows;
  std::vector<std::uint8_t> lanes;
  std::vector<std::uint32_t> weights;
  std::vector<qpp_windows> of;

  tables() {
    std::size_t n_rows = 0;
    std::size_t n_lanes = 0;
    std::size_t n_weights = 0;
    for (const qpp& q : qpp_all()) {
      n_rows += static_cast<std::size_t>(q.k / choose_windows(q.k));
      n_lanes += 2 * static_cast<std::size_t>(q.k);
      n_weights += 2 * static_cast<std::size_t>(choose_windows(q.k));
    }
    rows.resize(n_rows);
    lanes.resize(n_lanes);
    weights.resize(n_weights);
    std::uint16_t* row = rows.data();
    std::uint8_t* lane = lanes.data();
    std::uint32_t* weight = weights.data();
    for (const qpp& q : qpp_all()) {
      const int w = choose_windows(q.k);
      const int m = q.k / w;
      std::uint8_t* const give = lane + q.k;
      int i = 0;
      for_each_interleaved_index(q, [&](std::uint32_t from) {
        const int k = i % m;
        const int t = i / m;
        const int source = static_cast<int>(from) / m;
        if (t == 0) row[k] = static_cast<std::uint16_t>(static_cast<int>(from) % m);
        lane[k * w + t] = static_cast<std::uint8_t>(source);
        give[k * w + source] = static_cast<std::uint8_t>(t);
        ++i;
      });
      set_weights(crc24a, w, m, weight);
      set_weights(crc24b, w, m, weight + w);
      of.push_back({w, m, row, lane, give, weight, weight + w});
      row += m;
      lane += 2 * q.k;
      weight += 2 * w;
    }
  }

  static void set_weights(const crc_code& c, int w, int m, std::uint32_t* out) {
    std::uint32_t window = 1;  // x^M
    for (int i = 0; i < m; ++i) window = times_x(c, window);
    std::uint32_t power = 1;
    for (int t = w - 1; t >= 0; --t) {
      out[t] = power;
      power = multiply(c, power, window);
    }
  }
};

}  // namespace

const qpp_windows& qpp_windows_of(const qpp& q) noexcept {
  static const tables t;
  return t.of[&q - qpp_all().data()];
}

}  // namespace prose::phy
