// Messages made with the thief's keys and values, put to the UEs under attack.
#pragma once

#include "tests/security/search/handshakes.h"

namespace prose::security::test {

/// Uses everything held; call it once, when nothing more is learnt.
void try_forging(const holdings& h, const std::vector<pair_root>& pair_roots, const handshake_search& handshakes,
                 const evidence& e, findings& out);

}  // namespace prose::security::test
