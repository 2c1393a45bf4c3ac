// Pseudo-random sequences (TS 36.211 7.2), a length-31 Gold code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace prose::phy {

/// Generates c(0), c(1), ... for c_init. Copy it to fork the sequence.
class gold_sequence {
public:
  explicit gold_sequence(std::uint32_t c_init);
  std::uint8_t next() {
    const auto c = static_cast<std::uint8_t>((x1_ ^ x2_) & 1U);
    step();
    return c;
  }
  /// The next word_bits elements, the first as bit 0. The registers' taps reach back 28 places at least, so that many
  /// steps are one operation on words.
  static constexpr std::size_t word_bits = 28;
  std::uint32_t next_word() {
    constexpr std::uint32_t mask = (1U << word_bits) - 1U;
    const std::uint32_t c = (x1_ ^ x2_) & mask;
    const std::uint32_t f1 = (x1_ ^ (x1_ >> 3)) & mask;
    const std::uint32_t f2 = (x2_ ^ (x2_ >> 1) ^ (x2_ >> 2) ^ (x2_ >> 3)) & mask;
    x1_ = (x1_ >> word_bits) | (f1 << 3);
    x2_ = (x2_ >> word_bits) | (f2 << 3);
    return c;
  }
  void skip(std::size_t n) {
    for (; n >= word_bits; n -= word_bits) next_word();
    for (std::size_t i = 0; i < n; ++i) step();
  }

private:
  void step() {
    // x1(n+31) = x1(n+3) + x1(n); x2(n+31) = x2(n+3) + x2(n+2) + x2(n+1) + x2(n)
    const std::uint32_t f1 = (x1_ ^ (x1_ >> 3)) & 1U;
    const std::uint32_t f2 = (x2_ ^ (x2_ >> 1) ^ (x2_ >> 2) ^ (x2_ >> 3)) & 1U;
    x1_ = (x1_ >> 1) | (f1 << 30);
    x2_ = (x2_ >> 1) | (f2 << 30);
  }
  std::uint32_t x1_;
  std::uint32_t x2_;
};

/// out[i] = c(i).
void gold_bits(std::uint32_t c_init, std::span<std::uint8_t> out);

}  // namespace prose::phy
