#include "phy/channels/soft_bits.h"

#include <bit>
#include <cassert>
#include <cstring>

#include "phy/dsp/gold.h"

namespace prose::phy {
namespace {

// The taps of both registers reach 3 back, so 28 outputs follow from a 31-bit state at once.
constexpr std::size_t batch = 28;
struct gold_state {
  std::uint32_t x1 = 0;
  std::uint32_t x2 = 0;
  std::uint32_t next() {
    constexpr std::uint32_t mask = (1U << batch) - 1;
    const std::uint32_t c = (x1 ^ x2) & mask;
    const std::uint32_t f1 = (x1 ^ (x1 >> 3)) & mask;
    const std::uint32_t f2 = (x2 ^ (x2 >> 1) ^ (x2 >> 2) ^ (x2 >> 3)) & mask;
    x1 = (x1 >> batch) | (f1 << 3);
    x2 = (x2 >> batch) | (f2 << 3);
    return c;
  }
};

// The first register does not depend on c_init; gold_sequence keeps its state to itself, so it is recovered from
// outputs: x2 = 0 for c_init = 0 leaves x1 alone, and for others the XOR with x1's output gives x2.
gold_state state_of(std::uint32_t c_init) {
  static const std::uint32_t x1_start = [] {
    gold_sequence g(0);
    std::uint32_t v = 0;
    for (int i = 0; i < 31; ++i) v |= static_cast<std::uint32_t>(g.next()) << i;
    return v;
  }();
  gold_sequence g(c_init);
  std::uint32_t sum = 0;
  for (int i = 0; i < 31; ++i) sum |= static_cast<std::uint32_t>(g.next()) << i;
  return {x1_start, sum ^ x1_start};
}

}  // namespace

void descramble(std::uint32_t c_init, std::span<llr> soft_bits) noexcept {
  gold_state g = state_of(c_init);
  std::size_t i = 0;
  while (i < soft_bits.size()) {
    const std::uint32_t c = g.next();
    const std::size_t n = std::min(batch, soft_bits.size() - i);
    llr* x = soft_bits.data() + i;
    for (std::size_t j = 0; j < n; ++j)
      x[j] = std::bit_cast<llr>(std::bit_cast<std::uint32_t>(x[j]) ^ ((c >> j) << 31));
    i += n;
  }
}

void deinterleave(std::span<const llr> in, int n_columns, int modulation_order, std::span<llr> out) noexcept {
  assert(in.size() == out.size());
  const std::size_t columns = n_columns;
  const std::size_t group = modulation_order;
  const std::size_t rows = in.size() / (columns * group);
  const auto transpose = [&](auto size) {
    constexpr std::size_t q = decltype(size)::value;
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c)
        std::memcpy(out.data() + (r * columns + c) * q, in.data() + (c * rows + r) * q, q * sizeof(llr));
  };
  if (group == 2) transpose(std::integral_constant<std::size_t, 2>{});
  if (group == 4) transpose(std::integral_constant<std::size_t, 4>{});
  if (group == 6) transpose(std::integral_constant<std::size_t, 6>{});
}

}  // namespace prose::phy
