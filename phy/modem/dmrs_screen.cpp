#include "phy/modem/dmrs_screen.h"

#include <algorithm>
#include <cmath>

#include "phy/scfdma/dmrs_table.h"

namespace prose::phy {
namespace {

constexpr int max_prb = 100;
constexpr int n_groups = 30;

/// conj(r(k + 1)) r(k) of every base sequence r, real parts before imaginary ones; the last of a sequence is 0.
struct product_table {
  std::array<std::size_t, max_prb + 1> first{};
  aligned_vector<float> values;
  product_table() {
    std::size_t total = 0;
    for (int n = 1; n <= max_prb; ++n) {
      if (!is_235(n)) continue;
      first[n] = total;
      total += 2 * n_groups * n * subcarriers_per_prb;
    }
    values.resize(total);
    for (int n = 1; n <= max_prb; ++n) {
      if (!is_235(n)) continue;
      const std::size_t m = n * subcarriers_per_prb;
      for (int u = 0; u < n_groups; ++u) {
        const auto r = base_sequence(u, n);
        float* re = values.data() + first[n] + 2 * m * u;
        for (std::size_t k = 0; k + 1 < m; ++k) {
          const cf32 d = std::conj(r[k + 1]) * r[k];
          re[k] = d.real();
          re[m + k] = d.imag();
        }
      }
    }
  }
};
const float* products_of_sequence(int u, int n_prb) {
  static const product_table t;
  const std::size_t m = n_prb * subcarriers_per_prb;
  return t.values.data() + t.first[n_prb] + 2 * m * u;
}

}  // namespace

dmrs_screen::dmrs_screen(const carrier_config& c) : n_subcarriers_(c.n_subcarriers()) {
  for (products& s : symbols_) {
    s.re.resize(n_subcarriers_);
    s.im.resize(n_subcarriers_);
    s.energy.resize(n_subcarriers_ + 1);
  }
  products_of_sequence(0, 1);  // makes the table now, not in the first subframe
}

const dmrs_screen::products& dmrs_screen::products_of(const grid_cache::entry& grid, int symbol) noexcept {
  if (!known_ || grid.cfo_hz != cfo_hz_ || grid.shift != shift_) {
    for (products& s : symbols_) s.made = false;
    known_ = true;
    cfo_hz_ = grid.cfo_hz;
    shift_ = grid.shift;
  }
  products& s = symbols_[symbol];
  if (s.made) return s;
  s.made = true;
  std::fill(s.re.begin(), s.re.end(), 0.0F);
  std::fill(s.im.begin(), s.im.end(), 0.0F);
  std::fill(s.energy.begin(), s.energy.end(), 0.0);
  for (const resource_grid& antenna : grid.antennas) {
    const cf32* y = antenna.symbol(symbol).data();
    for (std::size_t k = 0; k + 1 < n_subcarriers_; ++k) {
      s.re[k] += y[k + 1].real() * y[k].real() + y[k + 1].imag() * y[k].imag();
      s.im[k] += y[k + 1].imag() * y[k].real() - y[k + 1].real() * y[k].imag();
    }
    for (std::size_t k = 0; k < n_subcarriers_; ++k)
      s.energy[k + 1] += static_cast<double>(y[k].real() * y[k].real() + y[k].imag() * y[k].imag());
  }
  for (std::size_t k = 0; k < n_subcarriers_; ++k) s.energy[k + 1] += s.energy[k];
  return s;
}

float dmrs_screen::share(const grid_cache::entry& grid, const dmrs_params& p, const symbol_map& map,
                         int first_subcarrier, int n_prb) noexcept {
  const int m = n_prb * subcarriers_per_prb;
  const std::size_t first = first_subcarrier;
  float re = 0;
  float im = 0;
  double energy = 0;
  for (int i = 0; i < map.n_dmrs; ++i) {
    const products& y = products_of(grid, map.dmrs[i]);
    const float* a = y.re.data() + first;
    const float* b = y.im.data() + first;
    const float* c = products_of_sequence(sequence_group(p, i), n_prb);
    const float* d = c + m;
    for (int k = 0; k < m; ++k) {
      re += a[k] * c[k] - b[k] * d[k];
      im += a[k] * d[k] + b[k] * c[k];
    }
    energy += y.energy[first + m] - y.energy[first];
  }
  return energy > 0 ? std::sqrt(re * re + im * im) / static_cast<float>(energy) : 0.0F;
}

// The root mean square of a wrong sequence's share, between bounds that are chosen, not derived.
float dmrs_screen::least_share(int n_res) {
  constexpr float least_of_many = 0.06F, least_of_few = 0.1F;
  return std::clamp(1.0F / std::sqrt(static_cast<float>(n_res)), least_of_many, least_of_few);
}

}  // namespace prose::phy
