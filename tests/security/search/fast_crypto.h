// The product's primitives again, keyed once and used often: HMAC-SHA-256 from its inner and outer state, the Noise
// chain on it, AES-CMAC, and "does this tag belong to this key" without decrypting. fast_crypto_test.cpp compares them
// with the product's own. SHA-256 and ChaCha20 are nettle's: the search spends most of its time in them, and nettle
// uses processor instructions for both, which mbedTLS 2.28 does not.
#pragma once

#include <mbedtls/aes.h>
#include <nettle/sha2.h>

#include <array>
#include <initializer_list>
#include <vector>

#include "security/types.h"

namespace prose::security::test {

using octets = std::vector<std::uint8_t>;
using key32 = std::array<std::uint8_t, 32>;

class keyed_hmac {
public:
  explicit keyed_hmac(bytes_view key);
  key32 operator()(std::initializer_list<bytes_view> parts) const;
  /// HKDF-Expand with this key as PRK.
  void expand(bytes_view info, bytes_span out) const;
  key32 expand(bytes_view info) const;

private:
  sha256_ctx inner_, outer_;
};

/// AES-128-CMAC of messages of 17 to 31 octets, whose last block is padded.
class keyed_cmac {
public:
  using block = std::array<std::uint8_t, 16>;
  explicit keyed_cmac(bytes_view key);
  keyed_cmac(const keyed_cmac&) = delete;  // mbedTLS 2.28 keeps a pointer into its context
  keyed_cmac& operator=(const keyed_cmac&) = delete;
  block operator()(bytes_view message);

private:
  block encrypted(const block& in);
  mbedtls_aes_context aes_;
  block k2_{};
};

key32 sha256(std::initializer_list<bytes_view> parts);

/// Noise 5.2 with SHA-256: the chaining key and the key of the next payload.
struct noise_chain {
  key32 ck{};
  key32 k{};
};
noise_chain mix_key(const keyed_hmac& ck, bytes_view ikm);
/// Also the octets that MixHash takes.
noise_chain mix_key_and_hash(const keyed_hmac& ck, bytes_view ikm, key32& to_hash);
/// Split: k1 || k2.
std::array<std::uint8_t, 64> split(const keyed_hmac& ck);

/// A message sealed with ChaCha20-Poly1305 under nonce zero, laid out as Poly1305 sees it.
class sealed_once {
public:
  sealed_once(bytes_view ad, bytes_view ciphertext_and_tag);
  /// one_time: one_time_key() of the key that is tried.
  bool made_with(const key32& one_time) const;

private:
  octets mac_input_;
  std::array<std::uint8_t, 16> tag_{};
};
/// The Poly1305 key of nonce zero (RFC 8439 2.6).
key32 one_time_key(const key32& k);

octets cat(std::initializer_list<bytes_view> parts);
std::array<std::uint8_t, 4> be32(std::uint32_t v);
std::array<std::uint8_t, 3> be24(std::uint32_t v);

}  // namespace prose::security::test
