#include "phy/coding/turbo_decoder.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

#include "phy/coding/qpp_windows.h"
#include "phy/coding/simd.h"
#include "phy/coding/trellis.h"

namespace prose::phy {

struct turbo_decoder::workspace {
  template <class T, std::size_t N>
  struct alignas(64) row_array {
    T v[N];
  };
  static constexpr std::size_t n = max_code_block_bits;
  // Rows of W lanes: element [k * W + t] belongs to bit t M + k.
  row_array<std::int16_t, n> systematic;
  row_array<std::int16_t, n> parity1;
  row_array<std::int16_t, n> parity2;
  row_array<std::int16_t, n> a_priori;     // from decoder 2 to decoder 1
  row_array<std::int16_t, n> exchanged;    // systematic + extrinsic of decoder 1
  row_array<std::int16_t, n> interleaved;  // the same in the order of decoder 2
  row_array<std::int16_t, n> decision;     // a posteriori, natural order
  row_array<std::int16_t, 8 * n> alpha;
};

namespace {

// Ranges in int16. A branch metric is g(u, z) = (u ? 0 : X) + (z ? 0 : P) with |X| <= 255 + 1023 and |P| <= 255, so it
// spans at most 1533. Any two states are joined within 3 steps, so metrics differ by at most 4600; 8 steps without
// normalisation add at most 10700. A path metric is thus below 15400, and the sum of two and a P below 31100.
constexpr int extrinsic_limit = 1023;
constexpr int steps_between_normalisations = 8;
constexpr std::int16_t impossible = -4600;
constexpr int training_rows = 32;
// Windows shorter than this are trained in every iteration: edges handed on once an iteration would spread too slowly.
constexpr int short_rows = 64;

template <int W>
using states = std::array<i16v<W>, 8>;

template <int W>
inline i16v<W> permute_lanes(i16v<W> v, const std::uint8_t* lane) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
  if constexpr (W == 32) {
    const __m512i index = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(lane)));
    return reinterpret_cast<i16v<W>>(_mm512_permutexvar_epi16(index, reinterpret_cast<__m512i>(v)));
  } else if constexpr (W == 16) {
    const __m256i index = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(lane)));
    return reinterpret_cast<i16v<W>>(_mm256_permutexvar_epi16(index, reinterpret_cast<__m256i>(v)));
  } else {
    const __m128i index = _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(lane)));
    return reinterpret_cast<i16v<W>>(_mm_permutexvar_epi16(index, reinterpret_cast<__m128i>(v)));
  }
#else
  i16v<W> r;
  for (int t = 0; t < W; ++t) r[t] = v[lane[t]];
  return r;
#endif
}

// Lane t gets lane t - by (cyclically).
template <int W>
inline i16v<W> rotate_lanes(i16v<W> v, int by) {
  std::int16_t twice[2 * W];
  vstore(twice, v);
  vstore(twice + W, v);
  return vload<i16v<W>>(twice + (by > 0 ? W - by : -by));
}

template <unsigned U, unsigned Z, class V>
inline V add_branch(V metric, V x, V p, V s) {
  if constexpr (U == 0 && Z == 0) return metric + s;
  if constexpr (U == 0 && Z == 1) return metric + x;
  if constexpr (U == 1 && Z == 0) return metric + p;
  return metric;
}

// One step forward: the new metric of `To` from its two predecessors.
template <unsigned To, class V>
inline V alpha_of(const std::array<V, 8>& a, V x, V p, V s) {
  constexpr unsigned from0 = 2 * (To & 3U);
  constexpr unsigned from1 = from0 + 1;
  constexpr unsigned u0 = trellis::next(from0, 0) == To ? 0 : 1;
  constexpr unsigned u1 = trellis::next(from1, 0) == To ? 0 : 1;
  return vmax(add_branch<u0, trellis::parity(from0, u0)>(a[from0], x, p, s),
              add_branch<u1, trellis::parity(from1, u1)>(a[from1], x, p, s));
}
// One step backward.
template <unsigned From, class V>
inline V beta_of(const std::array<V, 8>& b, V x, V p, V s) {
  return vmax(add_branch<0, trellis::parity(From, 0)>(b[trellis::next(From, 0)], x, p, s),
              add_branch<1, trellis::parity(From, 1)>(b[trellis::next(From, 1)], x, p, s));
}

