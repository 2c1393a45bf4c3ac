#include "security/ts33303/snow3g.h"

#include <bit>

#include "security/ts33303/byte_lanes.h"
#include "security/ts33303/octets.h"

namespace prose::security::ts33303 {
namespace {

constexpr std::uint8_t lfsr_poly = 0xa9, s1_poly = 0x1b, s2_poly = 0x69;
constexpr int initial_clocks = 32;

/// An octet times four powers of x, most significant octet of the result first; linear, so the images of its bits.
using word_map = std::array<std::uint32_t, 8>;
constexpr word_map powers_of_x(const std::array<int, 4>& exponents) {
  word_map images{};
  for (std::size_t bit = 0; bit < images.size(); ++bit)
    for (const int e : exponents) {
      std::uint32_t v = 1U << bit;
      for (int i = 0; i < e; ++i) v = lanes::times_x<lfsr_poly>(v);
      images[bit] = images[bit] << 8 | v;
    }
  return images;
}
constexpr word_map times_alpha = powers_of_x({23, 245, 48, 239});
constexpr word_map over_alpha = powers_of_x({16, 39, 6, 64});

constexpr std::uint32_t map_octet(const word_map& images, std::uint32_t octet) {
  std::uint32_t out = 0;
  for (std::size_t bit = 0; bit < images.size(); ++bit) out ^= (0U - (octet >> bit & 1)) & images[bit];
  return out;
}

/// The S-box of AES: the inverse, then an affine map.
constexpr std::uint32_t box_r(std::uint32_t v) {
  constexpr lanes::linear_map affine{0x1f, 0x3e, 0x7c, 0xf8, 0xf1, 0xe3, 0xc7, 0x8f};
  return lanes::apply(affine, lanes::inverse<s1_poly>(v)) ^ 0x63 * lanes::ones;
}
static_assert(box_r(0x000153ff) == 0x637ced16);

/// v + v^9 + v^13 + v^15 + v^33 + v^41 + v^45 + v^47 + v^49 + 0x25, grouped as sum + v^32 (sum + v^17).
constexpr std::uint32_t box_q(std::uint32_t v) {
  constexpr auto to2 = lanes::power_map<s2_poly, 1>(), to4 = lanes::power_map<s2_poly, 2>(),
                 to8 = lanes::power_map<s2_poly, 3>(), to16 = lanes::power_map<s2_poly, 4>(),
                 to32 = lanes::power_map<s2_poly, 5>();
  const std::uint32_t v9 = lanes::multiply<s2_poly>(lanes::apply(to8, v), v);
  const std::uint32_t v13 = lanes::multiply<s2_poly>(v9, lanes::apply(to4, v));
  const std::uint32_t v15 = lanes::multiply<s2_poly>(v13, lanes::apply(to2, v));
  const std::uint32_t v17 = lanes::multiply<s2_poly>(lanes::apply(to16, v), v);
  const std::uint32_t sum = v ^ v9 ^ v13 ^ v15;
  return sum ^ lanes::multiply<s2_poly>(lanes::apply(to32, v), sum ^ v17) ^ 0x25 * lanes::ones;
}

/// Mixes the four substituted octets by the circulant matrix of x, x + 1, 1, 1.
template <std::uint8_t Poly>
constexpr std::uint32_t mix(std::uint32_t v) {
  const std::uint32_t doubled = lanes::times_x<Poly>(v);
  return doubled ^ std::rotr(v ^ doubled, 8) ^ std::rotr(v, 16) ^ std::rotr(v, 24);
}

}  // namespace

snow3g::snow3g(std::span<const std::uint8_t, 16> key, const std::array<std::uint32_t, 4>& iv) {
  std::array<std::uint32_t, 4> k{};  // k_0 is the last word of the key
  for (std::size_t i = 0; i < 4; ++i) k[i] = load32(key.subspan(12 - 4 * i, 4));
  for (std::size_t i = 0; i < 4; ++i) {
    lfsr_[4 + i] = lfsr_[12 + i] = k[i];
    lfsr_[i] = lfsr_[8 + i] = ~k[i];
  }
  lfsr_[15] ^= iv[3];
  lfsr_[12] ^= iv[2];
  lfsr_[10] ^= iv[1];
  lfsr_[9] ^= iv[0];
  for (int i = 0; i < initial_clocks; ++i) clock_lfsr(clock_fsm());
  clock_fsm();  // its output is not used
  clock_lfsr(0);
  wipe_words(k);
}

snow3g::~snow3g() {
  wipe_words(lfsr_);
  wipe_words(r_);
}

std::uint32_t snow3g::clock_fsm() {
  const std::uint32_t out = (s(15) + r_[0]) ^ r_[1];
  const std::uint32_t fresh = r_[1] + (r_[2] ^ s(5));
  r_[2] = mix<s2_poly>(box_q(r_[1]));
  r_[1] = mix<s1_poly>(box_r(r_[0]));
  r_[0] = fresh;
  return out;
}

void snow3g::clock_lfsr(std::uint32_t fed_back) {
  const std::uint32_t s0 = s(0), s11 = s(11);
  const std::uint32_t v =
      s0 << 8 ^ map_octet(times_alpha, s0 >> 24) ^ s(2) ^ s11 >> 8 ^ map_octet(over_alpha, s11 & 0xff) ^ fed_back;
  lfsr_[first_] = v;
  first_ = (first_ + 1) % 16;
}

std::uint32_t snow3g::next() {
  const std::uint32_t z = clock_fsm() ^ s(0);
  clock_lfsr(0);
  return z;
}

}  // namespace prose::security::ts33303
