#include "phy/air/interpolator.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "phy/air/kernels.h"

namespace prose::phy::air {
namespace {

constexpr double kaiser_beta = 8.0;  // about 80 dB of stop band
constexpr int taps_at_full_band = 32;
constexpr int longest_filter = 1024;

double bessel_i0(double x) {
  double sum = 1.0;
  double term = 1.0;
  for (int k = 1; k < 40; ++k) {
    term *= (x / (2.0 * k)) * (x / (2.0 * k));
    sum += term;
  }
  return sum;
}

}  // namespace

interpolator::interpolator(double tx_rate_hz, double rx_rate_hz, double offset_hz) {
  // In the transmitter's baseband the receiver sees [-offset - rx/2, -offset + rx/2].
  const double low = std::max(-tx_rate_hz / 2, -offset_hz - rx_rate_hz / 2);
  const double high = std::min(tx_rate_hz / 2, -offset_hz + rx_rate_hz / 2);
  const double width = std::max(high - low, tx_rate_hz * 1e-3) / tx_rate_hz;  // 0..1, of the transmitter's rate
  const double centre = (high + low) / 2 / tx_rate_hz;                        // cycles a transmitter's sample
  real_ = std::abs(centre) < 1e-9;
  n_taps_ = std::min(longest_filter, static_cast<int>(std::ceil(taps_at_full_band / width / group)) * group);
  const double half = n_taps_ / 2.0;
  re_.resize(2 * n_taps_ * (n_phases + 1));
  if (!real_) im_.resize(re_.size());
  for (int p = 0; p <= n_phases; ++p) {
    const double fraction = static_cast<double>(p) / n_phases;
    double sum = 0.0;
    std::vector<double> h(static_cast<std::size_t>(n_taps_));
    for (int l = 0; l < n_taps_; ++l) {
      const double tau = half - 1 + fraction - l;  // from sample l to the wanted instant
      const double x = tau * width;
      const double sinc = std::abs(x) < 1e-12 ? 1.0 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
      const double r = tau / half;
      const double w =
          std::abs(r) >= 1.0 ? 0.0 : bessel_i0(kaiser_beta * std::sqrt(1 - r * r)) / bessel_i0(kaiser_beta);
      h[l] = sinc * w;
      sum += sinc * w;
    }
    for (int l = 0; l < n_taps_; ++l) {
      const double tau = half - 1 + fraction - l;
      const double value = h[l] / sum;
      const double angle = 2 * std::numbers::pi * centre * tau;
      const std::size_t at = 2 * (p * n_taps_ + l);
      re_[at] = re_[at + 1] = static_cast<float>(value * std::cos(angle));
      if (!real_) im_[at] = im_[at + 1] = static_cast<float>(value * std::sin(angle));
    }
  }
}

cf32 interpolator::at(const cf32* window, double fraction) const {
  const double place = fraction * n_phases;
  const int phase = static_cast<int>(place);
  const float b = static_cast<float>(place - phase);
  const float* x = reinterpret_cast<const float*>(window);
  const float* h0 = re_.data() + 2 * phase * n_taps_;
  const float* h1 = h0 + 2 * n_taps_;
  const vec vb = splat(b);
  vec acc_re{};
  vec acc_im{};
  for (int i = 0; i < 2 * n_taps_; i += 2 * group) {
    const vec a = load(h0 + i);
    acc_re += load(x + i) * (a + vb * (load(h1 + i) - a));
  }
  if (!real_) {
    const float* g0 = im_.data() + 2 * phase * n_taps_;
    const float* g1 = g0 + 2 * n_taps_;
    for (int i = 0; i < 2 * n_taps_; i += 2 * group) {
      const vec a = load(g0 + i);
      acc_im += load(x + i) * (a + vb * (load(g1 + i) - a));
    }
  }
  float even_r = 0, odd_r = 0, even_i = 0, odd_i = 0;
  for (int i = 0; i < 2 * group; i += 2) {
    even_r += acc_re[i];
    odd_r += acc_re[i + 1];
    even_i += acc_im[i];
    odd_i += acc_im[i + 1];
  }
  return {even_r - odd_i, odd_r + even_i};
}

}  // namespace prose::phy::air
