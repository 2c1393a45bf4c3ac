#include "tests/phy/coding/reference_codes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "phy/coding/qpp.h"

namespace prose::phy::reference {
namespace {

constexpr int turbo_columns[32] = {0, 16, 8, 24, 4, 20, 12, 28, 2, 18, 10, 26, 6, 22, 14, 30,
                                   1, 17, 9, 25, 5, 21, 13, 29, 3, 19, 11, 27, 7, 23, 15, 31};
constexpr int conv_columns[32] = {1, 17, 9, 25, 5, 21, 13, 29, 3, 19, 11, 27, 7, 23, 15, 31,
                                  0, 16, 8, 24, 4, 20, 12, 28, 2, 18, 10, 26, 6, 22, 14, 30};

symbols pad(const symbols& d) {
  const std::size_t rows = (d.size() + 31) / 32;
  symbols y(rows * 32 - d.size(), null_bit);
  y.insert(y.end(), d.begin(), d.end());
  return y;
}
symbols read_columns(const symbols& y, const int (&columns)[32]) {
  symbols v;
  for (const int c : columns)
    for (std::size_t r = 0; r < y.size() / 32; ++r) v.push_back(y[r * 32 + static_cast<std::size_t>(c)]);
  return v;
}
bits select(const symbols& w, std::size_t k0, int e) {
  bits out;
  for (std::size_t j = 0; static_cast<int>(out.size()) < e; ++j) {
    const int s = w[(k0 + j) % w.size()];
    if (s != null_bit) out.push_back(static_cast<std::uint8_t>(s));
  }
  return out;
}

// One 8-state encoder with registers r1 (newest), r2, r3.
struct rsc {
  int r1 = 0, r2 = 0, r3 = 0;
  int parity(int u) {
    const int a = u ^ r2 ^ r3;
    const int z = a ^ r1 ^ r3;
    r3 = r2;
    r2 = r1;
    r1 = a;
    return z;
  }
  int feedback() const { return r2 ^ r3; }
};

const std::vector<int> g16{16, 12, 5, 0};
const std::vector<int> g24a{24, 23, 18, 17, 14, 11, 10, 7, 6, 5, 4, 3, 1, 0};
const std::vector<int> g24b{24, 23, 6, 5, 1, 0};

}  // namespace

bits crc(const bits& in, const std::vector<int>& exponents) {
  const std::size_t length = static_cast<std::size_t>(exponents[0]);
  bits work = in;
  work.resize(in.size() + length, 0);
  for (std::size_t i = 0; i < in.size(); ++i)
    if (work[i] != 0)
      for (const int x : exponents) work[i + length - static_cast<std::size_t>(x)] ^= 1;
  return {work.end() - exponents[0], work.end()};
}

std::vector<symbols> conv_encode(const bits& c) {
  const int generators[3] = {0133, 0171, 0165};
  const auto n = static_cast<int>(c.size());
  std::vector<symbols> d(3, symbols(c.size()));
  for (int k = 0; k < n; ++k)
    for (int i = 0; i < 3; ++i) {
      int sum = 0;
      for (int tap = 0; tap < 7; ++tap)
        if ((generators[i] >> (6 - tap)) & 1) sum ^= c[(k - tap + n) % n];
      d[i][k] = sum;
    }
  return d;
}

std::vector<symbols> turbo_encode(const symbols& c, int f1, int f2) {
  const std::size_t k = c.size();
  rsc one, two;
  std::vector<symbols> d(3);
  for (std::size_t i = 0; i < k; ++i) {
    const std::size_t from =
        static_cast<std::size_t>((static_cast<std::uint64_t>(f1) * i + static_cast<std::uint64_t>(f2) * i * i) % k);
    const int x = c[i];
    const int z = one.parity(x == null_bit ? 0 : x);
    d[0].push_back(x);
    d[1].push_back(x == null_bit ? null_bit : z);
    d[2].push_back(two.parity(c[from] == null_bit ? 0 : c[from]));
  }
  symbols tail;
  for (rsc* e : {&one, &two})
    for (int i = 0; i < 3; ++i) {
      const int x = e->feedback();
      tail.push_back(x);
      tail.push_back(e->parity(x));
    }
  for (std::size_t i = 0; i < tail.size(); ++i) d[i % 3].push_back(tail[i]);
  return d;
}

bits rate_match_turbo(const std::vector<symbols>& d, int e, int rv) {
  const symbols v0 = read_columns(pad(d[0]), turbo_columns);
  const symbols v1 = read_columns(pad(d[1]), turbo_columns);
  const symbols y2 = pad(d[2]);
  const std::size_t k_pi = y2.size();
  const std::size_t rows = k_pi / 32;
  symbols w = v0;
  for (std::size_t k = 0; k < k_pi; ++k) {
    w.push_back(v1[k]);
    w.push_back(y2[(static_cast<std::size_t>(turbo_columns[k / rows]) + 32 * (k % rows) + 1) % k_pi]);
  }
  const double n_cb = static_cast<double>(w.size());
  const auto k0 = rows * static_cast<std::size_t>(2 * std::ceil(n_cb / (8.0 * static_cast<double>(rows))) * rv + 2);
  return select(w, k0, e);
}

bits rate_match_conv(const std::vector<symbols>& d, int e) {
  symbols w;
  for (const auto& stream : d) {
    const symbols v = read_columns(pad(stream), conv_columns);
    w.insert(w.end(), v.begin(), v.end());
  }
  return select(w, 0, e);
}

bits encode_control(const bits& payload, int e) {
  bits c = payload;
  const bits p = crc(payload, g16);
  c.insert(c.end(), p.begin(), p.end());
  return rate_match_conv(conv_encode(c), e);
}

bits encode_transport(const bits& payload, int g, int q_m, int rv) {
  bits b = payload;
  const bits p = crc(payload, g24a);
  b.insert(b.end(), p.begin(), p.end());
  const int size = static_cast<int>(b.size());
  int c = 1, l = 0, b_prime = size;
  if (size > 6144) {
    l = 24;
    c = static_cast<int>(std::ceil(size / (6144.0 - l)));
    b_prime = size + c * l;
  }
  const auto table = qpp_all();
  std::size_t plus = 0;
  while (c * table[plus].k < b_prime) ++plus;
  const int k_plus = table[plus].k;
  int k_minus = 0, c_minus = 0;
  if (c > 1) {
    k_minus = table[plus - 1].k;
    c_minus = (c * k_plus - b_prime) / (k_plus - k_minus);
  }
  const int c_plus = c - c_minus;
  const int f = c_plus * k_plus + c_minus * k_minus - b_prime;
  bits out;
  std::size_t s = 0;
  for (int r = 0; r < c; ++r) {
    const int k = r < c_minus ? k_minus : k_plus;
    symbols block;
    for (int i = 0; r == 0 && i < f; ++i) block.push_back(null_bit);
    while (static_cast<int>(block.size()) < k - l) block.push_back(b[s++]);
    if (l > 0) {
      bits known;
      for (const int x : block) known.push_back(static_cast<std::uint8_t>(x == null_bit ? 0 : x));
      for (const auto x : crc(known, g24b)) block.push_back(x);
    }
    const auto& q = *std::find_if(table.begin(), table.end(), [&](const qpp& t) { return t.k == k; });
    const int g_prime = g / q_m;
    const int gamma = g_prime % c;
    const int e = r <= c - gamma - 1 ? q_m * (g_prime / c) : q_m * ((g_prime + c - 1) / c);
    const bits selected = rate_match_turbo(turbo_encode(block, q.f1, q.f2), e, rv);
    out.insert(out.end(), selected.begin(), selected.end());
  }
  out.resize(g, 0);
  return out;
}

namespace {

double jacobian(double a, double b) {
  const double m = std::max(a, b);
  return m == -std::numeric_limits<double>::infinity() ? m : m + std::log1p(std::exp(-std::abs(a - b)));
}

// Extrinsic LLRs of one terminated constituent code. x: systematic + a priori for k bits, then three tail values; z:
// parity.
std::vector<double> bcjr(const std::vector<double>& x, const std::vector<double>& z, std::size_t k) {
  constexpr double never = -std::numeric_limits<double>::infinity();
  const std::size_t n = k + 3;
  auto step = [](int s, int u, int& next, int& parity) {
    rsc e{(s >> 2) & 1, (s >> 1) & 1, s & 1};
    parity = e.parity(u);
    next = e.r1 * 4 + e.r2 * 2 + e.r3;
  };
  auto gamma = [&](std::size_t i, int u, int p) { return (u != 0 ? 0.0 : x[i]) + (p != 0 ? 0.0 : z[i]); };
  std::vector<std::array<double, 8>> a(n + 1), b(n + 1);
  for (auto& v : a) v.fill(never);
  for (auto& v : b) v.fill(never);
  a[0][0] = 0;
  b[n][0] = 0;
  int next = 0, parity = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (int s = 0; s < 8; ++s)
      for (int u = 0; u < 2; ++u) {
        step(s, u, next, parity);
        auto& to = a[i + 1][next];
        to = jacobian(to, a[i][s] + gamma(i, u, parity));
      }
  for (std::size_t i = n; i-- > 0;)
    for (int s = 0; s < 8; ++s)
      for (int u = 0; u < 2; ++u) {
        step(s, u, next, parity);
        auto& to = b[i][s];
        to = jacobian(to, b[i + 1][next] + gamma(i, u, parity));
      }
  std::vector<double> e(k);
  for (std::size_t i = 0; i < k; ++i) {
    double best[2] = {never, never};
    for (int s = 0; s < 8; ++s)
      for (int u = 0; u < 2; ++u) {
        step(s, u, next, parity);
        best[u] = jacobian(best[u], a[i][s] + (parity != 0 ? 0.0 : z[i]) + b[i + 1][next]);
      }
    e[i] = best[0] - best[1];
  }
  return e;
}

}  // namespace

std::vector<bits> log_map_decode(const std::vector<std::vector<double>>& llr, int f1, int f2, int iterations) {
  const std::size_t k = llr[0].size() - 4;
  std::vector<double> tail;
  for (std::size_t i = 0; i < 12; ++i) tail.push_back(llr[i % 3][k + i / 3]);
  std::vector<double> a_priori(k, 0.0), x1(k + 3), z1(k + 3), x2(k + 3), z2(k + 3);
  for (std::size_t i = 0; i < k; ++i) {
    z1[i] = llr[1][i];
    z2[i] = llr[2][i];
  }
  for (std::size_t i = 0; i < 3; ++i) {
    x1[k + i] = tail[2 * i];
    z1[k + i] = tail[2 * i + 1];
    x2[k + i] = tail[6 + 2 * i];
    z2[k + i] = tail[6 + 2 * i + 1];
  }
  auto from = [&](std::size_t i) {
    return static_cast<std::size_t>((static_cast<std::uint64_t>(f1) * i + static_cast<std::uint64_t>(f2) * i * i) % k);
  };
  std::vector<bits> decisions;
  for (int it = 0; it < iterations; ++it) {
    for (std::size_t i = 0; i < k; ++i) x1[i] = llr[0][i] + a_priori[i];
    const auto e1 = bcjr(x1, z1, k);
    for (std::size_t i = 0; i < k; ++i) x2[i] = llr[0][from(i)] + e1[from(i)];
    const auto e2 = bcjr(x2, z2, k);
    bits out(k);
    for (std::size_t i = 0; i < k; ++i) {
      a_priori[from(i)] = e2[i];
      out[from(i)] = static_cast<std::uint8_t>(x2[i] + e2[i] < 0);
    }
    decisions.push_back(out);
  }
  return decisions;
}

bits ml_conv_decode(const std::vector<std::vector<double>>& llr) {
  const int generators[3] = {0133, 0171, 0165};
  const std::size_t n = llr[0].size();
  constexpr double never = -std::numeric_limits<double>::infinity();
  bits best;
  double best_metric = never;
  for (unsigned start = 0; start < 64; ++start) {
    // Bit 5 of a state is the newest bit.
    std::array<double, 64> metric;
    metric.fill(never);
    metric[start] = 0;
    std::vector<std::array<std::uint8_t, 64>> from(n);
    for (std::size_t k = 0; k < n; ++k) {
      std::array<double, 64> after;
      after.fill(never);
      for (unsigned s = 0; s < 64; ++s) {
        if (metric[s] == never) continue;
        for (unsigned u = 0; u < 2; ++u) {
          const unsigned window = (u << 6) | s;
          double m = metric[s];
          for (std::size_t i = 0; i < 3; ++i)
            m += __builtin_parity(window & static_cast<unsigned>(generators[i])) != 0 ? -llr[i][k] : llr[i][k];
          if (m > after[window >> 1]) {
            after[window >> 1] = m;
            from[k][window >> 1] = static_cast<std::uint8_t>(s);
          }
        }
      }
      metric = after;
    }
    if (metric[start] <= best_metric) continue;
    best_metric = metric[start];
    best.assign(n, 0);
    unsigned s = start;
    for (std::size_t k = n; k-- > 0;) {
      best[k] = static_cast<std::uint8_t>(s >> 5);
      s = from[k][s];
    }
  }
  return best;
}

}  // namespace prose::phy::reference
