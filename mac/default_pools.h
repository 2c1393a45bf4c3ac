// The resource pools that UEs use unless they are told otherwise. They suit each other: PSCCH, PSSCH, SLSS and
// discovery each have their place.
//
// TM2, SC period of 40 subframes: PSCCH in 0 to 7, PSSCH in 8 to 36, SLSS in 17 and 37, discovery in 38 and 39.
// TM4: PSCCH and PSSCH adjacent in sub-channels of 4 to 6 PRB from the lower edge, discovery in the 10 PRB at the upper
// edge (6 PRB: 2, 15 PRB: 3, and in more subframes), SLSS in subframe 17 of every 20. `prose-ue --show-pools` prints
// them as prose-sniffer reads them; configs/sniffer.yaml holds those of TM2 with 25 PRB (a test compares).
#pragma once

#include "mac/ue.h"

namespace prose::mac {

/// n_prb: one of phy::bandwidths_prb. cp: of TM2; TM4 has the normal one alone.
ue_config default_ue_config(phy::transmission_mode tm, int n_prb, phy::cyclic_prefix cp = phy::cyclic_prefix::normal);

}  // namespace prose::mac
