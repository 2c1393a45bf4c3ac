#include "phy/scfdma/dmrs.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "phy/dsp/gold.h"
#include "phy/scfdma/dmrs_table.h"

namespace prose::phy {
namespace {

// TS 36.211 5.5.1.2: base sequences of one and two resource blocks are exp(j phi(n) pi / 4).
// Table 5.5.1.2-1
constexpr std::int8_t phi_1_prb[30][12] = {
    {-1, 1, 3, -3, 3, 3, 1, 1, 3, 1, -3, 3},      {1, 1, 3, 3, 3, -1, 1, -3, -3, 1, -3, 3},
    {1, 1, -3, -3, -3, -1, -3, -3, 1, -3, 1, -1}, {-1, 1, 1, 1, 1, -1, -3, -3, 1, -3, 3, -1},
    {-1, 3, 1, -1, 1, -1, -3, -1, 1, -1, 1, 3},   {1, -3, 3, -1, -1, 1, 1, -1, -1, 3, -3, 1},
    {-1, 3, -3, -3, -3, 3, 1, -1, 3, 3, -3, 1},   {-3, -1, -1, -1, 1, -3, 3, -1, 1, -3, 3, 1},
    {1, -3, 3, 1, -1, -1, -1, 1, 1, 3, -1, 1},    {1, -3, -1, 3, 3, -1, -3, 1, 1, 1, 1, 1},
    {-1, 3, -1, 1, 1, -3, -3, -1, -3, -3, 3, -1}, {3, 1, -1, -1, 3, 3, -3, 1, 3, 1, 3, 3},
    {1, -3, 1, 1, -3, 1, 1, 1, -3, -3, -3, 1},    {3, 3, -3, 3, -3, 1, 1, 3, -1, -3, 3, 3},
    {-3, 1, -1, -3, -1, 3, 1, 3, 3, 3, -1, 1},    {3, -1, 1, -3, -1, -1, 1, 1, 3, 1, -1, -3},
    {1, 3, 1, -1, 1, 3, 3, 3, -1, -1, 3, -1},     {-3, 1, 1, 3, -3, 3, -3, -3, 3, 1, 3, -1},
    {-3, 3, 1, 1, -3, 1, -3, -3, -1, -1, 1, -3},  {-1, 3, 1, 3, 1, -1, -1, 3, -3, -1, -3, -1},
    {-1, -3, 1, 1, 1, 1, 3, 1, -1, 1, -3, -1},    {-1, 3, -1, 1, -3, -3, -3, -3, -3, 1, -1, -3},
    {1, 1, -3, -3, -3, -3, -1, 3, -3, 1, -3, 3},  {1, 1, -1, -3, -1, -3, 1, -1, 1, 3, -1, 1},
    {1, 1, 3, 1, 3, 3, -1, 1, -1, -3, -3, 1},     {1, -3, 3, 3, 1, 3, 3, 1, -3, -1, -1, 3},
    {1, 3, -3, -3, 3, -3, 1, -1, -1, 3, -1, -3},  {-3, -1, -3, -1, -3, 3, 1, -1, 1, 3, -3, -3},
    {-1, 3, -3, 3, -1, 3, 3, -3, 3, 3, -1, -1},   {3, -3, -3, -1, -1, -3, -1, 3, -3, 3, 1, -1},
};

// Table 5.5.1.2-2
constexpr std::int8_t phi_2_prb[30][24] = {
    {-1, 3, 1, -3, 3, -1, 1, 3, -3, 3, 1, 3, -3, 3, 1, 1, -1, 1, 3, -3, 3, -3, -1, -3},
    {-3, 3, -3, -3, -3, 1, -3, -3, 3, -1, 1, 1, 1, 3, 1, -1, 3, -3, -3, 1, 3, 1, 1, -3},
    {3, -1, 3, 3, 1, 1, -3, 3, 3, 3, 3, 1, -1, 3, -1, 1, 1, -1, -3, -1, -1, 1, 3, 3},
    {-1, -3, 1, 1, 3, -3, 1, 1, -3, -1, -1, 1, 3, 1, 3, 1, -1, 3, 1, 1, -3, -1, -3, -1},
    {-1, -1, -1, -3, -3, -1, 1, 1, 3, 3, -1, 3, -1, 1, -1, -3, 1, -1, -3, -3, 1, -3, -1, -1},
    {-3, 1, 1, 3, -1, 1, 3, 1, -3, 1, -3, 1, 1, -1, -1, 3, -1, -3, 3, -3, -3, -3, 1, 1},
    {1, 1, -1, -1, 3, -3, -3, 3, -3, 1, -1, -1, 1, -1, 1, 1, -1, -3, -1, 1, -1, 3, -1, -3},
    {-3, 3, 3, -1, -1, -3, -1, 3, 1, 3, 1, 3, 1, 1, -1, 3, 1, -1, 1, 3, -3, -1, -1, 1},
    {-3, 1, 3, -3, 1, -1, -3, 3, -3, 3, -1, -1, -1, -1, 1, -3, -3, -3, 1, -3, -3, -3, 1, -3},
    {1, 1, -3, 3, 3, -1, -3, -1, 3, -3, 3, 3, 3, -1, 1, 1, -3, 1, -1, 1, 1, -3, 1, 1},
    {-1, 1, -3, -3, 3, -1, 3, -1, -1, -3, -3, -3, -1, -3, -3, 1, -1, 1, 3, 3, -1, 1, -1, 3},
    {1, 3, 3, -3, -3, 1, 3, 1, -1, -3, -3, -3, 3, 3, -3, 3, 3, -1, -3, 3, -1, 1, -3, 1},
    {1, 3, 3, 1, 1, 1, -1, -1, 1, -3, 3, -1, 1, 1, -3, 3, 3, -1, -3, 3, -3, -1, -3, -1},
    {3, -1, -1, -1, -1, -3, -1, 3, 3, 1, -1, 1, 3, 3, 3, -1, 1, 1, -3, 1, 3, -1, -3, 3},
    {-3, -3, 3, 1, 3, 1, -3, 3, 1, 3, 1, 1, 3, 3, -1, -1, -3, 1, -3, -1, 3, 1, 1, 3},
    {-1, -1, 1, -3, 1, 3, -3, 1, -1, -3, -1, 3, 1, 3, 1, -1, -3, -3, -1, -1, -3, -3, -3, -1},
    {-1, -3, 3, -1, -1, -1, -1, 1, 1, -3, 3, 1, 3, 3, 1, -1, 1, -3, 1, -3, 1, 1, -3, -1},
    {1, 3, -1, 3, 3, -1, -3, 1, -1, -3, 3, 3, 3, -1, 1, 1, 3, -1, -3, -1, 3, -1, -1, -1},
    {1, 1, 1, 1, 1, -1, 3, -1, -3, 1, 1, 3, -3, 1, -3, -1, 1, 1, -3, -3, 3, 1, 1, -3},
    {1, 3, 3, 1, -1, -3, 3, -1, 3, 3, 3, -3, 1, -1, 1, -1, -3, -1, 1, 3, -1, 3, -3, -3},
    {-1, -3, 3, -3, -3, -3, -1, -1, -3, -1, -3, 3, 1, 3, -3, -1, 3, -1, 1, -1, 3, -3, 1, -1},
    {-3, -3, 1, 1, -1, 1, -1, 1, -1, 3, 1, -3, -1, 1, -1, 1, -1, -1, 3, 3, -3, -1, 1, -3},
    {-3, -1, -3, 3, 1, -1, -3, -1, -3, -3, 3, -3, 3, -3, -1, 1, 3, 1, -3, 1, 3, 3, -1, -3},
    {-1, -1, -1, -1, 3, 3, 3, 1, 3, 3, -3, 1, 3, -1, 3, -1, 3, 3, -3, 3, 1, -1, 3, 3},
    {1, -1, 3, 3, -1, -3, 3, -3, -1, -1, 3, -1, 3, -1, -1, 1, 1, 1, 1, -1, -1, -3, -1, 3},
    {1, -1, 1, -1, 3, -1, 3, 1, 1, -1, -1, -3, 1, 1, -3, 1, 3, -3, 1, 1, -3, -3, -1, -1},
    {-3, -1, 1, 3, 1, 1, -3, -1, -1, -3, 3, -3, 3, 1, -3, 3, -3, 1, -1, 1, -3, 1, 1, 1},
    {-1, -3, 3, 3, 1, 1, 3, -1, -3, -1, -1, -1, 3, 1, -3, -3, -1, 3, -3, -1, -3, -1, -3, -1},
    {-1, -3, -1, -1, 1, -3, -1, -1, 1, -1, -3, 1, 1, -3, 1, -3, -3, 3, 1, 1, -1, 3, -1, -1},
    {1, 1, -1, -1, -3, -1, 3, -1, 3, -1, 1, 3, 1, -1, 3, 1, 3, -3, -3, 1, -1, -1, 1, 3},
};

constexpr symbol_map make_map(std::array<std::int8_t, 4> dmrs, int n_dmrs, int n_symbols, std::uint32_t excluded) {
  symbol_map m;
  m.dmrs = dmrs;
  m.n_dmrs = n_dmrs;
  for (int l = 0; l < n_symbols; ++l) {
    bool is_data = (excluded & (1U << l)) == 0;
    for (int i = 0; i < n_dmrs; ++i) is_data = is_data && dmrs[i] != l;
    if (is_data) m.data[m.n_data++] = static_cast<std::int8_t>(l);
  }
  return m;
}
// PSBCH shares its subframe with PSSS and SSSS, whose symbols it leaves out.
constexpr std::uint32_t slss_normal = (1U << 1) | (1U << 2) | (1U << 11) | (1U << 12);
constexpr std::uint32_t slss_extended = (1U << 0) | (1U << 1) | (1U << 9) | (1U << 10);
constexpr symbol_map map_normal = make_map({3, 10}, 2, 14, 0);
constexpr symbol_map map_extended = make_map({2, 8}, 2, 12, 0);
constexpr symbol_map map_v2x = make_map({2, 5, 8, 11}, 4, 14, 0);
constexpr symbol_map map_psbch_normal = make_map({3, 10}, 2, 14, slss_normal);
constexpr symbol_map map_psbch_extended = make_map({2, 8}, 2, 12, slss_extended);
constexpr symbol_map map_psbch_v2x = make_map({4, 6, 9}, 3, 14, slss_normal);
static_assert(map_psbch_normal.n_data == 8 && map_psbch_extended.n_data == 6 && map_psbch_v2x.n_data == 7);

constexpr bool is_prime(int n) {
  for (int d = 2; d * d <= n; ++d)
    if (n % d == 0) return false;
  return n > 1;
}
constexpr int largest_prime_below(int n) {
  while (!is_prime(--n)) {
  }
  return n;
}

}  // namespace

const symbol_map& symbols_of(sl_channel channel, cyclic_prefix cp, transmission_mode tm) {
  const bool extended = cp == cyclic_prefix::extended;
  if (channel == sl_channel::psbch)
    return is_v2x(tm) ? map_psbch_v2x : extended ? map_psbch_extended : map_psbch_normal;
  // Discovery keeps the two-DMRS layout whatever the transmission mode of communication on the carrier is.
  if (is_v2x(tm) && channel != sl_channel::psdch) return map_v2x;
  return extended ? map_extended : map_normal;
}

dmrs_params pssch_dmrs(transmission_mode tm, std::uint32_t n_x_id, int n_ssf) {
  const bool v2x = is_v2x(tm);
  return {.group_hopping = true,
          .n_rs_id = n_x_id,
          .f_ss = static_cast<int>((v2x ? n_x_id / 16 : n_x_id) % 30),
          .cyclic_shift = static_cast<int>(n_x_id / 2 % 8),
          .odd = n_x_id % 2 == 1,
          .n_ssf = n_ssf,
          .v2x = v2x};
}

dmrs_params pscch_dmrs(transmission_mode tm, int cyclic_shift) {
  return {.f_ss = is_v2x(tm) ? 8 : 0, .cyclic_shift = cyclic_shift, .v2x = is_v2x(tm)};
}

dmrs_params psdch_dmrs() { return {}; }

dmrs_params psbch_dmrs(transmission_mode tm, int n_sl_id) {
  return {.f_ss = n_sl_id / 16 % 30, .cyclic_shift = n_sl_id / 2 % 8, .odd = n_sl_id % 2 == 1, .v2x = is_v2x(tm)};
}

int group_hopping_pattern(std::uint32_t n_rs_id, int n_s) {
  gold_sequence c(n_rs_id / 30);
  c.skip(static_cast<std::size_t>(8 * n_s));
  int f = 0;
  for (int i = 0; i < 8; ++i) f |= c.next() << i;
  return f % 30;
}

void dmrs_base_sequence(int u, std::span<cf32> out) {
  const auto n = static_cast<int>(out.size());
  assert(u >= 0 && u < 30 && n >= 12 && n % 12 == 0);
  constexpr double pi = std::numbers::pi;
  if (n <= 24) {
    const std::int8_t* phi = n == 12 ? phi_1_prb[u] : phi_2_prb[u];
    for (int i = 0; i < n; ++i) out[i] = std::polar(1.0F, static_cast<float>(phi[i] * pi / 4));
    return;
  }
  // 5.5.1.1: Zadoff-Chu of the largest prime below the length, extended cyclically; v = 0.
  const int n_zc = largest_prime_below(n);
  const double q_bar = n_zc * (u + 1) / 31.0;
  const auto q = static_cast<std::int64_t>(std::floor(q_bar + 0.5));
  for (int i = 0; i < n; ++i) {
    const std::int64_t m = i % n_zc;
    // q m (m+1) reduced modulo 2 N_ZC keeps the phase exact.
    const auto phase = static_cast<double>(q * m * (m + 1) % (2 * n_zc));
    out[i] = cf32(std::polar(1.0, -pi * phase / n_zc));
  }
}

int sequence_group(const dmrs_params& p, int index) {
  if (!p.group_hopping) return p.f_ss % 30;
  // TM1/2 have one DMRS symbol a slot: n_s = n_ss = 2 n_ssf + slot. TM3/4 have two: n_s = 2 n_ss and 2 n_ss + 1.
  const int n_s = p.v2x ? 4 * p.n_ssf + index : 2 * p.n_ssf + index;
  return (p.f_ss + group_hopping_pattern(p.n_rs_id, n_s)) % 30;
}

void dmrs_sequence(const dmrs_params& p, int index, std::span<cf32> out) {
  const int u = sequence_group(p, index);
  const auto n_prb = static_cast<int>(out.size()) / subcarriers_per_prb;
  if (is_235(n_prb) && n_prb <= bandwidths_prb.back()) {
    const auto base = base_sequence(u, n_prb);
    std::copy(base.begin(), base.end(), out.begin());
  } else {
    dmrs_base_sequence(u, out);
  }
  const float cover = p.odd && index % 2 == 1 ? -1.0F : 1.0F;
  std::array<cf32, 12> rotation;
  for (int n = 0; n < 12; ++n)
    rotation[n] = cover * cf32(std::polar(1.0, 2 * std::numbers::pi * (p.cyclic_shift * n % 12) / 12.0));
  for (std::size_t n = 0; n < out.size(); ++n) out[n] *= rotation[n % 12];
}

}  // namespace prose::phy
