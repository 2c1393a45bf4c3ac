#include "phy/sync/slss_search.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstring>
#include <numbers>
#include <vector>

#include "phy/sync/slss_sequences.h"

namespace prose::phy {
namespace {

constexpr double two_pi = 2.0 * std::numbers::pi;
constexpr int n_roots = 2;
constexpr std::array<int, n_roots> roots{26, 37};
constexpr double cfo_step_hz = 2000.0;
constexpr int max_antennas = 4;

/// Eight floats at a time by the GNU vector extension: sums of floats are not reordered by the compiler on its own.
constexpr int lanes = 8;
typedef float f32v __attribute__((vector_size(lanes * sizeof(float))));
f32v load(const float* p) {
  f32v v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
void store(float* p, f32v v) { std::memcpy(p, &v, sizeof v); }
std::size_t whole_vectors(int n) { return static_cast<std::size_t>((n + lanes - 1) / lanes * lanes); }

cf32 unit(double phase) { return {static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase))}; }

/// The synchronisation signals fill 62 subcarriers about 0 Hz: 1.92 (or 1.44) Msps hold them.
int reduced_fft_size(int fft_size) { return fft_size % 128 == 0 ? 128 : 96; }

/// Low pass of a decimator by `factor`, windowed sinc, unit gain. It passes 31 of the reduced rate's subcarriers and
/// stops what would fall on them.
std::vector<float> decimation_filter(int factor) {
  if (factor == 1) return {1.0F};
  const int half = 5 * factor;
  std::vector<float> h(static_cast<std::size_t>(2 * half + 1));
  double sum = 0;
  for (int i = -half; i <= half; ++i) {
    const double x = static_cast<double>(i) / factor;
    const double sinc = i == 0 ? 1.0 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
    const double w = 0.54 + 0.46 * std::cos(std::numbers::pi * i / (half + 1));
    h[i + half] = static_cast<float>(sinc * w);
    sum += sinc * w;
  }
  for (float& v : h) v = static_cast<float>(v / sum);
  return h;
}

}  // namespace

struct slss_search::state {
  slss_search_config config;
  carrier_config reduced;  // the same carrier at the reduced rate
  int factor = 1;
  int n = 128;                   // reduced FFT size
  int starts = 0;                // start hypotheses at the reduced rate
  int reach = 0;                 // reduced samples used after the last start
  std::array<int, 2> psss_at{};  // useful parts from the subframe's start, reduced samples
  std::array<int, 2> ssss_at{};
  std::array<double, 2> psss_exact{};
  std::array<double, 2> ssss_exact{};
  std::vector<float> filter;
  std::vector<float> filter_twice;  // each tap for real and imaginary part, zeros to whole vectors
  // conj of root 26, unit energy. PSSS is symmetric about its middle and 26 + 37 = 63, so that of root 37 is its
  // conjugate, and one set of products serves both.
  std::vector<float> replica_re, replica_im;
  std::array<std::array<cf32, slss_length>, n_roots> psss{};
  std::vector<float> ssss;    // 336 x 62
  std::vector<cf32> twiddle;  // exp(-j 2 pi i / (2 n)), i < 2 n
  std::vector<double> cfo_hz;
  std::vector<std::array<cf32, 4>> cfo_weights;     // of the four half symbols
  std::array<std::vector<cf32>, max_antennas> low;  // decimated
  std::vector<float> low_re, low_im;                // of one antenna, with room for whole vectors
  struct halves {
    std::array<std::vector<float>, 2> re, im;  // correlation with the first and the second half of the symbol
  };
  std::array<halves, n_roots> half_sums;
  std::vector<float> power_sum;  // running energy
  std::vector<float> metric;     // best over roots and offsets
  std::vector<std::uint8_t> best_root;
  std::vector<std::uint8_t> best_cfo;
  std::array<std::vector<float>, n_roots> combined;  // offset by offset, `stride` starts each, summed over antennas
  std::size_t stride = 0;
  std::vector<float> energy;
  std::array<slss_candidate, max_candidates> found{};

