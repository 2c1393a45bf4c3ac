// The keys of TS 33.303 6.5: KD (one for each pair of UEs) -> KD-sess (each set-up and rekeying) -> PEK and PIK.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>

#include "security/secret.h"
#include "security/types.h"

namespace prose::security::ts33303 {

using kd_key = secret<struct ts33303_kd_tag, 32>;
using kd_sess_key = secret<struct ts33303_kd_sess_tag, 32>;
using encryption_key = secret<struct ts33303_pek_tag, 16>;  // PEK
using integrity_key = secret<struct ts33303_pik_tag, 16>;   // PIK

using nonce = std::array<std::uint8_t, 16>;

/// Identities of algorithms (TS 33.401 5.1.3.2, 5.1.4.2). EIA0 is not among them: it would end integrity and replay
/// protection at once, so it is neither offered nor accepted, and no key can be made for it.
enum class eea : std::uint8_t { none = 0, snow3g = 1, aes = 2, zuc = 3 };
enum class eia : std::uint8_t { snow3g = 1, aes = 2, zuc = 3 };
constexpr bool known(eea a) { return a <= eea::zuc; }
constexpr bool known(eia a) { return a >= eia::snow3g && a <= eia::zuc; }
/// Of an identity that was received: eea or eia, or empty. An unknown one that was cast instead ends the program where
/// a key is derived or used.
template <class Algorithm>
constexpr std::optional<Algorithm> algorithm_from(std::uint8_t identity) {
  const auto a = static_cast<Algorithm>(identity);
  return known(a) ? std::optional(a) : std::nullopt;
}

/// The KDF of TS 33.220 B.2: HMAC-SHA-256(key, FC || P0 || L0 || P1 || ...). The parameters, with two octets of length
/// each, and FC are at most 128 octets together, and out.size() == 32; else the program ends.
void kdf(bytes_view key, std::uint8_t fc, std::initializer_list<bytes_view> parameters, bytes_span out);

/// NOT VERIFIED: that the nonces are the only parameters, in this order. `nonce_1` is of the Request, `nonce_2` of the
/// Direct Security Mode Command.
kd_sess_key derive_kd_sess(const kd_key& kd, const nonce& nonce_1, const nonce& nonce_2);
/// NOT VERIFIED: that P0 tells the key and P1 the algorithm's identity, and that the last 16 octets are the key. EIA0
/// and unknown algorithms end the program.
encryption_key derive_pek(const kd_sess_key& kd_sess, eea algorithm);
integrity_key derive_pik(const kd_sess_key& kd_sess, eia algorithm);

}  // namespace prose::security::ts33303
