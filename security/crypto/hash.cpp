#include "security/crypto/hash.h"

#include <mbedtls/cipher.h>
#include <mbedtls/cmac.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>

#include "security/crypto/declassify.h"
#include "security/crypto/require.h"

namespace prose::security {

void wipe(std::span<std::uint8_t> octets) noexcept { mbedtls_platform_zeroize(octets.data(), octets.size()); }

bool equal_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept {
  if (a.size() != b.size()) return false;
  // volatile keeps the compiler from leaving the loop early; mbedTLS 2.28 and 3.x name their own helper differently.
  volatile std::uint8_t diff = 0;
  for (std::size_t i = 0; i < a.size(); ++i) diff = static_cast<std::uint8_t>(diff | (a[i] ^ b[i]));
  return crypto::declassified(diff == 0);  // shows in what happens next
}

namespace crypto {
namespace {
// The calls below fail only where memory runs out or an argument is impossible. Going on with an unset digest or key
// would be worse than ending.
void must(int rc) { require(rc == 0); }
const mbedtls_md_info_t* info_of(hash h) {
  return mbedtls_md_info_from_type(h == hash::sha256 ? MBEDTLS_MD_SHA256 : MBEDTLS_MD_SHA512);
}
struct md_context {
  mbedtls_md_context_t c;
  md_context(hash h, bool keyed) {
    mbedtls_md_init(&c);
    must(mbedtls_md_setup(&c, info_of(h), keyed ? 1 : 0));
  }
  md_context(const md_context&) = delete;
  md_context& operator=(const md_context&) = delete;
  ~md_context() { mbedtls_md_free(&c); }
};
}  // namespace

void digest(hash h, std::initializer_list<bytes_view> parts, bytes_span out) {
  require(out.size() == digest_octets(h));
  md_context m(h, false);
  must(mbedtls_md_starts(&m.c));
  for (const auto p : parts) must(mbedtls_md_update(&m.c, p.data(), p.size()));
  must(mbedtls_md_finish(&m.c, out.data()));
}

void hmac(hash h, bytes_view key, std::initializer_list<bytes_view> parts, bytes_span out) {
  require(out.size() == digest_octets(h));
  md_context m(h, true);
  must(mbedtls_md_hmac_starts(&m.c, key.data(), key.size()));
  for (const auto p : parts) must(mbedtls_md_hmac_update(&m.c, p.data(), p.size()));
  must(mbedtls_md_hmac_finish(&m.c, out.data()));
}

void hkdf_extract(bytes_view salt, bytes_view ikm, bytes_span prk) {
  require(prk.size() == 32);
  must(mbedtls_hkdf_extract(info_of(hash::sha256), salt.data(), salt.size(), ikm.data(), ikm.size(), prk.data()));
}

void hkdf_expand(bytes_view prk, bytes_view info, bytes_span okm) {
  require(prk.size() == 32);
  must(mbedtls_hkdf_expand(info_of(hash::sha256), prk.data(), prk.size(), info.data(), info.size(), okm.data(),
                           okm.size()));
}

void aes_cmac(bytes_view key, bytes_view message, bytes_span out) {
  require(key.size() == 16 && out.size() <= 16);
  std::array<std::uint8_t, 16> tag{};
  // The library refuses a null pointer, which an empty message may have.
  const std::uint8_t* octets = message.empty() ? tag.data() : message.data();
  must(mbedtls_cipher_cmac(mbedtls_cipher_info_from_type(MBEDTLS_CIPHER_AES_128_ECB), key.data(), 128, octets,
                           message.size(), tag.data()));
  std::copy_n(tag.begin(), out.size(), out.begin());
}

}  // namespace crypto
}  // namespace prose::security
