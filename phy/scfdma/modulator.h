// Resource grid to samples (TS 36.211 5.6).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/dsp/fft.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"
#include "phy/types/grid.h"

namespace prose::phy {

/// SC-FDMA modulator of one carrier. Unitary: a resource element of unit magnitude adds 1 / fft_size to the mean power
/// of its symbol's samples. Subcarriers are half a spacing above multiples of 15 kHz, so the prefix is the negative of
/// the symbol's end. Where 3/4 rates put a symbol between two samples (6 and 15 PRB), the signal is still sampled at
/// the true instants.
class scfdma_modulator {
public:
  explicit scfdma_modulator(const carrier_config& carrier);
  /// Writes one subframe, samples_per_subframe() samples. Bit l of used_symbols: symbol l holds something; the others
  /// become zeros without a transform. No allocation.
  void modulate(const resource_grid& grid, std::uint32_t used_symbols, std::span<cf32> out) noexcept;

private:
  struct timing {
    int begin;   ///< first sample, prefix included
    int end;     ///< one past the last
    int useful;  ///< sample at or just before the start of the useful part
    int ramp;    ///< index into ramps_, -1: the useful part starts on a sample
  };
  carrier_config carrier_;
  fft ifft_;
  std::vector<cf32> half_shift_;          ///< exp(j pi n / N) / sqrt(N)
  std::vector<std::vector<cf32>> ramps_;  ///< per fraction of a sample: correction of each subcarrier
  std::array<timing, max_symbols_per_subframe> timing_{};
};

}  // namespace prose::phy