  double rate_hz() const { return n * subcarrier_spacing_hz; }
  void decimate(std::span<const cf32> in, std::vector<cf32>& out) const noexcept;
  void correlate(int n_antennas) noexcept;
  void correlate_halves(int positions) noexcept;
  void combine(const halves& x, std::size_t gap, std::vector<float>& sums) noexcept;
  bool identify(int start, int root, double cfo, int n_antennas, slss_candidate& out) const noexcept;
  void to_subcarriers(const std::vector<cf32>& x, double at, double start, double cfo,
                      std::span<cf32> out) const noexcept;
};

void slss_search::state::decimate(std::span<const cf32> in, std::vector<cf32>& out) const noexcept {
  const int half = static_cast<int>(filter.size() / 2);
  const int size = static_cast<int>(in.size());
  for (int m = 0; m < static_cast<int>(out.size()); ++m) {
    const int centre = m * factor;
    const int lo = std::max(0, centre - half);
    const int hi = std::min(size - 1, centre + half);
    float re = 0;
    float im = 0;
    const int whole = static_cast<int>(filter_twice.size()) / 2;  // samples that the vectors touch
    if (lo == centre - half && lo + whole <= size) {
      const float* x = reinterpret_cast<const float*>(in.data() + lo);
      f32v sum{};
      for (std::size_t i = 0; i < filter_twice.size(); i += lanes) sum += load(filter_twice.data() + i) * load(x + i);
      for (int i = 0; i < lanes; i += 2) {
        re += sum[i];
        im += sum[i + 1];
      }
    } else {
      const float* h = filter.data() + (lo - (centre - half));
      const cf32* x = in.data() + lo;
      for (int i = 0; i <= hi - lo; ++i) {
        re += h[i] * x[i].real();
        im += h[i] * x[i].imag();
      }
    }
    out[m] = {re, im};
  }
}

// Half-symbol correlations keep a carrier offset of 6 kHz from costing more than 0.6 dB; the four halves of the two
// symbols are then added with the phases of each offset hypothesis.
void slss_search::state::correlate(int n_antennas) noexcept {
  const int total = static_cast<int>(low[0].size());
  const int gap = psss_at[1] - psss_at[0];
  std::fill(metric.begin(), metric.end(), 0.0F);
  std::fill(energy.begin(), energy.end(), 0.0F);
  for (int a = 0; a < n_antennas; ++a) {
    const auto& y = low[a];
    double sum = 0;
    power_sum[0] = 0;
    // Differences of a running sum of floats lose little over one window of a few thousand samples.
    for (int i = 0; i < total; ++i) {
      sum += std::norm(y[i]);
      power_sum[i + 1] = static_cast<float>(sum);
    }
    for (int s = 0; s < starts; ++s) {
      const std::size_t p0 = s + psss_at[0];
      const std::size_t p1 = s + psss_at[1];
      const std::size_t len = n;
      energy[s] += power_sum[p0 + len] - power_sum[p0] + power_sum[p1 + len] - power_sum[p1];
    }
  }
  for (auto& c : combined) std::fill(c.begin(), c.end(), 0.0F);
  for (int a = 0; a < n_antennas; ++a) {
    const auto& y = low[a];
    for (std::size_t i = 0; i < y.size(); ++i) {
      low_re[i] = y[i].real();
      low_im[i] = y[i].imag();
    }
    correlate_halves(starts + gap);
    for (int r = 0; r < n_roots; ++r) combine(half_sums[r], static_cast<std::size_t>(gap), combined[r]);
  }
  for (int r = 0; r < n_roots; ++r)
    for (std::size_t f = 0; f < cfo_hz.size(); ++f) {
      const float* c = combined[r].data() + f * stride;
      for (std::size_t i = 0; i < static_cast<std::size_t>(starts); ++i) {
        if (energy[i] <= 0) continue;
        const float m = c[i] / (2.0F * energy[i]);
        if (m > metric[i]) {
          metric[i] = m;
          best_root[i] = static_cast<std::uint8_t>(r);
          best_cfo[i] = static_cast<std::uint8_t>(f);
        }
      }
    }
}

