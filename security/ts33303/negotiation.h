// Which algorithms a link uses, and that nobody between the UEs has a say in it. The Request tells what its sender can,
// unprotected. The Command repeats that and tells the choice, under the MAC-I of the new PIK. NOT VERIFIED: the rules
// (unverified.h).
#pragma once

#include <vector>

#include "security/ts33303/messages.h"

namespace prose::security::ts33303 {

/// What this UE accepts, best first. EEA0 (eea::none) is accepted if it is named; EIA0 has no name.
struct algorithm_policy {
  std::vector<eea> ciphering{eea::aes, eea::snow3g, eea::zuc};
  std::vector<eia> integrity{eia::aes, eia::snow3g, eia::zuc};
};
struct algorithms {
  eea ciphering = eea::aes;
  eia integrity = eia::aes;
  bool operator==(const algorithms&) const = default;
};

/// For the Request or the Rekeying Request.
security_capabilities capabilities_of(const algorithm_policy& own);
/// The commanding UE's choice: the first of its own that were offered. Empty if there is none.
std::optional<algorithms> choose(const algorithm_policy& own, const security_capabilities& offered);
/// The requesting UE's look at the Command: what was chosen, or the cause of the Direct Security Mode Reject. Refused:
/// the capabilities are not those that it sent, whoever changed them; a choice that it does not accept or did not send.
/// The caller derives keys for what was chosen, and believes nothing of the Command before its MAC-I fits.
result<algorithms, pc5s_cause> check_command(const algorithm_policy& own, const security_capabilities& sent,
                                             const security_mode_command& command);

}  // namespace prose::security::ts33303
