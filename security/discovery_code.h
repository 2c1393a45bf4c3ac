// One protected PC5_DISCOVERY message: type 8, code 184, MIC 32, UTC-based counter LSB 8 (TS 24.334 11.2.5).
#pragma once

#include "security/identity.h"
#include "security/types.h"

namespace prose::security {

/// Message type octets (TS 24.334 12.2.2.10): restricted discovery.
enum class discovery_type : std::uint8_t { announcement = 0x81, response = 0x82, query = 0x86 };

/// NOT 3GPP: code = HMAC-SHA-256(key of the kind, t) first 184 bits; MIC = AES-CMAC(K_mic, type || code || t) first 32.
/// TS 33.303 6.1.3.4 shares its keys among all monitors of a code, any of which can then forge the announcer.
discovery_pdu make_discovery(discovery_type type, const direction_keys& keys, slot_t t);

/// NOT 3GPP: layer-2 ID under which the announcer of slot t takes this one monitor's request.
l2_id rendezvous_l2_id(const direction_keys& keys, slot_t t);

/// Direction keys that belong to nobody: their messages follow the same path and look like any other.
direction_keys make_dummy_keys(random_port& random);

}  // namespace prose::security