// For each position the correlations of its two half symbols with both roots, eight positions at a time.
void slss_search::state::correlate_halves(int positions) noexcept {
  const int half = n / 2;
  for (int s = 0; s < positions; s += lanes) {
    const float* re = low_re.data() + s + psss_at[0];
    const float* im = low_im.data() + s + psss_at[0];
    for (std::size_t h = 0; h < 2; ++h) {
      f32v rr{}, ii{}, ri{}, ir{};
      for (int i = static_cast<int>(h) * half; i < (static_cast<int>(h) + 1) * half; ++i) {
        const std::size_t t = i;
        const f32v x = load(re + i), y = load(im + i);
        rr += x * replica_re[t];
        ii += y * replica_im[t];
        ri += x * replica_im[t];
        ir += y * replica_re[t];
      }
      store(half_sums[0].re[h].data() + s, rr - ii);
      store(half_sums[0].im[h].data() + s, ri + ir);
      store(half_sums[1].re[h].data() + s, rr + ii);
      store(half_sums[1].im[h].data() + s, ir - ri);
    }
  }
}

// Adds |sum of the four half symbols, turned back by each offset|^2 of every start.
void slss_search::state::combine(const halves& x, std::size_t gap, std::vector<float>& sums) noexcept {
  for (std::size_t f = 0; f < cfo_hz.size(); ++f) {
    float* out = sums.data() + f * stride;
    for (std::size_t s = 0; s < stride; s += lanes) {
      f32v re{}, im{};
      for (std::size_t k = 0; k < 4; ++k) {
        const std::size_t at = s + (k < 2 ? 0 : gap);
        const f32v xr = load(x.re[k % 2].data() + at), xi = load(x.im[k % 2].data() + at);
        const cf32 w = cfo_weights[f][k];
        re += xr * w.real() - xi * w.imag();
        im += xr * w.imag() + xi * w.real();
      }
      store(out + s, load(out + s) + re * re + im * im);
    }
  }
}

// The 62 subcarriers of the symbol whose useful part starts `at` samples after `start`, carrier offset removed. What
// the integer window position leaves over becomes a phase ramp.
void slss_search::state::to_subcarriers(const std::vector<cf32>& x, double at, double start, double cfo,
                                        std::span<cf32> out) const noexcept {
  const double position = start + at;
  const int first = static_cast<int>(std::floor(position));
  const double rest = position - first;
  std::array<cf32, 128> rotated;
  const cf32 step = unit(-two_pi * cfo / rate_hz());
  cf32 w = unit(-two_pi * cfo * (first - start) / rate_hz());
  for (int i = 0; i < n; ++i) {
    const int p = first + i;
    rotated[i] = p >= 0 && p < static_cast<int>(x.size()) ? x[p] * w : cf32{};
    w *= step;
  }
  for (int k = 0; k < slss_length; ++k) {
    const int odd = 2 * k - (slss_length - 1);  // twice the frequency in subcarriers: -61, -59, .. 61
    const int turn = (odd % (2 * n) + 2 * n) % (2 * n);
    cf32 sum{};
    int phase = 0;
    for (int i = 0; i < n; ++i) {
      sum += rotated[i] * twiddle[phase];
      phase += turn;
      if (phase >= 2 * n) phase -= 2 * n;
    }
    out[k] = sum * unit(two_pi * 0.5 * odd * rest / n);
  }
}

