#include "security/ts33303/aes_modes.h"

#include <algorithm>

#include "security/crypto/require.h"
#include "security/secret.h"

namespace prose::security::ts33303 {
namespace {

/// Times x in GF(2^128).
aes_block doubled(const aes_block& v) {
  aes_block out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const unsigned next = i + 1 < v.size() ? v[i + 1] : 0U;
    out[i] = static_cast<std::uint8_t>(v[i] << 1 | next >> 7);
  }
  out.back() = static_cast<std::uint8_t>(out.back() ^ (v[0] >> 7) * 0x87);
  return out;
}

}  // namespace

aes128::aes128(std::span<const std::uint8_t, 16> key) {
  mbedtls_aes_init(&context_);
  crypto::require(mbedtls_aes_setkey_enc(&context_, key.data(), 128) == 0);
  aes_block l{};
  encrypt(l);
  subkeys_[0] = doubled(l);
  subkeys_[1] = doubled(subkeys_[0]);
  wipe(l);
}

aes128::~aes128() {
  mbedtls_aes_free(&context_);  // wipes the key schedule
  for (auto& k : subkeys_) wipe(k);
}

void aes128::encrypt(aes_block& block) const {
  crypto::require(mbedtls_aes_crypt_ecb(&context_, MBEDTLS_AES_ENCRYPT, block.data(), block.data()) == 0);
}

void aes128::counter_mode(aes_block counter, bytes_view in, bytes_span out) const {
  aes_block keystream{};
  std::size_t used = 0;
  crypto::require(out.size() == in.size());
  crypto::require(
      mbedtls_aes_crypt_ctr(&context_, in.size(), &used, counter.data(), keystream.data(), in.data(), out.data()) == 0);
  wipe(keystream);
}

aes_block aes128::cmac(std::span<const std::uint8_t, 8> prefix, bytes_view message, std::size_t bits) const {
  aes_block block{};
  std::size_t filled = 0;
  const auto absorb = [&](std::uint8_t octet) {
    if (filled == block.size()) {
      encrypt(block);
      filled = 0;
    }
    block[filled++] ^= octet;
  };
  for (const auto o : prefix) absorb(o);
  for (const auto o : message.first(bits / 8)) absorb(o);
  const std::size_t rest = bits % 8;
  if (rest != 0) {
    const unsigned end = 0x80U >> rest;  // the bit 1 with which the padding begins
    absorb(static_cast<std::uint8_t>((message[bits / 8] & (0x100U - 2 * end)) | end));
  }
  const bool whole = rest == 0 && filled == block.size();
  if (rest == 0 && !whole) block[filled] ^= 0x80;
  for (std::size_t i = 0; i < block.size(); ++i) block[i] ^= subkeys_[whole ? 0 : 1][i];
  encrypt(block);
  return block;
}

}  // namespace prose::security::ts33303
