#include "phy/dsp/multipath.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace prose::phy {
namespace {

struct profile_tap {
  double delay_ns, power_db;
};
// TS 36.101 table B.2.1-2, Extended Pedestrian A.
constexpr std::array<profile_tap, 7> epa{
    {{0, 0.0}, {30, -1.0}, {70, -2.0}, {90, -3.0}, {110, -8.0}, {190, -17.2}, {410, -20.8}}};
// TS 36.101 table B.2.1-3, Extended Vehicular A.
constexpr std::array<profile_tap, 9> eva{{{0, 0.0},
                                          {30, -1.5},
                                          {150, -1.4},
                                          {310, -3.6},
                                          {370, -0.6},
                                          {710, -9.1},
                                          {1090, -7.0},
                                          {1730, -12.0},
                                          {2510, -16.9}}};

constexpr std::array<fading_model, 4> models{
    {{"awgn", "", 0}, {"epa5", "EPA", 5}, {"eva70", "EVA", 70}, {"eva180", "EVA", 180}}};

/// Gains are held for so many samples: at 180 Hz the channel turns by less than 0.4 degrees in 32 samples of 1.92 Msps.
constexpr std::size_t hold_samples = 32;

double windowed_sinc(double x, double half) {
  if (std::abs(x) >= half) return 0;
  const double sinc = std::abs(x) < 1e-9 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
  const double c = std::cos(std::numbers::pi * x / (2 * half));
  return sinc * c * c;
}
}  // namespace

std::optional<fading_model> fading_model_from(std::string_view name) {
  for (const auto& m : models)
    if (m.name == name) return m;
  return std::nullopt;
}

multipath_channel::multipath_channel(const fading_model& model, double sample_rate_hz)
    : fading_(!model.profile.empty()), rate_hz_(sample_rate_hz), doppler_hz_(model.max_doppler_hz) {
  std::span<const profile_tap> profile;
  if (model.profile == "EPA") profile = epa;
  if (model.profile == "EVA") profile = eva;
  double total = 0;
  for (const auto& p : profile) total += std::pow(10.0, p.power_db / 10);
  for (const auto& p : profile) {
    tap t;
    t.delay_samples = p.delay_ns * 1e-9 * sample_rate_hz;
    t.amplitude = std::sqrt(std::pow(10.0, p.power_db / 10) / total / n_waves);
    taps_.push_back(std::move(t));
  }
  if (!fading_) return;
  n_filter_ = static_cast<std::size_t>(std::ceil(taps_.back().delay_samples)) + 2 * half_kernel;
  filter_.resize(n_filter_);
  for (auto& t : taps_) {
    t.kernel.resize(n_filter_);
    for (std::size_t k = 0; k < n_filter_; ++k)
      t.kernel[k] =
          static_cast<float>(windowed_sinc(static_cast<double>(k) - delay_samples() - t.delay_samples, half_kernel));
  }
}

void multipath_channel::draw(simulation_rng& rng) {
  // Clarke's model: waves from all around, evenly spread with a random turn, random phases.
  for (auto& t : taps_) {
    const double turn = rng.uniform();
    for (int w = 0; w < n_waves; ++w) {
      const double angle = 2 * std::numbers::pi * (w + turn) / n_waves;
      t.waves[w] = {doppler_hz_ * std::cos(angle), 2 * std::numbers::pi * rng.uniform()};
    }
  }
}

cf32 multipath_channel::tap_gain(std::size_t index, double t_s) const {
  const tap& t = taps_[index];
  double re = 0, im = 0;
  for (const auto& w : t.waves) {
    const double angle = 2 * std::numbers::pi * w.rate_hz * t_s + w.phase;
    re += std::cos(angle);
    im += std::sin(angle);
  }
  return {static_cast<float>(t.amplitude * re), static_cast<float>(t.amplitude * im)};
}

void multipath_channel::apply(std::span<const cf32> in, std::int64_t first_sample, std::span<cf32> out) const {
  assert(in.size() == out.size());
  if (!fading_) {
    std::copy(in.begin(), in.end(), out.begin());
    return;
  }
  for (std::size_t at = 0; at < in.size(); at += hold_samples) {
    const std::size_t n = std::min(hold_samples, in.size() - at);
    const double t_s = (static_cast<double>(first_sample) + static_cast<double>(at) + 0.5 * hold_samples) / rate_hz_;
    std::fill(filter_.begin(), filter_.end(), cf32{});
    for (std::size_t i = 0; i < taps_.size(); ++i) {
      const cf32 g = tap_gain(i, t_s);
      for (std::size_t k = 0; k < n_filter_; ++k) filter_[k] += g * taps_[i].kernel[k];
    }
    for (std::size_t s = at; s < at + n; ++s) {
      cf32 sum{};
      for (std::size_t k = 0, last = std::min(n_filter_ - 1, s); k <= last; ++k) sum += filter_[k] * in[s - k];
      out[s] = sum;
    }
  }
}

}  // namespace prose::phy