bool slss_search::state::identify(int start, int root, double cfo, int n_antennas, slss_candidate& out) const noexcept {
  using symbol = std::array<cf32, slss_length>;
  const auto& d = psss[root];
  double begin = start;
  std::array<std::array<symbol, 2>, max_antennas> h;  // channel seen by each PSSS symbol
  // Carrier offset from the phase between the two symbols, timing from the delay whose phase ramp fits both best; the
  // second pass works with both corrected.
  for (int pass = 0; pass < 2; ++pass) {
    cf32 between{};
    for (int a = 0; a < n_antennas; ++a) {
      auto& ha = h[a];
      for (std::size_t l = 0; l < 2; ++l) {
        to_subcarriers(low[a], psss_exact[l], begin, cfo, ha[l]);
        for (std::size_t k = 0; k < slss_length; ++k) ha[l][k] *= std::conj(d[k]);
      }
      for (std::size_t k = 0; k < slss_length; ++k) between += ha[1][k] * std::conj(ha[0][k]);
    }
    if (pass == 1) break;
    cfo += std::arg(between) / two_pi * rate_hz() / (psss_exact[1] - psss_exact[0]);
    const cf32 turn = unit(-static_cast<double>(std::arg(between)));
    double best_delay = 0;
    float best_fit = -1;
    for (int i = -24; i <= 24; ++i) {
      const double delay = 0.125 * i;
      const cf32 step = unit(two_pi * delay / n);
      float fit = 0;
      for (int a = 0; a < n_antennas; ++a) {
        const auto& ha = h[a];
        cf32 ramp{1, 0};
        cf32 sum{};
        for (std::size_t k = 0; k < slss_length; ++k) {
          sum += (ha[0][k] + ha[1][k] * turn) * ramp;
          ramp *= step;
        }
        fit += std::norm(sum);
      }
      if (fit > best_fit) {
        best_fit = fit;
        best_delay = delay;
      }
    }
    begin += best_delay;
  }
  // Channel for SSSS: mean of the two symbols, smoothed over frequency.
  constexpr int reach_subcarriers = 6;
  std::array<symbol, max_antennas> channel;
  double channel_energy = 0;
  for (int a = 0; a < n_antennas; ++a) {
    const auto& ha = h[a];
    for (int k = 0; k < slss_length; ++k) {
      cf32 sum{};
      const int lo = std::max(0, k - reach_subcarriers);
      const int hi = std::min(slss_length - 1, k + reach_subcarriers);
      for (int i = lo; i <= hi; ++i) sum += ha[0][i] + ha[1][i];
      sum /= static_cast<float>(2 * (hi - lo + 1));
      channel[a][k] = sum;
      channel_energy += std::norm(sum);
    }
  }
  std::array<std::array<symbol, 2>, max_antennas> y;
  double energy_ssss = 0;
  for (int a = 0; a < n_antennas; ++a) {
    const std::size_t ai = a;
    for (std::size_t l = 0; l < 2; ++l) {
      to_subcarriers(low[ai], ssss_exact[l], begin, cfo, y[ai][l]);
      for (std::size_t k = 0; k < slss_length; ++k) {
        energy_ssss += std::norm(y[ai][l][k]);
        y[ai][l][k] *= std::conj(channel[ai][k]);
      }
    }
  }
  if (energy_ssss <= 0 || channel_energy <= 0) return false;
  // Fold antennas and both symbols (the same sequence): what remains is one product with each identity's signs.
  symbol folded{};
  for (int a = 0; a < n_antennas; ++a)
    for (std::size_t l = 0; l < 2; ++l)
      for (std::size_t k = 0; k < slss_length; ++k) folded[k] += y[a][l][k];
  float best = -1;
  int best_id = 0;
  for (int id = root * 168; id < root * 168 + 168; ++id) {
    const float* s = ssss.data() + static_cast<std::size_t>(id) * slss_length;
    float re = 0;
    float im = 0;
    for (std::size_t k = 0; k < slss_length; ++k) {
      re += folded[k].real() * s[k];
      im += folded[k].imag() * s[k];
    }
    const float v = re * re + im * im;
    if (v > best) {
      best = v;
      best_id = id;
    }
  }
  out.ssss_metric = static_cast<float>(best / (energy_ssss * 2.0 * channel_energy));
  if (out.ssss_metric < config.ssss_threshold) return false;
  // The ten symbols between PSSS and SSSS sharpen the carrier offset, but repeat every 1.4 kHz, which is about what
  // PSSS alone leaves open in noise. So all four symbols, their sequences and the channel removed, are added in phase
  // for every offset near the first.
  const float* best_signs = ssss.data() + static_cast<std::size_t>(best_id) * slss_length;
  std::array<std::complex<double>, 4> arrived{};
  for (int a = 0; a < n_antennas; ++a) {
    const std::size_t ai = a;
    for (std::size_t l = 0; l < 2; ++l)
      for (std::size_t k = 0; k < slss_length; ++k) {
        arrived[l] += std::complex<double>(h[ai][l][k] * std::conj(channel[ai][k]));
        arrived[2 + l] += std::complex<double>(y[ai][l][k] * best_signs[k]);
      }
  }
  const std::array<double, 4> when{psss_exact[0], psss_exact[1], ssss_exact[0], ssss_exact[1]};
  double best_offset = 0;
  double best_power = -1;
  for (int i = -120; i <= 120; ++i) {
    const double f = 12.5 * i;
    std::complex<double> sum{};
    for (std::size_t l = 0; l < 4; ++l)
      sum += arrived[l] * std::polar(1.0, -two_pi * f * (when[l] - when[0]) / rate_hz());
    if (std::norm(sum) > best_power) {
      best_power = std::norm(sum);
      best_offset = f;
    }
  }
  out.cfo_hz = static_cast<float>(cfo + best_offset);
  out.n_sl_id = best_id;
  out.start_samples = begin * factor;
  return true;
}

