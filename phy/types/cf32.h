#pragma once

#include <array>
#include <complex>

namespace prose::phy {

/// A complex baseband sample. Full scale is 1.0.
using cf32 = std::complex<float>;

/// A soft bit in natural units, log(P(bit = 0) / P(bit = 1)): positive means 0, zero is an erasure. Every decoder
/// follows this.
using llr = float;

/// Some of a transmission's equalised modulation symbols (unit mean power sent), for a constellation. Zeros where there
/// are none.
using constellation_sample = std::array<cf32, 16>;

}  // namespace prose::phy
