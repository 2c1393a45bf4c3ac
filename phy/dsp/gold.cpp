#include "phy/dsp/gold.h"

#include <array>

namespace prose::phy {
namespace {

constexpr std::size_t n_c = 1600;  // outputs discarded before c(0)

constexpr std::uint32_t advance_x1(std::uint32_t x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x = (x >> 1) | (((x ^ (x >> 3)) & 1U) << 30);
  return x;
}
constexpr std::uint32_t advance_x2(std::uint32_t x, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) x = (x >> 1) | (((x ^ (x >> 1) ^ (x >> 2) ^ (x >> 3)) & 1U) << 30);
  return x;
}

// The register is linear over GF(2), so the state after n_c steps is the XOR of the images of the set bits.
constexpr std::uint32_t x1_start = advance_x1(1U, n_c);
constexpr std::array<std::uint32_t, 31> make_x2_images() {
  std::array<std::uint32_t, 31> a{};
  for (std::size_t b = 0; b < a.size(); ++b) a[b] = advance_x2(1U << b, n_c);
  return a;
}
const std::array<std::uint32_t, 31> x2_images = make_x2_images();

}  // namespace

gold_sequence::gold_sequence(std::uint32_t c_init) : x1_(x1_start), x2_(0) {
  for (std::size_t b = 0; b < x2_images.size(); ++b)
    if ((c_init >> b) & 1U) x2_ ^= x2_images[b];
}

void gold_bits(std::uint32_t c_init, std::span<std::uint8_t> out) {
  gold_sequence g(c_init);
  std::size_t i = 0;
  for (; i + gold_sequence::word_bits <= out.size(); i += gold_sequence::word_bits) {
    const std::uint32_t w = g.next_word();
    for (std::size_t b = 0; b < gold_sequence::word_bits; ++b) out[i + b] = (w >> b) & 1U;
  }
  for (; i < out.size(); ++i) out[i] = g.next();
}

}  // namespace prose::phy