slss_search::slss_search(std::unique_ptr<state> s) : s_(std::move(s)) {}
slss_search::slss_search(slss_search&&) noexcept = default;
slss_search& slss_search::operator=(slss_search&&) noexcept = default;
slss_search::~slss_search() = default;

result<slss_search> slss_search::make(const slss_search_config& config) {
  if (config.n_antennas < 1 || config.n_antennas > max_antennas) return fail("n_antennas: 1 to 4 are accepted");
  if (!(config.max_cfo_hz >= 0 && config.max_cfo_hz <= 7500)) return fail("max_cfo_hz: 0 to 7500 Hz are accepted");
  auto s = std::make_unique<state>();
  s->config = config;
  s->n = reduced_fft_size(config.carrier.fft_size);
  s->factor = config.carrier.fft_size / s->n;
  if (s->factor < 1 || s->factor * s->n != config.carrier.fft_size)
    return fail("fft_size: not a multiple of 96 or 128");
  s->reduced = config.carrier;
  s->reduced.fft_size = s->n;
  const slss_symbols at = slss_symbols_of(config.carrier.cp);
  for (std::size_t i = 0; i < 2; ++i) {
    s->psss_exact[i] = symbol_start_samples(s->reduced, at.psss[i]);
    s->ssss_exact[i] = symbol_start_samples(s->reduced, at.ssss[i]);
    s->psss_at[i] = static_cast<int>(std::lround(s->psss_exact[i]));
    s->ssss_at[i] = static_cast<int>(std::lround(s->ssss_exact[i]));
  }
  s->starts = s->reduced.samples_per_subframe();
  s->reach = s->ssss_at[1] + s->n + 4;
  s->filter = decimation_filter(s->factor);
  s->filter_twice.resize(whole_vectors(static_cast<int>(2 * s->filter.size())));
  for (std::size_t i = 0; i < 2 * s->filter.size(); ++i) s->filter_twice[i] = s->filter[i / 2];
  const std::size_t total = s->starts + s->reach;
  for (int a = 0; a < config.n_antennas; ++a) s->low[a].resize(total);
  s->twiddle.resize(2 * s->n);
  for (int i = 0; i < 2 * s->n; ++i) s->twiddle[i] = unit(-two_pi * i / (2.0 * s->n));
  for (std::size_t r = 0; r < n_roots; ++r) {
    psss_sequence(roots[r], s->psss[r]);
  }
  s->replica_re.resize(s->n);
  s->replica_im.resize(s->n);
  double e = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(s->n); ++i) {
    std::complex<double> v{};
    for (int k = 0; k < slss_length; ++k) {
      const std::complex<double> d(s->psss[0][k]);
      v += d * std::polar(1.0, two_pi * (k - 30.5) * static_cast<double>(i) / s->n);
    }
    s->replica_re[i] = static_cast<float>(v.real());
    s->replica_im[i] = static_cast<float>(-v.imag());
    e += std::norm(v);
  }
  for (auto* t : {&s->replica_re, &s->replica_im})
    for (float& v : *t) v /= static_cast<float>(std::sqrt(e));
  s->ssss.resize(336 * slss_length);
  for (int id = 0; id < 336; ++id)
    ssss_sequence(id, config.carrier.tm, std::span(s->ssss).subspan(id * slss_length, slss_length));
  const int steps = static_cast<int>(std::ceil(config.max_cfo_hz / cfo_step_hz));
  for (int i = -steps; i <= steps; ++i) {
    const double f = i * cfo_step_hz;
    s->cfo_hz.push_back(f);
    std::array<cf32, 4> w;
    const double gap = s->psss_exact[1] - s->psss_exact[0];
    const std::array<double, 4> t{0.0, s->n / 2.0, gap, gap + s->n / 2.0};
    for (std::size_t k = 0; k < 4; ++k) w[k] = unit(-two_pi * f * t[k] / s->rate_hz());
    s->cfo_weights.push_back(w);
  }
  const std::size_t starts = s->starts;
  s->stride = whole_vectors(s->starts);
  for (auto* v : {&s->low_re, &s->low_im}) v->resize(total + 2 * lanes);
  for (auto& h : s->half_sums)
    for (auto* halves : {&h.re, &h.im})
      for (auto& v : *halves) v.resize(total + 2 * lanes);
  s->power_sum.resize(total + 1);
  s->metric.resize(starts);
  s->energy.resize(starts);
  s->best_root.resize(starts);
  s->best_cfo.resize(starts);
  for (auto& c : s->combined) c.resize(s->stride * s->cfo_hz.size());
  return slss_search(std::move(s));
}

