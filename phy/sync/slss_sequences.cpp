#include "phy/sync/slss_sequences.h"

#include <array>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace prose::phy {
namespace {

constexpr int m_length = 31;
using m_sequence = std::array<float, m_length>;

// 1 - 2 x(i) with x(i + 5) = sum of x(i + k) over the bits k of `taps`, x(4) = 1 and zeros before (TS 36.211 6.11.2.1).
m_sequence make_m_sequence(unsigned taps) {
  std::array<unsigned, m_length> x{};
  x[4] = 1;
  for (int i = 0; i + 5 < m_length; ++i) {
    unsigned sum = 0;
    for (int k = 0; k < 5; ++k)
      if ((taps >> k) & 1U) sum ^= x[i + k];
    x[i + 5] = sum;
  }
  m_sequence out{};
  for (int i = 0; i < m_length; ++i) out[i] = 1.0F - 2.0F * static_cast<float>(x[i]);
  return out;
}

float at(const m_sequence& s, int i) { return s[i % m_length]; }

}  // namespace

void psss_sequence(int root, std::span<cf32> out) {
  assert(out.size() == slss_length);
  for (int n = 0; n < slss_length; ++n) {
    const int k = n < 31 ? n * (n + 1) : (n + 1) * (n + 2);
    // The phase repeats every 126 half steps of pi / 63, which keeps the argument small.
    const double phase = -std::numbers::pi * ((root * k) % 126) / 63.0;
    out[n] = {static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase))};
  }
}

void ssss_sequence(int n_sl_id, transmission_mode tm, std::span<float> out) {
  assert(out.size() == slss_length && n_sl_id >= 0 && n_sl_id < n_slss_ids);
  static const m_sequence s = make_m_sequence(0b00101);
  static const m_sequence c = make_m_sequence(0b01001);
  static const m_sequence z = make_m_sequence(0b10111);
  // TS 36.211 6.11.2.1 with N_ID^(1) and N_ID^(2) of TS 36.211 9.7.2.1.
  const int n1 = n_sl_id % ids_per_psss_root;
  const int n2 = n_sl_id / ids_per_psss_root;
  const int q_prime = n1 / 30;
  const int q = (n1 + q_prime * (q_prime + 1) / 2) / 30;
  const int m_prime = n1 + q * (q + 1) / 2;
  const int m0 = m_prime % m_length;
  const int m1 = (m0 + m_prime / m_length + 1) % m_length;
  const int first = is_v2x(tm) ? m1 : m0;
  const int second = is_v2x(tm) ? m0 : m1;
  for (int n = 0; n < m_length; ++n) {
    out[2 * n] = at(s, n + first) * at(c, n + n2);
    out[2 * n + 1] = at(s, n + second) * at(c, n + n2 + 3) * at(z, n + first % 8);
  }
}

}  // namespace prose::phy
