#include "phy/modem/grid_cache.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace prose::phy {

grid_cache::grid_cache(const carrier_config& c, int n_antennas) : demodulator_(c) {
  for (std::size_t i = 0; i < n_entries; ++i) {
    auto& s = slots_.emplace_back();
    for (int a = 0; a < n_antennas; ++a) s.e.antennas.emplace_back(c);
  }
}

void grid_cache::begin_subframe(float amplitude) noexcept {
  amplitude_ = amplitude;
  for (auto& s : slots_) s.last_use = -1;
}

/// The slot of this grid, or the one unused longest, emptied.
grid_cache::slot& grid_cache::find(double cfo_hz, int shift) noexcept {
  const double raster_hz = std::round(std::clamp(cfo_hz, -15e3, 15e3) / cfo_raster_hz) * cfo_raster_hz;
  shift = std::clamp(shift, min_shift(), max_shift());
  ++clock_;
  slot* oldest = &slots_.front();
  for (auto& s : slots_) {
    if (s.last_use >= 0 && s.e.cfo_hz == raster_hz && s.e.shift == shift) {
      s.last_use = clock_;
      return s;
    }
    if (s.last_use < oldest->last_use) oldest = &s;
  }
  *oldest = {{raster_hz, shift, std::move(oldest->e.antennas)}, -1, false};
  return *oldest;
}

const grid_cache::entry& grid_cache::get(std::span<const subframe_samples> samples, double cfo_hz, int shift) noexcept {
  slot& s = find(cfo_hz, shift);
  if (s.last_use < 0 || !s.whole)
    for (std::size_t a = 0; a < s.e.antennas.size(); ++a)
      demodulator_.demodulate(samples[a], s.e.shift, s.e.cfo_hz, amplitude_, s.e.antennas[a]);
  s.last_use = clock_;
  s.whole = true;
  return s.e;
}

const grid_cache::entry& grid_cache::get_symbols(std::span<const subframe_samples> samples, double cfo_hz, int shift,
                                                 std::span<const int> symbols) noexcept {
  slot& s = find(cfo_hz, shift);
  if (s.last_use < 0)
    for (std::size_t a = 0; a < s.e.antennas.size(); ++a)
      demodulator_.demodulate(samples[a], s.e.shift, s.e.cfo_hz, amplitude_, s.e.antennas[a], symbols);
  s.last_use = clock_;
  return s.e;
}

}  // namespace prose::phy
