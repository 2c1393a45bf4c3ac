// SHA-2, HMAC (RFC 2104), HKDF (RFC 5869) and AES-CMAC (RFC 4493) on mbedTLS. A length other than those stated ends the
// program, in every build.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "security/keys.h"
#include "security/types.h"

namespace prose::security::crypto {

enum class hash : std::uint8_t { sha256, sha512 };
inline constexpr std::size_t max_digest_octets = 64;
inline constexpr std::size_t digest_octets(hash h) { return h == hash::sha256 ? 32 : 64; }
using digest256 = std::array<std::uint8_t, 32>;

/// out.size() == digest_octets(h). Inputs are concatenated.
void digest(hash h, std::initializer_list<bytes_view> parts, bytes_span out);
void hmac(hash h, bytes_view key, std::initializer_list<bytes_view> parts, bytes_span out);
/// HKDF-Extract with SHA-256; prk.size() == 32.
void hkdf_extract(bytes_view salt, bytes_view ikm, bytes_span prk);
/// HKDF-Expand with SHA-256; okm.size() <= 8160, else the program ends.
void hkdf_expand(bytes_view prk, bytes_view info, bytes_span okm);
/// AES-128-CMAC; key.size() == 16, out.size() <= 16 (leading octets).
void aes_cmac(bytes_view key, bytes_view message, bytes_span out);

inline bytes_view as_bytes(std::string_view s) { return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}; }

}  // namespace prose::security::crypto

namespace prose::security {

/// A step of the key schedule that keys.h permits.
template <class To, class From>
To derive(const From& from) {
  return To::make(
      [&](auto out) { crypto::hkdf_expand(from.expose(), crypto::as_bytes(derivation<From, To>::label), out); });
}

}  // namespace prose::security