std::size_t slss_search::window_samples() const {
  return static_cast<std::size_t>((s_->starts + s_->reach) * s_->factor);
}

std::span<const slss_candidate> slss_search::search(std::span<const cf32> antenna) noexcept {
  const std::array<std::span<const cf32>, 1> one{antenna};
  return search(one);
}

std::span<const slss_candidate> slss_search::search(std::span<const std::span<const cf32>> antennas) noexcept {
  state& s = *s_;
  const int n_antennas = std::min(static_cast<int>(antennas.size()), s.config.n_antennas);
  for (int a = 0; a < n_antennas; ++a) {
    const std::size_t ai = a;
    assert(antennas[ai].size() >= window_samples());
    s.decimate(antennas[ai].first(std::min(antennas[ai].size(), window_samples())), s.low[ai]);
  }
  s.correlate(n_antennas);
  const int apart = 2 * s.n;
  int n_found = 0;
  // Strongest first; each takes its neighbourhood with it. A strong peak that is no SLSS must not hide a weaker one for
  // good, so a few more are tried than reported.
  for (int trial = 0; trial < 3 * max_candidates && n_found < max_candidates; ++trial) {
    const auto it = std::max_element(s.metric.begin(), s.metric.end());
    if (*it < s.config.psss_threshold) break;
    const int start = static_cast<int>(it - s.metric.begin());
    const std::size_t i = start;
    slss_candidate c;
    c.psss_metric = *it;
    if (s.identify(start, s.best_root[i], s.cfo_hz[s.best_cfo[i]], n_antennas, c)) s.found[n_found++] = c;
    const int lo = std::max(0, start - apart);
    const int hi = std::min(s.starts - 1, start + apart);
    std::fill(s.metric.begin() + lo, s.metric.begin() + hi + 1, 0.0F);
  }
  return {s.found.data(), static_cast<std::size_t>(n_found)};
}

}  // namespace prose::phy
