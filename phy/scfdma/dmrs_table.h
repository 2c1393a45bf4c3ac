// Base sequences of every allocation size, computed once a process.
#pragma once

#include <span>

#include "phy/types/carrier.h"
#include "phy/types/cf32.h"

namespace prose::phy {

/// r_u,0 of n_prb resource blocks; is_235(n_prb), n_prb <= 100, u 0..29. The first call computes them all.
std::span<const cf32> base_sequence(int u, int n_prb);

}  // namespace prose::phy
