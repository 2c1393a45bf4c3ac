#include "security/crypto/aead.h"

#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>

#include "security/crypto/declassify.h"
#include "security/crypto/require.h"

namespace prose::security::crypto {

struct aead::state {
  suite which;
  union {
    mbedtls_gcm_context gcm;
    mbedtls_chachapoly_context chachapoly;
  };

  state(suite s, std::span<const std::uint8_t, 32> key) : which(s) {
    int rc = 0;
    if (which == suite::aes_256_gcm) {
      mbedtls_gcm_init(&gcm);
      rc = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key.data(), 256);
    } else {
      mbedtls_chachapoly_init(&chachapoly);
      rc = mbedtls_chachapoly_setkey(&chachapoly, key.data());
    }
    require(rc == 0);
  }
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() {  // both calls wipe the key schedule
    if (which == suite::aes_256_gcm) {
      mbedtls_gcm_free(&gcm);
    } else {
      mbedtls_chachapoly_free(&chachapoly);
    }
  }
};

aead::aead(suite s, std::span<const std::uint8_t, 32> key) : state_(std::make_unique<state>(s, key)) {}
aead::aead(suite s, const record_key& key) : aead(s, key.expose()) {}
aead::aead(suite s, const handshake_key& key) : aead(s, key.expose()) {}
aead::aead(suite s, const complete_key& key) : aead(s, key.expose()) {}
aead::aead(aead&&) noexcept = default;
aead& aead::operator=(aead&&) noexcept = default;
aead::~aead() = default;

void aead::seal(nonce_view nonce, bytes_view ad, bytes_view plain, bytes_span out) const {
  require(out.size() == plain.size() + tag_octets);
  std::uint8_t* tag = out.data() + plain.size();
  const int rc =
      state_->which == suite::aes_256_gcm
          ? mbedtls_gcm_crypt_and_tag(&state_->gcm, MBEDTLS_GCM_ENCRYPT, plain.size(), nonce.data(), nonce.size(),
                                      ad.data(), ad.size(), plain.data(), out.data(), tag_octets, tag)
          : mbedtls_chachapoly_encrypt_and_tag(&state_->chachapoly, plain.size(), nonce.data(), ad.data(), ad.size(),
                                               plain.data(), out.data(), tag);
  require(rc == 0);  // only an impossible length gets here; sending what was not sealed is no option
  declassify(out);   // it goes on the air
}

bool aead::open(nonce_view nonce, bytes_view ad, bytes_view sealed, bytes_span out) const {
  if (sealed.size() < tag_octets) return false;
  const std::size_t n = sealed.size() - tag_octets;
  require(out.size() == n);
  const std::uint8_t* tag = sealed.data() + n;
  const int rc = state_->which == suite::aes_256_gcm
                     ? mbedtls_gcm_auth_decrypt(&state_->gcm, n, nonce.data(), nonce.size(), ad.data(), ad.size(), tag,
                                                tag_octets, sealed.data(), out.data())
                     : mbedtls_chachapoly_auth_decrypt(&state_->chachapoly, n, nonce.data(), ad.data(), ad.size(), tag,
                                                       sealed.data(), out.data());
  // Whether the tag was right shows in what happens next, and what is authentic is for who acts on it.
  const bool ok = declassified(rc) == 0;
  if (!ok) wipe(out);
  declassify(out);
  return ok;
}

}  // namespace prose::security::crypto
