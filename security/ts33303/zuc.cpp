#include "security/ts33303/zuc.h"

#include <bit>

#include "security/ts33303/byte_lanes.h"
#include "security/ts33303/octets.h"

namespace prose::security::ts33303 {
namespace {

constexpr std::uint8_t s1_poly = 0x8b;
constexpr int initial_clocks = 32;
constexpr std::array<std::uint32_t, 16> loading_constants{0x44d7, 0x26bc, 0x626b, 0x135e, 0x5789, 0x35e2,
                                                          0x7135, 0x09af, 0x4d78, 0x2f13, 0x6bc4, 0x1af1,
                                                          0x5e26, 0x3c4d, 0x789a, 0x47ac};

/// A function of 4 bits, for an octet of 0 to 15 in each lane: every entry is looked at.
using nibble_table = std::array<std::uint8_t, 16>;
constexpr std::uint32_t look_up(const nibble_table& table, std::uint32_t v) {
  std::uint32_t out = 0;
  for (std::uint32_t i = 0; i < 16; ++i) {
    const std::uint32_t differs = ((v ^ i * lanes::ones) + 0x0f * lanes::ones) >> 4 & lanes::ones;
    out ^= (differs ^ lanes::ones) * table[i];
  }
  return out;
}

/// S0: three rounds over the halves of the octet, then a rotation by 5.
constexpr std::uint32_t box_0(std::uint32_t v) {
  constexpr nibble_table p1{9, 15, 0, 14, 15, 15, 2, 10, 0, 4, 0, 12, 7, 5, 3, 9};
  constexpr nibble_table p2{8, 13, 6, 5, 7, 0, 12, 4, 11, 1, 14, 10, 15, 3, 9, 2};
  constexpr nibble_table p3{2, 6, 10, 6, 0, 13, 10, 15, 3, 3, 13, 5, 0, 9, 12, 13};
  constexpr std::uint32_t nibbles = 0x0f * lanes::ones;
  const std::uint32_t low = v & nibbles;
  const std::uint32_t mixed = (v >> 4 & nibbles) ^ look_up(p1, low);
  const std::uint32_t right = low ^ look_up(p2, mixed), left = mixed ^ look_up(p3, right);
  const std::uint32_t whole = left << 4 | right;
  return (whole & 0x07 * lanes::ones) << 5 | (whole >> 3 & 0x1f * lanes::ones);
}
static_assert(box_0(0x0001f0ff) == 0x3e728d60);

/// S1: the inverse, then an affine map.
constexpr std::uint32_t box_1(std::uint32_t v) {
  constexpr lanes::linear_map affine{0x97, 0x3e, 0x6d, 0xcb, 0xee, 0xdd, 0xbb, 0x77};
  return lanes::apply(affine, lanes::inverse<s1_poly>(v)) ^ 0x55 * lanes::ones;
}
static_assert(box_1(0x0001f0ff) == 0x55c264f2);

/// Two words through S0, S1, S0, S1 of their octets.
void substitute(std::uint32_t& a, std::uint32_t& b) {
  constexpr std::uint32_t even = 0xff00ff00, odd = 0x00ff00ff;
  const std::uint32_t by_0 = box_0((a & even) | (b & even) >> 8), by_1 = box_1((a & odd) | (b & odd) << 8);
  a = (by_0 & even) | (by_1 & odd);
  b = (by_0 & odd) << 8 | (by_1 & even) >> 8;
}

constexpr std::uint32_t mix_1(std::uint32_t v) {
  return v ^ std::rotl(v, 2) ^ std::rotl(v, 10) ^ std::rotl(v, 18) ^ std::rotl(v, 24);
}
constexpr std::uint32_t mix_2(std::uint32_t v) {
  return v ^ std::rotl(v, 8) ^ std::rotl(v, 14) ^ std::rotl(v, 22) ^ std::rotl(v, 30);
}

/// Modulo 2^31 - 1, of numbers of 31 bits.
constexpr std::uint32_t sum(std::uint32_t a, std::uint32_t b) {
  const std::uint32_t c = a + b;
  return (c & 0x7fffffff) + (c >> 31);
}
constexpr std::uint32_t rotated(std::uint32_t v, int n) { return (v << n | v >> (31 - n)) & 0x7fffffff; }

}  // namespace

zuc::zuc(std::span<const std::uint8_t, 16> key, std::span<const std::uint8_t, 16> iv) {
  for (std::size_t i = 0; i < 16; ++i) lfsr_[i] = std::uint32_t{key[i]} << 23 | loading_constants[i] << 8 | iv[i];
  for (int i = 0; i < initial_clocks; ++i) clock_lfsr(clock_f() >> 1);
  clock_f();  // its output is not used
  clock_lfsr(0);
}

zuc::~zuc() {
  wipe_words(lfsr_);
  wipe_words(r_);
}

std::uint32_t zuc::clock_f() {
  const std::uint32_t x0 = (s(15) & 0x7fff8000) << 1 | (s(14) & 0xffff), out = (x0 ^ r_[0]) + r_[1];
  const std::uint32_t w1 = r_[0] + joined(11, 9), w2 = r_[1] ^ joined(7, 5);
  r_[0] = mix_1(w1 << 16 | w2 >> 16);
  r_[1] = mix_2(w2 << 16 | w1 >> 16);
  substitute(r_[0], r_[1]);
  return out;
}

void zuc::clock_lfsr(std::uint32_t fed_back) {
  std::uint32_t v = sum(s(0), rotated(s(0), 8));
  v = sum(v, rotated(s(4), 20));
  v = sum(v, rotated(s(10), 21));
  v = sum(v, rotated(s(13), 17));
  v = sum(v, rotated(s(15), 15));
  // A sum of numbers that are not 0 is not 0 in this form, so 2^31 - 1 needs no case of its own.
  lfsr_[first_] = sum(v, fed_back);
  first_ = (first_ + 1) % 16;
}

std::uint32_t zuc::next() {
  const std::uint32_t z = clock_f() ^ joined(2, 0);
  clock_lfsr(0);
  return z;
}

}  // namespace prose::security::ts33303
