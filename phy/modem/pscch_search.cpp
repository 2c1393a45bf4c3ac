#include "phy/modem/pscch_search.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "phy/scfdma/dmrs.h"
#include "phy/scfdma/dmrs_table.h"

namespace prose::phy {

pscch_search::pscch_search(const carrier_config& c)
    : carrier_(c), n_prb_(is_v2x(c.tm) ? 2 : 1), n_shifts_(is_v2x(c.tm) ? 4 : 1), bins_per_shift_(0), n_pilots_(0) {
  const symbol_map& map = symbols_of(sl_channel::pscch, c.cp, c.tm);
  n_pilots_ = map.n_dmrs;
  for (int i = 0; i < map.n_dmrs; ++i) symbols_[i] = map.dmrs[i];
  const int m = n_prb_ * subcarriers_per_prb;
  // Delays half a resolution apart, as far as a prefix reaches.
  const int reach = static_cast<int>(std::ceil(prefix_share(c.cp) * 2 * m));
  bins_per_shift_ = std::min(2 * reach + 1, max_bins / n_shifts_);
  const auto base = base_sequence(pscch_dmrs(c.tm, 0).f_ss, n_prb_);
  re_.assign(m * max_bins, 0.0F);
  im_.assign(re_.size(), 0.0F);
  for (int k = 0; k < m; ++k)
    for (int s = 0; s < n_shifts_; ++s)
      for (int b = 0; b < bins_per_shift_; ++b) {
        const double turns = (b - bins_per_shift_ / 2) / (2.0 * m) - shift_value(s) / 12.0;
        const cf32 w = std::conj(base[k]) * cf32(std::polar(1.0, 2 * std::numbers::pi * turns * k));
        const int at = k * max_bins + s * bins_per_shift_ + b;
        re_[at] = w.real();
        im_[at] = w.imag();
      }
  // Carrier offsets: with N nearly equidistant symbols, 2 N phase steps cover all.
  const int n_steps = 2 * n_pilots_;
  for (int f = 0; f < n_offsets; ++f)
    for (int i = 0; i < n_pilots_; ++i)
      offsets_[f][i] = f < n_steps ? cf32(std::polar(1.0, -2 * std::numbers::pi * f * i / n_steps)) : cf32{};
}

// Adds a reference symbol's correlation with each bin, and its energy.
void pscch_search::correlate(const cf32* y, row& re, row& im, float& energy) const noexcept {
  const int m = n_prb_ * subcarriers_per_prb;
  for (int b = 0; b < max_bins; ++b) re[b] = im[b] = 0;
  for (int k = 0; k < m; ++k) {
    const float yr = y[k].real();
    const float yi = y[k].imag();
    energy += yr * yr + yi * yi;
    const float* wr = re_.data() + k * max_bins;
    const float* wi = im_.data() + k * max_bins;
    for (int b = 0; b < max_bins; ++b) {
      re[b] += yr * wr[b] - yi * wi[b];
      im[b] += yr * wi[b] + yi * wr[b];
    }
  }
}

// Adds |sum of the symbols, turned back by this carrier offset|^2 of each bin.
void pscch_search::add_power(const correlations& z, const std::array<cf32, 4>& offset, row& total) const noexcept {
  alignas(64) row sr = {};
  alignas(64) row si = {};
  for (int l = 0; l < n_pilots_; ++l) {
    const float pr = offset[l].real();
    const float pi = offset[l].imag();
    for (int b = 0; b < max_bins; ++b) {
      sr[b] += z.re[l][b] * pr - z.im[l][b] * pi;
      si[b] += z.re[l][b] * pi + z.im[l][b] * pr;
    }
  }
  for (int b = 0; b < max_bins; ++b) total[b] += sr[b] * sr[b] + si[b] * si[b];
}

std::array<float, pscch_search::max_shifts> pscch_search::metrics(std::span<const resource_grid> grids,
                                                                  int first_prb) const noexcept {
  const int first = first_prb * subcarriers_per_prb;
  const int n_steps = 2 * n_pilots_;
  correlations z;
  alignas(64) row total[n_offsets] = {};
  float energy = 0;
  for (const auto& grid : grids) {
    for (int l = 0; l < n_pilots_; ++l) correlate(grid.symbol(symbols_[l]).data() + first, z.re[l], z.im[l], energy);
    for (int f = 0; f < n_steps; ++f) add_power(z, offsets_[f], total[f]);
  }
  alignas(64) row peak = {};
  for (int f = 0; f < n_steps; ++f)
    for (int b = 0; b < max_bins; ++b) peak[b] = std::max(peak[b], total[f][b]);
  std::array<float, max_shifts> result{};
  if (!(energy > 0)) return result;
  const float scale = 1.0F / (energy * static_cast<float>(n_prb_ * subcarriers_per_prb * n_pilots_));
  for (int s = 0; s < n_shifts_; ++s)
    for (int b = 0; b < bins_per_shift_; ++b) result[s] = std::max(result[s], peak[s * bins_per_shift_ + b] * scale);
  return result;
}

}  // namespace prose::phy
