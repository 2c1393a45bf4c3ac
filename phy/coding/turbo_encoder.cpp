#include "phy/coding/turbo_encoder.h"

#include <array>
#include <cassert>
#include <cstddef>
#include <cstring>

#include "phy/coding/trellis.h"

namespace prose::phy {
namespace {

// Eight steps of the constituent encoder at once: for a state and eight input bits (first bit lowest), the parity bits
// unpacked and the state after them.
struct octet_step {
  std::uint64_t parity;
  std::uint8_t next;
};
struct octet_table {
  std::array<std::array<octet_step, 256>, 8> step;
};
const octet_table& octets() {
  static const octet_table t = [] {
    octet_table o{};
    for (unsigned s = 0; s < 8; ++s)
      for (unsigned in = 0; in < 256; ++in) {
        unsigned state = s;
        std::uint64_t parity = 0;
        for (unsigned i = 0; i < 8; ++i) {
          const unsigned u = (in >> i) & 1U;
          parity |= static_cast<std::uint64_t>(trellis::parity(state, u)) << (8 * i);
          state = trellis::next(state, u);
        }
        o.step[s][in] = {parity, static_cast<std::uint8_t>(state)};
      }
    return o;
  }();
  return t;
}

// Unpacked bits in, parity out; gives the final state. size is a multiple of 8, as every K is.
unsigned run(const octet_table& t, const std::uint8_t* bits, std::size_t size, std::uint8_t* parity) {
  unsigned state = 0;
  for (std::size_t i = 0; i < size; i += 8) {
    std::uint64_t x = 0;
    std::memcpy(&x, bits + i, 8);
    const auto in = static_cast<unsigned>((x * 0x0102040810204080ULL) >> 56);  // gathers the eight lowest bits
    const octet_step& step = t.step[state][in];
    std::memcpy(parity + i, &step.parity, 8);
    state = step.next;
  }
  return state;
}

}  // namespace

void turbo_encode(const qpp& q, std::span<const std::uint8_t> bits, std::span<std::uint8_t> tail0,
                  std::span<std::uint8_t> parity1, std::span<std::uint8_t> parity2) noexcept {
  const std::size_t k = q.k;
  assert(bits.size() == k && tail0.size() == turbo_tail && parity1.size() == k + turbo_tail &&
         parity2.size() == k + turbo_tail);
  const octet_table& t = octets();
  alignas(64) std::array<std::uint8_t, max_code_block_bits> interleaved;
  std::size_t n = 0;
  for_each_interleaved_index(q, [&](std::uint32_t from) { interleaved[n++] = bits[from]; });
  const std::array<unsigned, 2> end{run(t, bits.data(), k, parity1.data()),
                                    run(t, interleaved.data(), k, parity2.data())};

  // Termination: each encoder is fed its own feedback three times; x and z of both are spread over the streams
  // (5.1.3.2.2).
  std::array<std::uint8_t, 12> tail{};  // x z x z x z of encoder 1, then of encoder 2
  for (std::size_t e = 0; e < 2; ++e) {
    unsigned state = end[e];
    for (std::size_t i = 0; i < 3; ++i) {
      const unsigned u = trellis::terminating_input(state);
      tail[6 * e + 2 * i] = static_cast<std::uint8_t>(u);
      tail[6 * e + 2 * i + 1] = static_cast<std::uint8_t>(trellis::parity(state, u));
      state = trellis::next(state, u);
    }
  }
  for (std::size_t i = 0; i < turbo_tail; ++i) {
    tail0[i] = tail[3 * i];
    parity1[k + i] = tail[3 * i + 1];
    parity2[k + i] = tail[3 * i + 2];
  }
}

}  // namespace prose::phy
