#include "security/ts33303/keys.h"

#include <algorithm>

#include "security/crypto/hash.h"
#include "security/crypto/require.h"
#include "security/ts33303/unverified.h"

namespace prose::security::ts33303 {
namespace {

constexpr std::size_t kdf_input_most = 128;

/// A key of an algorithm is the last octets of what the KDF gives.
template <class Key, class Algorithm>
Key algorithm_key(const kd_sess_key& kd_sess, std::uint8_t p0, Algorithm algorithm) {
  crypto::require(known(algorithm));
  return Key::make([&](auto out) {
    const auto identity = static_cast<std::uint8_t>(algorithm);
    const auto whole = kd_sess_key::make([&](auto all) {
      kdf(kd_sess.expose(), unverified::fc_pek_pik, {{&p0, 1}, {&identity, 1}}, all);
    });
    std::ranges::copy(whole.expose().template last<Key::octets>(), out.begin());
  });
}

}  // namespace

void kdf(bytes_view key, std::uint8_t fc, std::initializer_list<bytes_view> parameters, bytes_span out) {
  std::array<std::uint8_t, kdf_input_most> s{};
  std::size_t n = 0;
  const auto put = [&](std::size_t octet) {
    crypto::require(n < s.size());
    s[n++] = static_cast<std::uint8_t>(octet);
  };
  put(fc);
  for (const auto p : parameters) {
    for (const auto o : p) put(o);
    put(p.size() >> 8);
    put(p.size());
  }
  crypto::hmac(crypto::hash::sha256, key, {bytes_view(s).first(n)}, out);
  wipe(s);
}

kd_sess_key derive_kd_sess(const kd_key& kd, const nonce& nonce_1, const nonce& nonce_2) {
  return kd_sess_key::make([&](auto out) { kdf(kd.expose(), unverified::fc_kd_sess, {nonce_1, nonce_2}, out); });
}

encryption_key derive_pek(const kd_sess_key& kd_sess, eea algorithm) {
  return algorithm_key<encryption_key>(kd_sess, unverified::p0_pek, algorithm);
}

integrity_key derive_pik(const kd_sess_key& kd_sess, eia algorithm) {
  return algorithm_key<integrity_key>(kd_sess, unverified::p0_pik, algorithm);
}

}  // namespace prose::security::ts33303
