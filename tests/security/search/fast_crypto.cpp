#include "tests/security/search/fast_crypto.h"

#include <mbedtls/poly1305.h>
#include <nettle/chacha.h>

#include <algorithm>
#include <cstdlib>

namespace prose::security::test {
namespace {
void must(int rc) {
  if (rc != 0) std::abort();
}
void update(sha256_ctx& c, bytes_view d) { sha256_update(&c, d.size(), d.data()); }
void finish(sha256_ctx& c, key32& out) { sha256_digest(&c, out.size(), out.data()); }
constexpr std::size_t block_octets = 64;
}  // namespace

key32 sha256(std::initializer_list<bytes_view> parts) {
  sha256_ctx c;
  sha256_init(&c);
  for (const auto p : parts) update(c, p);
  key32 out{};
  finish(c, out);
  return out;
}

keyed_hmac::keyed_hmac(bytes_view key) {
  std::array<std::uint8_t, block_octets> block{};
  if (key.size() > block.size()) {
    const auto d = sha256({key});
    std::copy(d.begin(), d.end(), block.begin());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  for (auto& b : block) b ^= 0x36;
  sha256_init(&inner_);
  update(inner_, block);
  for (auto& b : block) b ^= 0x36 ^ 0x5c;
  sha256_init(&outer_);
  update(outer_, block);
}

key32 keyed_hmac::operator()(std::initializer_list<bytes_view> parts) const {
  key32 d{};
  sha256_ctx c = inner_;
  for (const auto p : parts) update(c, p);
  finish(c, d);
  c = outer_;
  update(c, d);
  finish(c, d);
  return d;
}

void keyed_hmac::expand(bytes_view info, bytes_span out) const {
  key32 block{};
  for (std::uint8_t i = 1; !out.empty(); ++i) {
    const bytes_view previous = i == 1 ? bytes_view{} : bytes_view(block);
    block = (*this)({previous, info, bytes_view(&i, 1)});
    const std::size_t n = std::min(out.size(), block.size());
    std::copy_n(block.begin(), n, out.begin());
    out = out.subspan(n);
  }
}

key32 keyed_hmac::expand(bytes_view info) const {
  constexpr std::uint8_t one = 1;
  return (*this)({info, bytes_view(&one, 1)});
}

keyed_cmac::keyed_cmac(bytes_view key) {
  mbedtls_aes_init(&aes_);
  must(mbedtls_aes_setkey_enc(&aes_, key.data(), 128));
  k2_ = encrypted({});
  for (int doubling = 0; doubling < 2; ++doubling) {  // RFC 4493 2.3
    const int reduction = k2_[0] >> 7 != 0 ? 0x87 : 0;
    for (std::size_t i = 0; i < 15; ++i) k2_[i] = static_cast<std::uint8_t>(k2_[i] << 1 | k2_[i + 1] >> 7);
    k2_[15] = static_cast<std::uint8_t>(k2_[15] << 1 ^ reduction);
  }
}

keyed_cmac::block keyed_cmac::encrypted(const block& in) {
  block out{};
  must(mbedtls_aes_crypt_ecb(&aes_, MBEDTLS_AES_ENCRYPT, in.data(), out.data()));
  return out;
}

keyed_cmac::block keyed_cmac::operator()(bytes_view message) {
  if (message.size() <= 16 || message.size() >= 32) std::abort();
  block x{};
  std::copy_n(message.begin(), 16, x.begin());
  x = encrypted(x);
  const auto rest = message.subspan(16);
  for (std::size_t i = 0; i < rest.size(); ++i) x[i] ^= rest[i];
  x[rest.size()] ^= 0x80;
  for (std::size_t i = 0; i < 16; ++i) x[i] ^= k2_[i];
  return encrypted(x);
}

namespace {
constexpr std::array<std::uint8_t, 3> counters{1, 2, 3};
bytes_view counter(std::size_t i) { return bytes_view(counters).subspan(i - 1, 1); }
}  // namespace

noise_chain mix_key(const keyed_hmac& ck, bytes_view ikm) {
  const keyed_hmac temp(ck({ikm}));
  noise_chain out;
  out.ck = temp({counter(1)});
  out.k = temp({out.ck, counter(2)});
  return out;
}

noise_chain mix_key_and_hash(const keyed_hmac& ck, bytes_view ikm, key32& to_hash) {
  const keyed_hmac temp(ck({ikm}));
  noise_chain out;
  out.ck = temp({counter(1)});
  to_hash = temp({out.ck, counter(2)});
  out.k = temp({to_hash, counter(3)});
  return out;
}

std::array<std::uint8_t, 64> split(const keyed_hmac& ck) {
  const noise_chain c = mix_key(ck, {});
  std::array<std::uint8_t, 64> out{};
  std::copy(c.ck.begin(), c.ck.end(), out.begin());
  std::copy(c.k.begin(), c.k.end(), out.begin() + 32);
  return out;
}

sealed_once::sealed_once(bytes_view ad, bytes_view sealed) {
  const auto pad = [&] { mac_input_.resize((mac_input_.size() + 15) / 16 * 16); };
  const auto length = [&](std::size_t n) {
    for (int i = 0; i < 8; ++i) mac_input_.push_back(static_cast<std::uint8_t>(n >> (8 * i)));
  };
  const bytes_view ciphertext = sealed.first(sealed.size() - 16);
  mac_input_.assign(ad.begin(), ad.end());
  pad();
  mac_input_.insert(mac_input_.end(), ciphertext.begin(), ciphertext.end());
  pad();
  length(ad.size());
  length(ciphertext.size());
  std::copy(sealed.end() - 16, sealed.end(), tag_.begin());
}

bool sealed_once::made_with(const key32& otk) const {
  std::array<std::uint8_t, 16> mac{};
  must(mbedtls_poly1305_mac(otk.data(), mac_input_.data(), mac_input_.size(), mac.data()));
  return mac == tag_;
}

key32 one_time_key(const key32& k) {
  constexpr std::array<std::uint8_t, 12> nonce{};
  constexpr key32 zero{};
  key32 out{};
  chacha_ctx c;
  chacha_set_key(&c, k.data());
  chacha_set_nonce96(&c, nonce.data());  // and block 0
  chacha_crypt32(&c, zero.size(), out.data(), zero.data());
  return out;
}

octets cat(std::initializer_list<bytes_view> parts) {
  octets out;
  for (const auto p : parts) out.insert(out.end(), p.begin(), p.end());
  return out;
}
std::array<std::uint8_t, 4> be32(std::uint32_t v) {
  return {static_cast<std::uint8_t>(v >> 24), static_cast<std::uint8_t>(v >> 16), static_cast<std::uint8_t>(v >> 8),
          static_cast<std::uint8_t>(v)};
}
std::array<std::uint8_t, 3> be24(std::uint32_t v) {
  return {static_cast<std::uint8_t>(v >> 16), static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)};
}

}  // namespace prose::security::test
