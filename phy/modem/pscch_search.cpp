#include "phy/modem/pscch_search.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "phy/scfdma/demodulator.h"
#include "phy/scfdma/dmrs.h"
#include "phy/scfdma/dmrs_table.h"
#include "phy/types/delay_range.h"

namespace prose::phy {
namespace {
constexpr int bins_of_one_shift = 16;
/// The window may lie so far outside a transmission's prefix (1.5 us) and still show its reference symbols 16 dB above
/// what leaks from symbol to symbol. Chosen, not derived.
constexpr double tolerated_share = 0.0225;
}  // namespace

pscch_search::pscch_search(const carrier_config& c)
    : carrier_(c), n_prb_(is_v2x(c.tm) ? 2 : 1), n_shifts_(is_v2x(c.tm) ? max_shifts : 1), n_pilots_(0) {
  const symbol_map& map = symbols_of(sl_channel::pscch, c.cp, c.tm);
  n_pilots_ = map.n_dmrs;
  for (int i = 0; i < map.n_dmrs; ++i) symbols_[i] = map.dmrs[i];
  const int m = n_prb_ * subcarriers_per_prb;
  n_places_ = 2 * m;
  shift_places_ = n_places_ / max_shifts;
  const delay_range delays = received_delays(c.cp);
  const auto bin_of = [&](double delay) { return static_cast<int>(std::lround(delay * n_places_)); };
  first_bin_ = bin_of(delays.earliest);
  last_bin_ = bin_of(delays.latest);
  const double prefix = prefix_samples(c) / c.fft_size;
  first_in_window_ = static_cast<int>(std::ceil((-window_backoff * prefix - tolerated_share) * n_places_));
  last_in_window_ = static_cast<int>(std::floor(((1 - window_backoff) * prefix + tolerated_share) * n_places_));
  // With four shifts the bins go once around the symbol, otherwise over the delays.
  const int n_bins = n_shifts_ > 1 ? most_bins : bins_of_one_shift;
  const auto base = base_sequence(pscch_dmrs(c.tm, 0).f_ss, n_prb_);
  re_.assign(m * n_bins, 0.0F);
  im_.assign(re_.size(), 0.0F);
  for (int k = 0; k < m; ++k)
    for (int b = 0; b < (n_shifts_ > 1 ? n_bins : last_bin_ - first_bin_ + 1); ++b) {
      const double turns = delay_of(n_shifts_ > 1 ? b : first_bin_ + b);
      const cf32 w = std::conj(base[k]) * cf32(std::polar(1.0, 2 * std::numbers::pi * turns * k));
      re_[k * n_bins + b] = w.real();
      im_[k * n_bins + b] = w.imag();
    }
  // Carrier offsets: with N nearly equidistant symbols, 2 N phase steps cover all.
  const int n_steps = 2 * n_pilots_;
  for (int f = 0; f < n_offsets; ++f)
    for (int i = 0; i < n_pilots_; ++i)
      offsets_[f][i] = f < n_steps ? cf32(std::polar(1.0, -2 * std::numbers::pi * f * i / n_steps)) : cf32{};
}

namespace {

template <int n_bins>
struct correlations {  // of each reference symbol of one antenna
  alignas(64) float re[4][n_bins];
  alignas(64) float im[4][n_bins];
};

// A reference symbol's correlation with each bin; adds its energy.
template <int n_bins>
void correlate(const cf32* y, int m, const float* table_re, const float* table_im, float (&re)[n_bins],
               float (&im)[n_bins], float& energy) noexcept {
  for (int b = 0; b < n_bins; ++b) re[b] = im[b] = 0;
  for (int k = 0; k < m; ++k) {
    const float yr = y[k].real();
    const float yi = y[k].imag();
    energy += yr * yr + yi * yi;
    const float* wr = table_re + k * n_bins;
    const float* wi = table_im + k * n_bins;
    for (int b = 0; b < n_bins; ++b) {
      re[b] += yr * wr[b] - yi * wi[b];
      im[b] += yr * wi[b] + yi * wr[b];
    }
  }
}

// Adds |sum of the symbols, turned back by this carrier offset|^2 of each bin.
template <int n_bins>
void add_power(const correlations<n_bins>& z, int n_pilots, const std::array<cf32, 4>& offset,
               float (&total)[n_bins]) noexcept {
  alignas(64) float sr[n_bins] = {};
  alignas(64) float si[n_bins] = {};
  for (int l = 0; l < n_pilots; ++l) {
    const float pr = offset[l].real();
    const float pi = offset[l].imag();
    for (int b = 0; b < n_bins; ++b) {
      sr[b] += z.re[l][b] * pr - z.im[l][b] * pi;
      si[b] += z.re[l][b] * pi + z.im[l][b] * pr;
    }
  }
  for (int b = 0; b < n_bins; ++b) total[b] += sr[b] * sr[b] + si[b] * si[b];
}

}  // namespace

// The share of the reference symbols' energy that each bin explains.
template <int n_bins>
void pscch_search::correlate_all(std::span<const resource_grid> grids, int first_prb,
                                 std::array<float, most_bins>& share) const noexcept {
  const int m = n_prb_ * subcarriers_per_prb;
  const int first = first_prb * subcarriers_per_prb;
  const int n_steps = 2 * n_pilots_;
  correlations<n_bins> z;
  alignas(64) float total[n_offsets][n_bins] = {};
  float energy = 0;
  for (const auto& grid : grids) {
    for (int l = 0; l < n_pilots_; ++l)
      correlate<n_bins>(grid.symbol(symbols_[l]).data() + first, m, re_.data(), im_.data(), z.re[l], z.im[l], energy);
    for (int f = 0; f < n_steps; ++f) add_power<n_bins>(z, n_pilots_, offsets_[f], total[f]);
  }
  if (!(energy > 0)) return;
  const float scale = 1.0F / (energy * static_cast<float>(m * n_pilots_));
  for (int f = 0; f < n_steps; ++f)
    for (int b = 0; b < n_bins; ++b) share[b] = std::max(share[b], total[f][b]);
  for (int b = 0; b < n_bins; ++b) share[b] *= scale;
}

pscch_search::peaks pscch_search::find(std::span<const resource_grid> grids, int first_prb,
                                       float at_least) const noexcept {
  alignas(64) std::array<float, most_bins> share{};
  if (n_shifts_ > 1)
    correlate_all<most_bins>(grids, first_prb, share);
  else
    correlate_all<bins_of_one_shift>(grids, first_prb, share);
  peaks result{};
  float most = 0;
  for (const float s : share) most = std::max(most, s);
  if (most < at_least) return result;
  for (int s = 0; s < n_shifts_; ++s)
    for (int bin = first_bin_; bin <= last_bin_; ++bin) {
      const float here = share[n_shifts_ > 1 ? place_of(s, bin) : bin - first_bin_];
      // At either end of its range a shift sees the flank of the next shift's path.
      const bool flank = n_shifts_ > 1 && (share[place_of(s, bin - 1)] > here || share[place_of(s, bin + 1)] > here);
      if (here > result[s].metric && !flank) result[s] = {here, bin};
    }
  return result;
}

}  // namespace prose::phy
