// AES-256-GCM and ChaCha20-Poly1305 (RFC 8439) on mbedTLS, keyed once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "security/keys.h"
#include "security/types.h"

namespace prose::security::crypto {

inline constexpr std::size_t tag_octets = 16;
inline constexpr std::size_t nonce_octets = 12;
using nonce_view = std::span<const std::uint8_t, nonce_octets>;

/// One keyed AEAD. The key schedule is computed here, so that seal and open allocate nothing. Not thread-safe.
class aead {
public:
  aead(suite s, const record_key& key);
  aead(suite s, const handshake_key& key);
  aead(suite s, const complete_key& key);
  aead(aead&&) noexcept;
  aead& operator=(aead&&) noexcept;
  ~aead();

  /// out.size() == plain.size() + 16; the tag comes last. plain and out may be the same memory.
  void seal(nonce_view nonce, bytes_view ad, bytes_view plain, bytes_span out) const;
  /// False, and out zeroed, if it does not verify. sealed = ciphertext and tag; out.size() == sealed.size() - 16.
  [[nodiscard]] bool open(nonce_view nonce, bytes_view ad, bytes_view sealed, bytes_span out) const;

private:
  aead(suite s, std::span<const std::uint8_t, 32> key);
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace prose::security::crypto
