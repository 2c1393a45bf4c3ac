#include "apps/lib/function/possession.h"

#include "security/crypto/hash.h"

namespace prose::function {
namespace {

using security::crypto::as_bytes;

proof_octets proof_from(const security::dh_output& shared, const hello& greeting, std::string_view user_name,
                        const public_key& key) {
  // Both names stand behind their lengths, so that no other pair of names gives the same octets.
  const std::array<std::uint8_t, 2> lengths{static_cast<std::uint8_t>(greeting.server.size()),
                                            static_cast<std::uint8_t>(user_name.size())};
  std::array<std::uint8_t, 32> mac_key{};
  security::crypto::hkdf_extract(as_bytes("LTESL/1 possession"), shared.expose(), mac_key);
  proof_octets proof{};
  security::crypto::hmac(security::crypto::hash::sha256, mac_key,
                         {greeting.challenge, greeting.ephemeral.octets, lengths, as_bytes(greeting.server),
                          as_bytes(user_name), key.octets},
                         proof);
  security::wipe(mac_key);
  return proof;
}

}  // namespace

std::optional<proof_octets> prove_possession(security::dh_port& dh, const security::static_private_key& own,
                                             const hello& greeting, std::string_view user_name) {
  const auto shared = dh.agree(own, greeting.ephemeral);
  if (!shared) return std::nullopt;
  return proof_from(*shared, greeting, user_name, dh.public_of(own));
}

bool verify_possession(security::dh_port& dh, const security::ephemeral_private_key& ephemeral, const hello& greeting,
                       const register_request& registration) {
  const auto shared = dh.agree(ephemeral, registration.key);
  return shared && security::equal_constant_time(proof_from(*shared, greeting, registration.name, registration.key),
                                                 registration.proof);
}

}  // namespace prose::function
