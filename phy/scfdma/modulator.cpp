#include "phy/scfdma/modulator.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace prose::phy {

scfdma_modulator::scfdma_modulator(const carrier_config& c) : carrier_(c), ifft_(c.fft_size, fft_direction::backward) {
  constexpr double pi = std::numbers::pi;
  const int n = c.fft_size;
  for (int i = 0; i < n; ++i) half_shift_.push_back(cf32(std::polar(1.0 / std::sqrt(n), pi * i / n)));
  std::vector<double> fractions;
  double previous_end = 0.0;
  for (int l = 0; l < c.symbols_per_subframe(); ++l) {
    const double start = symbol_start_samples(c, l);
    const double fraction = start - std::floor(start);
    auto& t = timing_[l];
    t.useful = static_cast<int>(std::floor(start));
    t.begin = static_cast<int>(std::ceil(previous_end));
    previous_end = start + n;
    t.end = std::min(static_cast<int>(std::ceil(previous_end)), c.samples_per_subframe());
    t.ramp = -1;
    if (fraction == 0.0) continue;
    const auto known = std::find(fractions.begin(), fractions.end(), fraction);
    t.ramp = static_cast<int>(known - fractions.begin());
    if (known != fractions.end()) continue;
    fractions.push_back(fraction);
    auto& ramp = ramps_.emplace_back();
    for (int k = 0; k < c.n_subcarriers(); ++k)
      ramp.push_back(cf32(std::polar(1.0, -2 * pi * (k - c.n_subcarriers() / 2 + 0.5) * fraction / n)));
  }
}

void scfdma_modulator::modulate(const resource_grid& grid, std::uint32_t used_symbols, std::span<cf32> out) noexcept {
  assert(out.size() == static_cast<std::size_t>(carrier_.samples_per_subframe()));
  const int n = carrier_.fft_size;
  const std::ptrdiff_t half = carrier_.n_subcarriers() / 2;
  const auto bins = ifft_.input();  // the bins between stay zero
  for (int l = 0; l < carrier_.symbols_per_subframe(); ++l) {
    const auto& t = timing_[l];
    if ((used_symbols & (1U << l)) == 0) {
      std::fill(out.begin() + t.begin, out.begin() + t.end, cf32{});
      continue;
    }
    const auto re = grid.symbol(l);
    if (t.ramp < 0) {
      std::copy(re.begin() + half, re.end(), bins.begin());
      std::copy(re.begin(), re.begin() + half, bins.end() - half);
    } else {
      const auto& ramp = ramps_[t.ramp];
      std::transform(re.begin() + half, re.end(), ramp.begin() + half, bins.begin(), std::multiplies<>());
      std::transform(re.begin(), re.begin() + half, ramp.begin(), bins.end() - half, std::multiplies<>());
    }
    ifft_.execute();
    const auto x = ifft_.output();
    // Half a turn of the half-subcarrier shift per N samples: what repeats does so with the opposite sign.
    const int useful_end = std::min(t.useful + n, t.end);
    cf32* y = out.data() + t.useful;
    for (int i = 0; i < useful_end - t.useful; ++i) y[i] = x[i] * half_shift_[i];
    for (int i = t.begin; i < t.useful; ++i) out[i] = -out[i + n];
    for (int i = useful_end; i < t.end; ++i) out[i] = -out[i - n];
  }
}

}  // namespace prose::phy
