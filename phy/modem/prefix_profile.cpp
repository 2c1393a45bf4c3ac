#include "phy/modem/prefix_profile.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace prose::phy {
namespace {
constexpr double two_pi = 2 * std::numbers::pi;
// The half-subcarrier shift turns a prefix into the negative of the end of its symbol.
constexpr double interval_s = 1.0 / subcarrier_spacing_hz;
/// The later part of a prefix is used: echoes of the symbol before reach into the first part. Chosen, not derived.
constexpr double used_part = 0.7;
/// A bin belongs to an allocation from so far outside its edge. Chosen, not derived.
constexpr double edge_bins = 0.25;
}  // namespace

prefix_profile::prefix_profile(const carrier_config& c)
    : carrier_(c),
      size_(c.fft_size / (c.cp == cyclic_prefix::normal ? 8 : 4)),
      length_(0),
      dft_(size_, 2 * (c.symbols_per_subframe() - 1), batch_dft::direction::forward) {
  length_ = std::clamp(static_cast<int>(used_part * prefix_samples(c)), 1, size_);
  for (int l = 0; l + 1 < c.symbols_per_subframe(); ++l)  // the last one is never sent
    starts_.push_back(static_cast<int>(std::floor(symbol_start_samples(c, l))) - length_);
  const std::size_t n = size_ * 2 * starts_.size();
  time_.resize(n);
  frequency_.resize(n);
  products_.resize(size_);
}

prefix_profile::whole prefix_profile::measure(std::span<const subframe_samples> samples, int shift) const noexcept {
  float re = 0;
  float im = 0;
  float energy = 0;
  for (const auto& s : samples)
    for (const int start : starts_) {
      const cf32* x = s.at(start + shift);
      const cf32* y = s.at(start + shift + carrier_.fft_size);
      for (int i = 0; i < length_; ++i) {
        re += x[i].real() * y[i].real() + x[i].imag() * y[i].imag();
        im += x[i].real() * y[i].imag() - x[i].imag() * y[i].real();
        energy += 0.5F * (std::norm(x[i]) + std::norm(y[i]));
      }
    }
  whole w;
  if (!(energy > 0)) return w;
  const double independent = 0.5 * static_cast<double>(samples.size() * starts_.size()) * length_;
  w.noise_level = 1.0 / std::sqrt(std::max(independent, 1.0));
  w.correlation =
      std::min(1.0, std::hypot(static_cast<double>(re), static_cast<double>(im)) / static_cast<double>(energy));
  w.cfo_hz = std::atan2(-im, -re) / (two_pi * interval_s);
  return w;
}

void prefix_profile::analyse(std::span<const subframe_samples> samples, float amplitude, int shift) noexcept {
  std::fill(products_.begin(), products_.end(), cf32{});
  const float scale = -amplitude * amplitude / static_cast<float>(size_);
  for (const auto& s : samples) {
    for (std::size_t i = 0; i < starts_.size(); ++i)
      for (std::size_t part = 0; part < 2; ++part) {
        cf32* row = time_.data() + (2 * i + part) * size_;
        const cf32* x = s.at(starts_[i] + shift + (part == 1 ? carrier_.fft_size : 0));
        std::copy(x, x + length_, row);
        std::fill(row + length_, row + size_, cf32{});
      }
    dft_.execute(time_.data(), frequency_.data());
    for (std::size_t i = 0; i < starts_.size(); ++i) {
      const cf32* x = frequency_.data() + 2 * i * size_;
      const cf32* y = x + size_;
      for (int b = 0; b < size_; ++b) products_[b] += scale * std::conj(x[b]) * y[b];
    }
  }
}

prefix_observation prefix_profile::band(int first_subcarrier, int n_subcarriers) const noexcept {
  const double per_bin = static_cast<double>(carrier_.fft_size) / size_;
  const double low = first_subcarrier - 0.5 * carrier_.n_subcarriers();
  const double high = low + n_subcarriers;
  const int first = static_cast<int>(std::ceil(low / per_bin - edge_bins));
  const int last = std::max(first, static_cast<int>(std::floor(high / per_bin + edge_bins)));
  prefix_observation o;
  o.interval_s = interval_s;
  for (int b = first; b <= last; ++b) o.correlation += products_[(b % size_ + size_) % size_];
  // Edge bins reach beyond the allocation: only its share is counted.
  o.correlation *= static_cast<float>(std::min(1.0, n_subcarriers / (per_bin * (last - first + 1))));
  return o;
}

}  // namespace prose::phy
