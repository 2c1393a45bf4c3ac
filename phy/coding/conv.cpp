#include "phy/coding/conv.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "phy/coding/simd.h"

namespace prose::phy {
namespace {

// Bit i of a mask is the tap on c(k - i): 133, 171 and 165 (octal) read from their left end.
constexpr std::array<unsigned, 3> taps{0b1101101, 0b1001111, 0b1010111};
constexpr int n_states = 64;  // bit i of a state is c(k - 1 - i)
constexpr int half = n_states / 2;
constexpr int unreachable = -12000;
constexpr int max_starts =
    16;  // tried at most: bounds the time on noise, and loses about 0.05 dB against trying all 64
constexpr int steps_between_normalisations = 16;

using vec = i16v<half>;

struct sign_table {
  alignas(64) std::int16_t sign[3][half]{};
};
// The sign with which soft value i enters the branch from state j < 32 with new bit 0. All generators have both end
// taps, so the branch from j + 32, and the branch with new bit 1, have the opposite signs.
constexpr sign_table make_signs() {
  sign_table t;
  for (std::size_t i = 0; i < 3; ++i)
    for (unsigned j = 0; j < half; ++j)
      t.sign[i][j] = static_cast<std::int16_t>(std::popcount((j << 1) & taps[i]) % 2 != 0 ? -1 : 1);
  return t;
}
constexpr sign_table signs = make_signs();

struct lap_decisions {
  alignas(64) std::int16_t
      from_upper[conv_max_bits][2][half];  // [bit][new bit][state / 2]: the survivor came from j + 32
};

inline vec interleave_low(vec a, vec b) {
  return __builtin_shufflevector(a, b, 0, 32, 1, 33, 2, 34, 3, 35, 4, 36, 5, 37, 6, 38, 7, 39, 8, 40, 9, 41, 10, 42, 11,
                                 43, 12, 44, 13, 45, 14, 46, 15, 47);
}
inline vec interleave_high(vec a, vec b) {
  return __builtin_shufflevector(a, b, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55, 24, 56, 25, 57,
                                 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63);
}

// One way around the circle of n trellis steps. Ranges: two states differ by at most 6 steps of 2 * 3 * 255, and a
// metric grows by at most 3 * 255 a step, so int16 holds 16 steps without normalisation. Returns what normalisation
// took off all metrics.
std::int32_t go_around(std::span<const std::int16_t> soft, std::size_t n, vec& low, vec& high, lap_decisions& d) {
  std::int32_t removed = 0;
  const vec s0 = vload<vec>(signs.sign[0]);
  const vec s1 = vload<vec>(signs.sign[1]);
  const vec s2 = vload<vec>(signs.sign[2]);
  for (std::size_t k = 0; k < n; ++k) {
    const vec g = s0 * soft[k] + s1 * soft[n + k] + s2 * soft[2 * n + k];
    const vec a0 = low + g;
    const vec b0 = high - g;
    const vec a1 = low - g;
    const vec b1 = high + g;
    vstore(d.from_upper[k][0], static_cast<vec>(b0 > a0));
    vstore(d.from_upper[k][1], static_cast<vec>(b1 > a1));
    const vec n0 = vmax(a0, b0);
    const vec n1 = vmax(a1, b1);
    low = interleave_low(n0, n1);
    high = interleave_high(n0, n1);
    if (k % steps_between_normalisations == steps_between_normalisations - 1) {
      const std::int16_t base = low[0];
      low = low - base;
      high = high - base;
      removed += base;
    }
  }
  return removed;
}

using state_metrics = std::array<std::int32_t, n_states>;
state_metrics read_metrics(vec low, vec high, std::int32_t removed) {
  alignas(64) std::array<std::int16_t, n_states> m;
  vstore(m.data(), low);
  vstore(m.data() + half, high);
  state_metrics out;
  for (std::size_t s = 0; s < n_states; ++s) out[s] = m[s] + removed;
  return out;
}

// Follows the survivor that ends in `state`; gives the state it started from.
unsigned trace_back(const lap_decisions& d, unsigned state, std::span<std::uint8_t> bits) {
  for (std::size_t k = bits.size(); k-- > 0;) {
    const unsigned bit = state & 1U;
    const unsigned j = state >> 1;
    bits[k] = static_cast<std::uint8_t>(bit);
    state = j + (d.from_upper[k][bit][j] != 0 ? half : 0U);
  }
  return state;
}

}  // namespace

void conv_encode(std::span<const std::uint8_t> bits, std::span<std::uint8_t> out) noexcept {
  const std::size_t n = bits.size();
  assert(n >= 6 && out.size() == 3 * n);
  unsigned window = 0;  // bit i is c(k - 1 - i); tail biting: it starts with the last six bits
  for (std::size_t i = 0; i < 6; ++i) window |= (bits[n - 1 - i] & 1U) << i;
  for (std::size_t k = 0; k < n; ++k) {
    window = ((window << 1) | (bits[k] & 1U)) & 0x7FU;
    for (std::size_t i = 0; i < 3; ++i) out[i * n + k] = static_cast<std::uint8_t>(std::popcount(window & taps[i]) & 1);
  }
}

// Exactly maximum likelihood. One lap from all states gives, for every end state, a bound on the tail-biting paths
// through it. The states are then tried in the order of their bounds, each with a lap that starts in it alone, until no
// bound exceeds the best tail-biting path found. At working SNR that is none or a few more laps. (Going around with the
// metrics reached so far, the usual shortcut, misses the best path often enough to cost 3 dB at 48 bits.)
void conv_decode(std::span<const std::int16_t> soft, std::span<std::uint8_t> bits) noexcept {
  const std::size_t n = bits.size();
  assert(n >= 6 && n <= conv_max_bits && soft.size() == 3 * n);
  vec low{};
  vec high{};
  lap_decisions decisions;
  std::int32_t removed = go_around(soft, n, low, high, decisions);
  state_metrics bound = read_metrics(low, high, removed);
  constexpr std::int32_t tried = INT32_MIN;
  std::int32_t best_metric = tried;
  bool first = true;
  for (int i = 0; i < max_starts; ++i) {
    const auto top = std::max_element(bound.begin(), bound.end());
    if (*top <= best_metric) return;
    const auto s = static_cast<unsigned>(top - bound.begin());
    // A survivor of all that ends where it began is a tail-biting path, and none is better.
    if (first && trace_back(decisions, s, bits) == s) return;
    first = false;
    alignas(64) std::array<std::int16_t, n_states> start;
    start.fill(unreachable);
    start[s] = 0;
    low = vload<vec>(start.data());
    high = vload<vec>(start.data() + half);
    removed = go_around(soft, n, low, high, decisions);
    const std::int32_t metric = read_metrics(low, high, removed)[s];
    if (metric > best_metric) {
      best_metric = metric;
      trace_back(decisions, s, bits);
    }
    *top = tried;
  }
}

}  // namespace prose::phy