template <class V>
inline void step_alpha(std::array<V, 8>& a, V x, V p) {
  const V s = x + p;
  [&]<unsigned... S>(std::integer_sequence<unsigned, S...>) { a = std::array<V, 8>{alpha_of<S>(a, x, p, s)...}; }
  (std::make_integer_sequence<unsigned, 8>{});
}
template <class V>
inline void step_beta(std::array<V, 8>& b, V x, V p) {
  const V s = x + p;
  [&]<unsigned... S>(std::integer_sequence<unsigned, S...>) { b = std::array<V, 8>{beta_of<S>(b, x, p, s)...}; }
  (std::make_integer_sequence<unsigned, 8>{});
}
template <class V>
inline void normalise(std::array<V, 8>& m) {
  for (std::size_t i = 1; i < 8; ++i) m[i] -= m[0];
  m[0] = V{};
}

// max over the four states of alpha + beta, for branches with input U and parity Z.
template <unsigned U, unsigned Z, class V>
inline V best_of(const std::array<V, 8>& a, const std::array<V, 8>& b) {
  V best[4];
  [&]<unsigned... S>(std::integer_sequence<unsigned, S...>) {
    int n = 0;
    ((trellis::parity(S, U) == Z ? void(best[n++] = a[S] + b[trellis::next(S, U)]) : void()), ...);
  }
  (std::make_integer_sequence<unsigned, 8>{});
  return vmax(vmax(best[0], best[1]), vmax(best[2], best[3]));
}
template <class V>
inline V extrinsic_of(const std::array<V, 8>& a, const std::array<V, 8>& b, V p) {
  const V zero = vmax(best_of<0, 0>(a, b) + p, best_of<0, 1>(a, b));
  const V one = vmax(best_of<1, 0>(a, b) + p, best_of<1, 1>(a, b));
  return zero - one;
}
// Max-log-MAP overrates its own output; 3/4 of it is close to the exact value.
template <class V>
inline V scaled_extrinsic(V e) {
  const V limit = V{} + static_cast<std::int16_t>(extrinsic_limit);
  return vmax(vmin(e - (e >> 2), limit), -limit);
}

// State metrics at the edges of all windows, kept from one iteration to the next.
template <int W>
struct window_edges {
  states<W> alpha{};  // before row 0
  states<W> beta{};   // after the last row
};

template <int W>
void set_known_start(states<W>& a) {
  a[0][0] = 0;
  for (std::size_t s = 1; s < 8; ++s) a[s][0] = impossible;
}

// beta after the last bit, from the three termination steps (x, z pairs).
std::array<std::int16_t, 8> tail_beta(const std::array<int, 6>& tail) {
  std::array<int, 8> b;
  b.fill(2 * impossible);
  b[0] = 0;
  for (int i = 2; i >= 0; --i) {
    std::array<int, 8> before{};
    for (unsigned s = 0; s < 8; ++s) {
      const unsigned u = trellis::terminating_input(s);
      before[s] =
          b[trellis::next(s, u)] + (u != 0 ? 0 : tail[2 * i]) + (trellis::parity(s, u) != 0 ? 0 : tail[2 * i + 1]);
    }
    b = before;
  }
  std::array<std::int16_t, 8> out{};
  for (std::size_t s = 0; s < 8; ++s) out[s] = static_cast<std::int16_t>(b[s] - b[0]);
  return out;
}

template <int W>
void set_known_end(states<W>& b, const std::array<std::int16_t, 8>& tail) {
  for (std::size_t s = 0; s < 8; ++s) b[s][W - 1] = tail[s];
}

