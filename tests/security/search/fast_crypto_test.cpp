// The search's own primitives give what the product's give.
#include "tests/security/search/fast_crypto.h"

#include <gtest/gtest.h>

#include "security/crypto/hash.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

octets random_octets(seeded_random& random, std::size_t n) {
  octets out(n);
  random.fill(out);
  return out;
}

TEST(fast_crypto, hmac_and_expand_are_the_products) {
  seeded_random random(1);
  for (const std::size_t key_octets : {0U, 16U, 32U, 64U, 65U, 200U})
    for (const std::size_t message_octets : {0U, 1U, 4U, 55U, 56U, 63U, 64U, 65U, 119U, 120U, 500U}) {
      const auto key = random_octets(random, key_octets), message = random_octets(random, message_octets);
      key32 expected{};
      crypto::hmac(crypto::hash::sha256, key, {message}, expected);
      const bytes_view parts(message);
      EXPECT_EQ(keyed_hmac(key)({message}), expected) << key_octets << ", " << message_octets;
      EXPECT_EQ(keyed_hmac(key)({parts.first(message_octets / 3), parts.subspan(message_octets / 3)}), expected);
      crypto::digest(crypto::hash::sha256, {message}, expected);
      EXPECT_EQ(sha256({message}), expected) << message_octets;
    }
  const auto key = random_octets(random, 32), info = random_octets(random, 24);
  std::array<std::uint8_t, 49> expected{}, expanded{};
  crypto::hkdf_expand(key, info, expected);
  keyed_hmac(key).expand(info, expanded);
  EXPECT_EQ(expanded, expected);
}

TEST(fast_crypto, cmac_is_the_products) {
  seeded_random random(2);
  // Enough keys that both doublings of the subkey occur with and without reduction.
  for (int trial = 0; trial < 32; ++trial)
    for (std::size_t n = 17; n < 32; ++n) {
      const auto key = random_octets(random, 16), message = random_octets(random, n);
      keyed_cmac::block expected{};
      crypto::aes_cmac(key, message, expected);
      keyed_cmac mac(key);
      EXPECT_EQ(mac(message), expected) << n;
      EXPECT_EQ(mac(message), expected) << "again, with the same key";
    }
}

}  // namespace
}  // namespace prose::security::test
