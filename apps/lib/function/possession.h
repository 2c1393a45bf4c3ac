// Proof that a client holds the X25519 key it registers, towards one server and on one connection.
#pragma once

#include <optional>
#include <string_view>

#include "apps/lib/function/message.h"
#include "security/keys.h"
#include "security/ports.h"

namespace prose::function {

/// HMAC-SHA256 keyed from X25519 of the registered key and the server's ephemeral one, over the connection's challenge,
/// the server's name (so that a server cannot pass another's challenge on), the user's name and the key. Empty where
/// the ephemeral key is of low order.
std::optional<proof_octets> prove_possession(security::dh_port& dh, const security::static_private_key& own,
                                             const hello& greeting, std::string_view user_name);

/// The server's side; `ephemeral` belongs to greeting.ephemeral.
bool verify_possession(security::dh_port& dh, const security::ephemeral_private_key& ephemeral, const hello& greeting,
                       const register_request& registration);

}  // namespace prose::function