// Trains the edges on the neighbouring windows, through training_rows rows, which are several windows where windows are
// short.
template <int W>
void train_edges(window_edges<W>& e, const std::int16_t* x, const std::int16_t* p, int rows,
                 const std::array<std::int16_t, 8>& tail) {
  using V = i16v<W>;
  const int length = std::min(rows, training_rows);
  const int passes = (training_rows + rows - 1) / rows;
  set_known_start<W>(e.alpha);
  set_known_end<W>(e.beta, tail);
  for (int pass = 0; pass < passes; ++pass) {
    // A pass that does not cover the whole window starts inside it, where nothing is known.
    states<W> a = length == rows ? e.alpha : states<W>{};
    for (int k = rows - length; k < rows; ++k) {
      step_alpha(a, vload<V>(x + k * W), vload<V>(p + k * W));
      if (k % steps_between_normalisations == 0) normalise(a);
    }
    normalise(a);
    for (std::size_t s = 0; s < 8; ++s) e.alpha[s] = rotate_lanes<W>(a[s], 1);
    set_known_start<W>(e.alpha);
    states<W> b = length == rows ? e.beta : states<W>{};
    for (int k = length - 1; k >= 0; --k) {
      step_beta(b, vload<V>(x + k * W), vload<V>(p + k * W));
      if (k % steps_between_normalisations == 0) normalise(b);
    }
    normalise(b);
    for (std::size_t s = 0; s < 8; ++s) e.beta[s] = rotate_lanes<W>(b[s], -1);
    set_known_end<W>(e.beta, tail);
  }
}

// One constituent decoder over all windows. emit(k, x, e): the a priori plus systematic value and the extrinsic value
// of row k.
template <int W, class F>
void constituent(window_edges<W>& e, const std::int16_t* x, const std::int16_t* p, int rows,
                 const std::array<std::int16_t, 8>& tail, std::int16_t* alpha, F&& emit) {
  using V = i16v<W>;
  states<W> a = e.alpha;
  for (int k = 0; k < rows; ++k) {
    if (k % steps_between_normalisations == 0) normalise(a);
    for (std::size_t s = 0; s < 8; ++s) vstore(alpha + (static_cast<std::size_t>(k) * 8 + s) * W, a[s]);
    step_alpha(a, vload<V>(x + k * W), vload<V>(p + k * W));
  }
  states<W> b = e.beta;
  for (int k = rows - 1; k >= 0; --k) {
    if (k % steps_between_normalisations == steps_between_normalisations - 1) normalise(b);
    const V xk = vload<V>(x + k * W);
    const V pk = vload<V>(p + k * W);
    states<W> ak;
    for (std::size_t s = 0; s < 8; ++s) ak[s] = vload<V>(alpha + (static_cast<std::size_t>(k) * 8 + s) * W);
    emit(k, xk, extrinsic_of(ak, b, pk));
    step_beta(b, xk, pk);
  }
  // The edges that the neighbours start from next time.
  normalise(a);
  normalise(b);
  for (std::size_t s = 0; s < 8; ++s) {
    e.alpha[s] = rotate_lanes<W>(a[s], 1);
    e.beta[s] = rotate_lanes<W>(b[s], -1);
  }
  set_known_start<W>(e.alpha);
  set_known_end<W>(e.beta, tail);
}

// Whether the sign bits of `decision`, in the order of the bits, are divisible by the CRC polynomial: each lane divides
// its own window, then the remainders are weighted by the distance of the window from the end.
template <int W>
bool divisible(const std::int16_t* decision, int rows, const crc_code& crc, const std::uint32_t* weights) {
  const std::uint32_t poly = crc.polynomial << (32 - crc.length);
  alignas(64) std::uint32_t r[W] = {};
  for (int k = 0; k < rows; ++k) {
    const std::int16_t* row = decision + k * W;
    for (int t = 0; t < W; ++t) {
      const auto bit = static_cast<std::uint32_t>(static_cast<std::int32_t>(row[t])) & 0x80000000U;
      const auto top = static_cast<std::uint32_t>(static_cast<std::int32_t>(r[t] ^ bit) >> 31);
      r[t] = (r[t] << 1) ^ (top & poly);
    }
  }
  alignas(64) std::uint32_t product[W] = {};
  for (int b = crc.length - 1; b >= 0; --b)
    for (int t = 0; t < W; ++t) {
      const auto top = static_cast<std::uint32_t>(static_cast<std::int32_t>(product[t]) >> 31);
      const std::uint32_t take = 0U - ((weights[t] >> b) & 1U);
      product[t] = (product[t] << 1) ^ (top & poly) ^ (take & r[t]);
    }
  std::uint32_t sum = 0;
  for (int t = 0; t < W; ++t) sum ^= product[t];
  return sum == 0;
}

