#include "phy/air/fading.h"

#include <cmath>
#include <numbers>
#include <span>

#include "phy/air/kernels.h"

namespace prose::phy::air {
namespace {

struct tap {
  double delay_ns;
  double power_db;
};

// TS 36.101 Table B.2.1-2, Extended Pedestrian A.
constexpr std::array<tap, 7> epa{
    {{0, 0.0}, {30, -1.0}, {70, -2.0}, {90, -3.0}, {110, -8.0}, {190, -17.2}, {410, -20.8}}};
// TS 36.101 Table B.2.1-3, Extended Vehicular A.
constexpr std::array<tap, 9> eva{{{0, 0.0},
                                  {30, -1.5},
                                  {150, -1.4},
                                  {310, -3.6},
                                  {370, -0.6},
                                  {710, -9.1},
                                  {1090, -7.0},
                                  {1730, -12.0},
                                  {2510, -16.9}}};

double uniform(std::uint64_t h) { return static_cast<double>(h >> 11) * 0x1p-53; }

}  // namespace

fading_channel::fading_channel(fading_profile profile, double doppler_hz, std::uint64_t key) {
  std::span<const tap> taps;
  if (profile == fading_profile::epa) taps = epa;
  if (profile == fading_profile::eva) taps = eva;
  double total = 0.0;
  for (const tap& t : taps) total += std::pow(10.0, t.power_db / 10.0);
  for (std::size_t i = 0; i < taps.size(); ++i) {
    delays_s_.push_back(taps[i].delay_ns * 1e-9);
    amplitudes_.push_back(std::sqrt(std::pow(10.0, taps[i].power_db / 10.0) / total / n_waves));
    // Sum of waves from all around, their angles spread evenly with a random turn: Clarke's model with the spectrum of
    // Jakes.
    auto& waves = waves_.emplace_back();
    const std::uint64_t tap_key = mix64(key + i);
    const double turn = uniform(mix64(tap_key));
    for (std::size_t w = 0; w < n_waves; ++w) {
      const double angle = 2 * std::numbers::pi * (static_cast<double>(w) + turn) / n_waves;
      waves[w] = {doppler_hz * std::cos(angle), uniform(mix64(tap_key ^ (w + 1)))};
    }
  }
}

cf32 fading_channel::gain(int tap, double t_s) const {
  double re = 0.0;
  double im = 0.0;
  for (const wave& w : waves_[tap]) {
    const double turns = w.rate_hz * t_s + w.phase_turns;
    const double angle = 2 * std::numbers::pi * (turns - std::floor(turns));
    re += std::cos(angle);
    im += std::sin(angle);
  }
  const double a = amplitudes_[tap];
  return {static_cast<float>(a * re), static_cast<float>(a * im)};
}

}  // namespace prose::phy::air
