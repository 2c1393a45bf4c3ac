#include "phy/scfdma/demodulator.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace prose::phy {
namespace {
constexpr double two_pi = 2 * std::numbers::pi;
}

subframe_samples::subframe_samples(const carrier_config& c)
    : margin_(c.fft_size), body_(c.samples_per_subframe()), buffer_(body_ + 2 * margin_) {}

scfdma_demodulator::scfdma_demodulator(const carrier_config& c)
    : carrier_(c),
      dft_(c.fft_size, c.symbols_per_subframe(), batch_dft::direction::forward),
      one_dft_(c.fft_size, 1, batch_dft::direction::forward) {
  const int n = c.fft_size;
  const int n_sc = c.n_subcarriers();
  backoff_ = static_cast<int>(window_backoff * prefix_samples(c));
  max_shift_ = n / 2;
  std::vector<double> fractions;
  for (int l = 0; l < c.symbols_per_subframe(); ++l) {
    const double start = symbol_start_samples(c, l);
    const double whole = std::floor(start);
    window_start_.push_back(static_cast<int>(whole) - backoff_);
    const double fraction = start - whole;
    const auto found = std::find(fractions.begin(), fractions.end(), fraction);
    ramp_index_.push_back(static_cast<int>(found - fractions.begin()));
    if (found == fractions.end()) fractions.push_back(fraction);
  }
  for (const double fraction : fractions) {
    // The window starts d before the useful part: undo exp(-j 2 pi k d / N), and for the fraction also the half
    // subcarrier.
    const double d = backoff_ + fraction;
    auto& ramp = ramps_.emplace_back(static_cast<std::size_t>(n_sc));
    for (int k = 0; k < n_sc; ++k)
      ramp[k] = cf32(std::polar(1.0 / std::sqrt(n), two_pi * ((k - n_sc / 2) * d + 0.5 * fraction) / n));
  }
  half_shift_.resize(n);
  for (int i = 0; i < n; ++i) half_shift_[i] = cf32(std::polar(1.0, -std::numbers::pi * (i - backoff_) / n));
  rotation_.resize(n);
  const auto total = static_cast<std::size_t>(n) * static_cast<std::size_t>(c.symbols_per_subframe());
  time_.resize(total);
  frequency_.resize(total);
}

void scfdma_demodulator::make_rotation(double cfo_hz, float amplitude) noexcept {
  const int n = carrier_.fft_size;
  const double step = -two_pi * cfo_hz / carrier_.sample_rate_hz();
  if (cfo_hz == 0.0) {
    for (int i = 0; i < n; ++i) rotation_[i] = amplitude * half_shift_[i];
    return;
  }
  // Phasors in blocks: one exact start a block, so that rounding does not accumulate.
  constexpr int block = 64;
  std::array<cf32, block> fine;
  for (int i = 0; i < block; ++i) fine[i] = cf32(std::polar(1.0, step * i));
  for (int b = 0; b < n; b += block) {
    const cf32 coarse(std::polar(static_cast<double>(amplitude), step * (b - backoff_)));
    for (int i = 0; i < std::min(block, n - b); ++i) {
      const std::size_t j = b + i;
      rotation_[j] = half_shift_[j] * coarse * fine[i];
    }
  }
}

void scfdma_demodulator::take(const subframe_samples& in, int symbol, int shift, cf32* out) const noexcept {
  const cf32* x = in.at(window_start_[symbol] + shift);
  for (int i = 0; i < carrier_.fft_size; ++i) out[i] = x[i] * rotation_[i];
}

void scfdma_demodulator::put(const cf32* spectrum, int symbol, resource_grid& out) const noexcept {
  const int n_sc = carrier_.n_subcarriers();
  const int half = n_sc / 2;
  const cf32* ramp = ramps_[ramp_index_[symbol]].data();
  cf32* re = out.symbol(symbol).data();
  for (int k = 0; k < half; ++k) re[k] = spectrum[carrier_.fft_size - half + k] * ramp[k];
  for (int k = half; k < n_sc; ++k) re[k] = spectrum[k - half] * ramp[k];
}

void scfdma_demodulator::demodulate(const subframe_samples& in, int shift, double cfo_hz, float amplitude,
                                    resource_grid& out) noexcept {
  const std::ptrdiff_t n = carrier_.fft_size;
  shift = std::clamp(shift, min_shift(), max_shift_);
  make_rotation(cfo_hz, amplitude);
  for (int l = 0; l < carrier_.symbols_per_subframe(); ++l) take(in, l, shift, time_.data() + l * n);
  dft_.execute(time_.data(), frequency_.data());
  for (int l = 0; l < carrier_.symbols_per_subframe(); ++l) put(frequency_.data() + l * n, l, out);
}

void scfdma_demodulator::demodulate(const subframe_samples& in, int shift, double cfo_hz, float amplitude,
                                    resource_grid& out, std::span<const int> symbols) noexcept {
  shift = std::clamp(shift, min_shift(), max_shift_);
  make_rotation(cfo_hz, amplitude);
  for (const int l : symbols) {
    take(in, l, shift, time_.data());
    one_dft_.execute(time_.data(), frequency_.data());
    put(frequency_.data(), l, out);
  }
}

}  // namespace prose::phy
