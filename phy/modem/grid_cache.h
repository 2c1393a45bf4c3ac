// Demodulated grids of the current subframe, one for each carrier offset and start that is needed: a transmitter gets a
// grid in which its own subcarriers are orthogonal.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "phy/scfdma/demodulator.h"
#include "phy/types/carrier.h"
#include "phy/types/grid.h"

namespace prose::phy {

class grid_cache {
public:
  static constexpr double cfo_raster_hz = 50;
  struct entry {
    double cfo_hz = 0;
    int shift = 0;
    std::vector<resource_grid> antennas;
  };

  grid_cache(const carrier_config& c, int n_antennas);
  /// Forgets all grids. amplitude: what get() multiplies the samples by.
  void begin_subframe(float amplitude) noexcept;
  /// The grid at the nearest raster point. Valid until n_entries other grids were needed.
  const entry& get(std::span<const subframe_samples> samples, double cfo_hz, int shift) noexcept;
  /// The same, but only these symbols of it are valid.
  const entry& get_symbols(std::span<const subframe_samples> samples, double cfo_hz, int shift,
                           std::span<const int> symbols) noexcept;
  int max_shift() const { return demodulator_.max_shift(); }
  int min_shift() const { return demodulator_.min_shift(); }

private:
  static constexpr std::size_t n_entries = 6;
  struct slot {
    entry e;
    long last_use = -1;  // -1: empty
    bool whole = false;
  };
  slot& find(double cfo_hz, int shift) noexcept;
  scfdma_demodulator demodulator_;
  std::vector<slot> slots_;
  long clock_ = 0;
  float amplitude_ = 1;
};

}  // namespace prose::phy
