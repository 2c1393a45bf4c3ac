// Formats of PSSCH that no receiver can decode from the first transmission alone. The last symbol of a subframe is
// never sent, and redundancy version 0 leaves out systematic bits: with some allocations what is left does not
// determine the block, at any SNR. With a second redundancy version it does.
#pragma once

#include "phy/types/carrier.h"

namespace prose::phy {

/// Bits of a transport block (CRCs counted in) that one transmission with redundancy version 0 leaves open; 0: it can
/// be decoded. Beyond a code rate of 1 at least what does not fit. `carrier` gives mode and prefix; mcs 0..31, n_prb a
/// number of PRBs that a DFT allows. 0 for what is no format.
int open_bits(const carrier_config& carrier, int mcs, int n_prb, int transmission_format = 0);

}  // namespace prose::phy
