// Every case of the Wycheproof vectors through our adapters. Cases whose parameters the adapters do not have (other key
// or nonce lengths) are counted, so that none is left out in silence.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/hex.h"
#include "prose_test_paths.h"
#include "security/crypto/aead.h"
#include "security/crypto/hash.h"
#include "security/crypto/x25519.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

using bytes = std::vector<std::uint8_t>;
using json = nlohmann::json;

bytes hex(const json& t, const char* key) { return *from_hex(t.at(key).get<std::string>()); }

template <class Secret>
Secret secret_of(const bytes& b) {
  return Secret(std::span<const std::uint8_t, 32>(b));
}

bool has_flag(const json& t, const char* flag) {
  for (const auto& f : t.at("flags"))
    if (f == flag) return true;
  return false;
}

/// What became of the cases of one file.
struct outcome {
  int right = 0, outside = 0;  // outside: the adapter has no such parameters
};

/// check(case): whether the adapter has the case's parameters. It reports what is wrong itself.
template <class Check>
outcome run(const std::string& file, Check&& check) {
  std::ifstream in(std::string(PROSE_SOURCE_DIR "/tests/security/vectors/wycheproof/") + file);
  const auto all = json::parse(in);
  outcome o;
  for (const auto& group : all.at("testGroups")) {
    for (const auto& t : group.at("tests")) {
      SCOPED_TRACE(file + " case " + std::to_string(t.at("tcId").get<int>()));
      ++(check(group, t) ? o.right : o.outside);
    }
  }
  EXPECT_EQ(o.right + o.outside, all.at("numberOfTests").get<int>());
  return o;
}

bool check_aead(suite which, const json& t) {
  const bytes key = hex(t, "key"), nonce = hex(t, "iv"), ad = hex(t, "aad"), plain = hex(t, "msg");
  if (key.size() != 32 || nonce.size() != crypto::nonce_octets) return false;
  bytes expected = hex(t, "ct");
  const bytes tag = hex(t, "tag");
  expected.insert(expected.end(), tag.begin(), tag.end());
  const bool valid = t.at("result") == "valid";
  const crypto::aead box(which, secret_of<record_key>(key));
  const crypto::nonce_view n(nonce);

  bytes sealed(plain.size() + crypto::tag_octets);
  box.seal(n, ad, plain, sealed);
  EXPECT_EQ(sealed == expected, valid);
  bytes opened(plain.size(), 0xaa);
  EXPECT_EQ(box.open(n, ad, expected, opened), valid);
  EXPECT_EQ(opened, valid ? plain : bytes(plain.size()));
  return true;
}

TEST(wycheproof, aes_gcm) {
  const auto o = run("aes_gcm_test.json", [](const json&, const json& t) { return check_aead(suite::aes_256_gcm, t); });
  EXPECT_EQ(o.right, 66);
  EXPECT_EQ(o.outside, 250);  // 128 and 192 bit keys, and nonces that are not 96 bits long
}

TEST(wycheproof, chacha20_poly1305) {
  const auto o = run("chacha20_poly1305_test.json",
                     [](const json&, const json& t) { return check_aead(suite::chacha20_poly1305, t); });
  EXPECT_EQ(o.right, 316);
  EXPECT_EQ(o.outside, 9);  // nonces that are not 96 bits long; all are invalid
}

TEST(wycheproof, x25519) {
  seeded_random r(1);
  crypto::mbedtls_x25519 dh(r);
  int refused = 0;
  const auto o = run("x25519_test.json", [&](const json&, const json& t) {
    const bytes other = hex(t, "public");
    public_key point;
    std::copy_n(other.begin(), 32, point.octets.begin());
    const auto shared = dh.agree(secret_of<static_private_key>(hex(t, "private")), point);
    // "acceptable": RFC 7748 leaves it open. We refuse points of low order (6.1) and take all others (5).
    EXPECT_EQ(shared.has_value(), !has_flag(t, "ZeroSharedSecret"));
    if (shared) {
      EXPECT_EQ(to_hex(shared->expose()), t.at("shared").get<std::string>());
    } else {
      ++refused;
    }
    return true;
  });
  EXPECT_EQ(o.outside, 0);
  EXPECT_EQ(refused, 31);
}

TEST(wycheproof, hkdf_sha256) {
  const auto o = run("hkdf_sha256_test.json", [](const json&, const json& t) {
    const bytes info = hex(t, "info");
    bytes prk(32), okm(t.at("size").get<std::size_t>());
    crypto::hkdf_extract(hex(t, "salt"), hex(t, "ikm"), prk);
    if (t.at("result") == "invalid") {
      EXPECT_DEATH(crypto::hkdf_expand(prk, info, okm), "");
    } else {
      crypto::hkdf_expand(prk, info, okm);
      EXPECT_EQ(okm, hex(t, "okm"));
    }
    return true;
  });
  EXPECT_EQ(o.outside, 0);
}

void expect_tag(const json& t, bytes_view full) {
  const bytes tag = hex(t, "tag");
  EXPECT_EQ(equal_constant_time(full.first(tag.size()), tag), t.at("result") == "valid");
}

TEST(wycheproof, hmac_sha256) {
  const auto o = run("hmac_sha256_test.json", [](const json&, const json& t) {
    const bytes message = hex(t, "msg");
    bytes full(32);
    crypto::hmac(crypto::hash::sha256, hex(t, "key"), {message}, full);
    expect_tag(t, full);
    return true;
  });
  EXPECT_EQ(o.outside, 0);
}

TEST(wycheproof, aes_cmac) {
  int refused = 0;
  const auto o = run("aes_cmac_test.json", [&](const json&, const json& t) {
    const bytes key = hex(t, "key"), message = hex(t, "msg");
    bytes full(16);
    if (has_flag(t, "InvalidKeySize")) {
      EXPECT_DEATH(crypto::aes_cmac(key, message, full), "");
      ++refused;
      return true;
    }
    if (key.size() != 16) return false;
    crypto::aes_cmac(key, message, full);
    expect_tag(t, full);
    return true;
  });
  EXPECT_EQ(o.right, 107);
  EXPECT_EQ(refused, 5);
  EXPECT_EQ(o.outside, 204);  // 192 and 256 bit keys
}

/// The crypto layer's assertions are there in a Release build too.
TEST(hardened_crypto, wrong_lengths_end_the_program) {
  const bytes key(32), message(5);
  bytes out(16), large(33), small(31);
  EXPECT_DEATH(crypto::aes_cmac(key, message, out), "");
  EXPECT_DEATH(crypto::aes_cmac(bytes_view(key).first(16), message, large), "");
  EXPECT_DEATH(crypto::hmac(crypto::hash::sha256, key, {message}, small), "");
  EXPECT_DEATH(crypto::digest(crypto::hash::sha256, {message}, small), "");
  EXPECT_DEATH(crypto::hkdf_extract(key, message, small), "");
  EXPECT_DEATH(crypto::hkdf_expand(small, message, out), "");
  const crypto::aead box(suite::aes_256_gcm, secret_of<record_key>(key));
  const bytes nonce(crypto::nonce_octets);
  EXPECT_DEATH(box.seal(crypto::nonce_view(nonce), {}, message, out), "");
  EXPECT_DEATH((void)box.open(crypto::nonce_view(nonce), {}, large, out), "");
}

}  // namespace
}  // namespace prose::security::test