template <int W, class Workspace>
turbo_outcome run(Workspace& ws, const qpp_windows& q, const std::array<const std::int16_t*, 3>& soft,
                  const crc_code& crc, int max_iterations, std::span<std::uint8_t> bits) {
  using V = i16v<W>;
  const int m = q.rows;
  const int size = m * W;
  std::int16_t* const sys = ws.systematic.v;
  std::int16_t* const par1 = ws.parity1.v;
  std::int16_t* const par2 = ws.parity2.v;
  for (int k = 0; k < m; ++k)
    for (int t = 0; t < W; ++t) {
      sys[k * W + t] = soft[0][t * m + k];
      par1[k * W + t] = soft[1][t * m + k];
      par2[k * W + t] = soft[2][t * m + k];
    }
  std::array<int, 12> tail{};
  for (int i = 0; i < 12; ++i) tail[i] = soft[i % 3][size + i / 3];
  const auto tail1 = tail_beta({tail[0], tail[1], tail[2], tail[3], tail[4], tail[5]});
  const auto tail2 = tail_beta({tail[6], tail[7], tail[8], tail[9], tail[10], tail[11]});
  const std::uint32_t* const weights = crc.polynomial == crc24a.polynomial ? q.weights24a : q.weights24b;

  window_edges<W> edges1;
  window_edges<W> edges2;
  turbo_outcome result;
  std::int16_t* const x1 = ws.interleaved.v;  // input of decoder 1; the array serves decoder 2 afterwards
  while (!result.crc_ok && result.iterations < max_iterations) {
    const bool first = result.iterations++ == 0;
    for (int k = 0; k < m; ++k) {
      const V s = vload<V>(sys + k * W);
      vstore(x1 + k * W, first ? s : s + vload<V>(ws.a_priori.v + k * W));
    }
    if (first || m < short_rows) train_edges<W>(edges1, x1, par1, m, tail1);
    constituent<W>(edges1, x1, par1, m, tail1, ws.alpha.v, [&](int k, V x, V e) {
      vstore(ws.exchanged.v + k * W, vload<V>(sys + k * W) + scaled_extrinsic(e));
      vstore(ws.decision.v + k * W, x + e);
    });
    result.crc_ok = divisible<W>(ws.decision.v, m, crc, weights);
    if (result.crc_ok) break;

    std::int16_t* const x2 = ws.interleaved.v;
    for (int k = 0; k < m; ++k)
      vstore(x2 + k * W, permute_lanes<W>(vload<V>(ws.exchanged.v + q.row[k] * W), q.take + k * W));
    if (first || m < short_rows) train_edges<W>(edges2, x2, par2, m, tail2);
    constituent<W>(edges2, x2, par2, m, tail2, ws.alpha.v, [&](int k, V x, V e) {
      const int to = q.row[k] * W;
      vstore(ws.a_priori.v + to, permute_lanes<W>(scaled_extrinsic(e), q.give + k * W));
      vstore(ws.decision.v + to, permute_lanes<W>(x + e, q.give + k * W));
    });
    result.crc_ok = divisible<W>(ws.decision.v, m, crc, weights);
  }
  for (int t = 0; t < W; ++t)
    for (int k = 0; k < m; ++k) bits[t * m + k] = static_cast<std::uint8_t>(ws.decision.v[k * W + t] < 0);
  return result;
}

}  // namespace

turbo_decoder::turbo_decoder() : w_(std::make_unique<workspace>()) { qpp_windows_of(qpp_all().front()); }
turbo_decoder::~turbo_decoder() = default;
turbo_decoder::turbo_decoder(turbo_decoder&&) noexcept = default;
turbo_decoder& turbo_decoder::operator=(turbo_decoder&&) noexcept = default;

turbo_outcome turbo_decoder::decode(const qpp& q, const std::array<const std::int16_t*, 3>& soft, const crc_code& crc,
                                    int max_iterations, std::span<std::uint8_t> bits) noexcept {
  assert(bits.size() == static_cast<std::size_t>(q.k));
  const qpp_windows& windows = qpp_windows_of(q);
  const int iterations = std::max(1, max_iterations);
  if (windows.n_windows == 32) return run<32>(*w_, windows, soft, crc, iterations, bits);
  if (windows.n_windows == 16) return run<16>(*w_, windows, soft, crc, iterations, bits);
  return run<8>(*w_, windows, soft, crc, iterations, bits);
}

}  // namespace prose::phy
