// Hashes and AEADs that cost nanoseconds, in the place of crypto/hash.cpp and crypto/aead.cpp, for fuzz targets that
// ask what depends on what and not whether SHA-256 holds. Every octet of the input still decides about every octet of
// the output, and a record that was altered does not open. No security at all.
#include <array>
#include <cstring>

#include "security/crypto/aead.h"
#include "security/crypto/hash.h"

namespace prose::security {

void wipe(std::span<std::uint8_t> octets) noexcept { std::memset(octets.data(), 0, octets.size()); }

bool equal_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

namespace crypto {
namespace {
using u64 = std::uint64_t;

class mixer {
public:
  explicit mixer(u64 purpose) { word(purpose); }
  void word(u64 w) {
    a_ = product(a_ ^ w ^ 0x9e3779b97f4a7c15, b_ ^ 0xd1b54a32d192ed03);
    b_ = product(b_ ^ w ^ 0x8cb92ba72f3d8dd7, a_ ^ 0xaef17502108ef2d9);
  }
  void add(bytes_view v) {
    for (; v.size() >= 8 && n_ == 0; v = v.subspan(8)) {
      u64 w = 0;
      std::memcpy(&w, v.data(), 8);
      word(w);
    }
    for (const auto o : v) {
      held_ |= u64{o} << (8 * n_);
      if (++n_ == 8) word(held_), held_ = n_ = 0;
    }
    octets_ += v.size();
  }
  void end() {
    word(held_);
    word(n_ + 16 * octets_);
    held_ = n_ = 0;
  }
  /// After end().
  void give(bytes_span out) const {
    mixer m = *this;
    for (std::size_t i = 0; i < out.size(); i += 8) {
      m.word(i);
      std::memcpy(out.data() + i, &m.a_, std::min<std::size_t>(8, out.size() - i));
    }
  }

private:
  static u64 product(u64 x, u64 y) {
    __extension__ using u128 = unsigned __int128;
    const auto p = static_cast<u128>(x) * y;
    return static_cast<u64>(p) ^ static_cast<u64>(p >> 64) ^ x;
  }
  u64 a_ = 1, b_ = 2, held_ = 0, n_ = 0, octets_ = 0;
};

void hashed(u64 purpose, bytes_view key, std::initializer_list<bytes_view> parts, bytes_span out) {
  mixer m(purpose);
  m.add(key);
  m.end();
  for (const auto p : parts) m.add(p);
  m.end();
  m.give(out);
}
}  // namespace

void digest(hash h, std::initializer_list<bytes_view> parts, bytes_span out) {
  hashed(10 + static_cast<u64>(h), {}, parts, out);
}
void hmac(hash h, bytes_view key, std::initializer_list<bytes_view> parts, bytes_span out) {
  hashed(20 + static_cast<u64>(h), key, parts, out);
}
void hkdf_extract(bytes_view salt, bytes_view ikm, bytes_span prk) { hashed(30, salt, {ikm}, prk); }
void hkdf_expand(bytes_view prk, bytes_view info, bytes_span okm) { hashed(40, prk, {info}, okm); }
void aes_cmac(bytes_view key, bytes_view message, bytes_span out) { hashed(50, key, {message}, out); }

struct aead::state {
  suite which;
  std::array<std::uint8_t, 32> key;
  void cover(nonce_view nonce, bytes_span octets) const {
    std::array<std::uint8_t, 64> stream;
    for (std::size_t at = 0; at < octets.size(); at += stream.size()) {
      const std::array<std::uint8_t, 2> block{static_cast<std::uint8_t>(at >> 6), static_cast<std::uint8_t>(at >> 14)};
      hashed(60 + static_cast<u64>(which), key, {nonce, block}, stream);
      for (std::size_t i = 0; i < stream.size() && at + i < octets.size(); ++i) octets[at + i] ^= stream[i];
    }
  }
  void tag(nonce_view nonce, bytes_view ad, bytes_view covered, bytes_span out) const {
    const std::array<std::uint8_t, 2> n{static_cast<std::uint8_t>(ad.size()),
                                        static_cast<std::uint8_t>(ad.size() >> 8)};
    hashed(70 + static_cast<u64>(which), key, {nonce, n, ad, covered}, out);
  }
};

aead::aead(suite s, std::span<const std::uint8_t, 32> key) : state_(std::make_unique<state>(state{s, {}})) {
  std::copy(key.begin(), key.end(), state_->key.begin());
}
aead::aead(suite s, const record_key& key) : aead(s, key.expose()) {}
aead::aead(suite s, const handshake_key& key) : aead(s, key.expose()) {}
aead::aead(suite s, const complete_key& key) : aead(s, key.expose()) {}
aead::aead(aead&&) noexcept = default;
aead& aead::operator=(aead&&) noexcept = default;
aead::~aead() = default;

void aead::seal(nonce_view nonce, bytes_view ad, bytes_view plain, bytes_span out) const {
  if (out.data() != plain.data()) std::memmove(out.data(), plain.data(), plain.size());
  state_->cover(nonce, out.first(plain.size()));
  state_->tag(nonce, ad, out.first(plain.size()), out.subspan(plain.size(), tag_octets));
}

bool aead::open(nonce_view nonce, bytes_view ad, bytes_view sealed, bytes_span out) const {
  if (sealed.size() < tag_octets) return false;
  const std::size_t n = sealed.size() - tag_octets;
  std::array<std::uint8_t, tag_octets> expected;
  state_->tag(nonce, ad, sealed.first(n), expected);
  if (!equal_constant_time(expected, sealed.last(tag_octets))) {
    wipe(out);
    return false;
  }
  if (out.data() != sealed.data()) std::memmove(out.data(), sealed.data(), n);
  state_->cover(nonce, out.first(n));
  return true;
}

}  // namespace crypto
}  // namespace prose::security
