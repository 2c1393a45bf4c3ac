// The DFTs of transform precoding (TS 36.211 5.3.3).
#pragma once

#include <array>
#include <optional>
#include <span>

#include "phy/dsp/fft.h"
#include "phy/types/carrier.h"

namespace prose::phy {

/// Every transform precoder of 1..100 PRB (12 * 2^a 3^b 5^c subcarriers), planned once. Scaled by 1 / sqrt(M), so both
/// directions keep the power. One object a thread; execute() allocates nothing.
class dft_bank {
public:
  /// forward: precoding (transmitter), backward: its inverse (receiver). Plans up to max_prb.
  explicit dft_bank(fft_direction direction, int max_prb = 100);
  /// in.size() == out.size() == 12 n_prb with is_235(n_prb); in may be out.
  void execute(std::span<const cf32> in, std::span<cf32> out) noexcept;

private:
  std::array<std::optional<fft>, 101> plans_;
};

}  // namespace prose::phy
