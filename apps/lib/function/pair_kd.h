// The KDs of profile ts33303 that a ProSe Function hands out: one for each pair of users, computed from one secret of
// the server's. That is key escrow: who has the secret has every KD, past ones too. NOT 3GPP: how the standard makes KD
// is left to authentication between the UEs, which is not built.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "security/keys.h"
#include "security/types.h"

namespace prose::function {

struct pair_member {
  std::string name;
  security::public_key key{};
};
struct pair_kd {
  std::uint32_t id = 0;  ///< KD ID, which is no secret
  std::array<std::uint8_t, 32> kd{};
};

/// The same for both, whoever asks. A member that replaced its key has another KD.
pair_kd derive_pair_kd(const security::pre_shared_key& secret, const pair_member& a, const pair_member& b);

}  // namespace prose::function
