// Restricted discovery after TS 33.303 6.1.3.4 and TS 24.334 11.2.5: one PC5_DISCOVERY message under the keys of a
// ProSe Restricted Code. An approximation: the text of those clauses was not at hand, and what is NOT VERIFIED is in
// unverified.h. prose-ue uses it by code_discovery.h; the default profile's discovery is security/discovery.h.
//
// The keys belong to the code. Every monitor of the code has them, so each can announce as the announcer. Nothing is
// remembered: a message is taken again as often as it comes while its counter fits.
#pragma once

#include <optional>

#include "common/result.h"
#include "security/discovery_code.h"
#include "security/ts33303/keys.h"
#include "security/ts33303/unverified.h"

namespace prose::security::ts33303 {

// NOT VERIFIED: the lengths of the keys.
using scrambling_key = secret<struct ts33303_dusk_tag, 32>;                 // DUSK
using discovery_integrity_key = secret<struct ts33303_duik_tag, 32>;        // DUIK
using discovery_confidentiality_key = secret<struct ts33303_duck_tag, 32>;  // DUCK

inline constexpr std::size_t code_octets = 23;  // 184 bits
using restricted_code = std::array<std::uint8_t, code_octets>;
using discovery_mic = std::array<std::uint8_t, 4>;

/// What the ProSe Function hands out with a code, to its announcer and to its monitors alike. Each key is optional.
struct code_security {
  std::optional<scrambling_key> dusk;
  std::optional<discovery_integrity_key> duik;
  std::optional<discovery_confidentiality_key> duck;
  restricted_code encrypted_bits{};  ///< ones where DUCK hides the code's bits; without a DUCK it has no effect
};

/// Which codes a UE looks for: those that are `value` where `mask` has ones.
struct code_filter {
  restricted_code value{}, mask{};
};

/// The message at UTC-based counter `counter` (seconds). Without a DUIK the MIC is random octets from `random`.
discovery_pdu protect_discovery(discovery_type type, const restricted_code& code, const code_security& keys,
                                std::uint32_t counter, random_port& random);

struct opened_discovery {
  discovery_type type = discovery_type::announcement;
  restricted_code code{};
  std::uint32_t counter = 0;
  discovery_mic mic{};
  bool mic_verified = false;  ///< without a DUIK only the ProSe Function can tell, by a Match Report
};

/// `own_counter` is this UE's clock in seconds. Refused: another length, or a type that is none of the three
/// (malformed); a counter more than unverified::max_offset_s away (stale); a code that is not looked for, which is also
/// what a message under other keys looks like (not_addressed); a MIC that DUIK does not give (bad_token).
result<opened_discovery, drop_reason> open_discovery(bytes_view pdu, const code_security& keys,
                                                     const code_filter& filter, std::uint32_t own_counter);

}  // namespace prose::security::ts33303
