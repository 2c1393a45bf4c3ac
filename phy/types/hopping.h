// PRBs of a PSSCH in TM1/TM2: resource indication values and frequency hopping (TS 36.213 14.1.1.2
// and 8.4, 36.211 9.3.6, 5.3.4).
#pragma once

#include <cstdint>
#include <optional>

#include "phy/types/sci.h"

namespace prose::phy {

struct hopping_config {
  int hopping_parameter = 504;  ///< 0..504; 504 seeds the generator with 510
  int n_subbands = 1;           ///< numSubbands, 1..4
  int rb_offset = 0;            ///< rb-Offset, N_HO
};

/// Allocation of an SCI 0 in the PSSCH subframe n_ssf, over n_prb resource blocks: those of the carrier (TM1) or of the
/// PSSCH pool, which the caller then maps to the carrier (TM2). Empty where the value is no allocation, or hops out of
/// range or apart.
std::optional<riv_range> pssch_allocation(const sci_format0& sci, int riv_prb, int n_prb, const hopping_config& hopping,
                                          int n_ssf);

}  // namespace prose::phy
