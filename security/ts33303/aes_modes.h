// AES-128 in counter mode and CMAC of messages of any number of bits (NIST SP 800-38A, 800-38B), on mbedTLS's block
// cipher: its own CMAC takes whole octets only and allocates for each message.
#pragma once

#include <mbedtls/aes.h>

#include <array>
#include <cstdint>
#include <span>

#include "security/types.h"

namespace prose::security::ts33303 {

using aes_block = std::array<std::uint8_t, 16>;

class aes128 {
public:
  explicit aes128(std::span<const std::uint8_t, 16> key);
  ~aes128();
  aes128(const aes128&) = delete;
  aes128& operator=(const aes128&) = delete;

  void counter_mode(aes_block counter, bytes_view in, bytes_span out) const;
  /// Of `prefix` followed by `bits` bits of `message`, which has the octets that they need.
  aes_block cmac(std::span<const std::uint8_t, 8> prefix, bytes_view message, std::size_t bits) const;

private:
  void encrypt(aes_block& block) const;

  mutable mbedtls_aes_context context_;  // mbedTLS does not say const, and changes nothing
  std::array<aes_block, 2> subkeys_{};   // K1, K2 of SP 800-38B
};

}  // namespace prose::security::ts33303
