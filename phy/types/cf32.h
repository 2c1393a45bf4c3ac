#pragma once

#include <complex>

namespace prose::phy {

/// A complex baseband sample. Full scale is 1.0.
using cf32 = std::complex<float>;

/// A soft bit in natural units, log(P(bit = 0) / P(bit = 1)): positive means 0, zero is an erasure. Every decoder follows this.
using llr = float;

}  // namespace prose::phy
