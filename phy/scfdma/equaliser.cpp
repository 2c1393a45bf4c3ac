#include "phy/scfdma/equaliser.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace prose::phy {
namespace {

constexpr float min_gain = 1e-9F;      // below it nothing of the symbol is left: no division by it
constexpr float min_noise = 1e-6F;     // so that soft bits stay finite
constexpr float unknown_noise = 1e9F;  // of what is not left: soft bits near 0

cf32 phasor(double turns) {
  turns -= std::floor(turns);
  return cf32(std::polar(1.0F, static_cast<float>(2 * std::numbers::pi * turns)));
}

}  // namespace

equaliser::equaliser(const carrier_config& c, int n_antennas) : carrier_(c), n_antennas_(n_antennas) {
  for (int n = 1; n <= c.n_prb; ++n)
    if (is_235(n))
      inverse_[n] = std::make_unique<batch_dft>(n * subcarriers_per_prb, 1, batch_dft::direction::backward);
  const std::size_t rows = n_antennas;
  weights_.resize(rows * max_subcarriers);
  channel_.resize(rows * max_subcarriers);
  gain_.resize(max_subcarriers);
  combined_.resize(max_subcarriers);
  out_.resize(std::size_t{max_symbols_per_subframe} * max_subcarriers);
}

std::span<const cf32> equaliser::symbol(int i) const { return std::span(row_of(out_, i, max_subcarriers), m_); }

void equaliser::run(const channel_estimator& channel, std::span<const resource_grid> grids, int first_subcarrier,
                    std::span<const std::int8_t> symbols, std::span<const double> symbol_times_s,
                    double cfo_hz) noexcept {
  m_ = channel.m();
  assert(std::ssize(grids) >= n_antennas_);
  const auto& dft = *inverse_[m_ / subcarriers_per_prb];
  const bool still = channel.is_static();
  // The antenna's channel at time t; from it conj(h) / noise, and |h|^2 / noise added to gain_.
  const auto weigh_antenna = [&](int a, double t) {
    cf32* h = row_of(channel_, a, max_subcarriers);
    std::fill(h, h + m_, cf32{});
    for (int o = 0; o < channel.n_orders(); ++o) {
      if (!channel.order_used(o)) continue;
      const auto v = static_cast<float>(channel.basis(o, t));
      const cf32* q = channel.surface(a, o).data();
      for (int k = 0; k < m_; ++k) h[k] += v * q[k];
    }
    const float* inverse = channel.inverse_noise(a).data();
    cf32* w = row_of(weights_, a, max_subcarriers);
    for (int k = 0; k < m_; ++k) {
      w[k] = std::conj(h[k]) * inverse[k];
      gain_[k] += w[k].real() * h[k].real() - w[k].imag() * h[k].imag();
    }
  };
  float scale = 0, noise = 1;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const double t = symbol_times_s[symbols[i]];
    if (!still || i == 0) {
      // Weights conj(h) / noise / (1 + g), g = sum over antennas of |h|^2 / noise. After the inverse DFT a symbol
      // arrives with gain mu = mean g / (1 + g) and noise mu (1 - mu): undo the bias.
      std::fill(gain_.begin(), gain_.begin() + m_, 0.0F);
      for (int a = 0; a < n_antennas_; ++a) weigh_antenna(a, t);
      float mu = 0;
      for (int k = 0; k < m_; ++k) {
        const float loss = 1.0F / (1.0F + gain_[k]);
        mu += gain_[k] * loss;
        gain_[k] = loss;
      }
      mu /= static_cast<float>(m_);
      for (int a = 0; a < n_antennas_; ++a) {
        cf32* w = row_of(weights_, a, max_subcarriers);
        for (int k = 0; k < m_; ++k) w[k] *= gain_[k];
      }
      scale = mu > min_gain ? 1.0F / (mu * std::sqrt(static_cast<float>(m_))) : 0.0F;
      noise = mu > min_gain ? std::max((1.0F - mu) / mu, min_noise) : unknown_noise;
    }
    noise_[i] = noise;
    const cf32 turn = scale * phasor(-cfo_hz * t);
    for (int a = 0; a < n_antennas_; ++a) {
      const cf32* y = grids[a].symbol(symbols[i]).data() + first_subcarrier;
      const cf32* w = row_of(weights_, a, max_subcarriers);
      cf32* x = combined_.data();
      if (a == 0)
        for (int k = 0; k < m_; ++k) x[k] = y[k] * w[k] * turn;
      else
        for (int k = 0; k < m_; ++k) x[k] += y[k] * w[k] * turn;
    }
    dft.execute(combined_.data(), row_of(out_, i, max_subcarriers));
  }
}

}  // namespace prose::phy
