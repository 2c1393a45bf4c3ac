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
constexpr int n_roots = psss_roots.size();
constexpr int max_antennas = 4;

/// Raster of carrier offsets: 1 kHz at most is left over, which costs the sum over both symbols (138 us) 0.3 dB.
constexpr double cfo_step_hz = 2000.0;
/// Delays tried about the peak of the correlation, whose main lobe is 1 / 930 kHz or two reduced samples to either
/// side. The step is chosen, not derived.
constexpr double delay_step_samples = 0.125;
constexpr int delay_steps = 24;  // three samples to either side
/// Samples beyond the last symbol of the last start: the delays above, and one for rounding.
constexpr int margin_samples = 4;
/// The channel is averaged over so many subcarriers to either side, 195 kHz in all. Chosen, not derived.
constexpr int smoothing_subcarriers = 6;
/// Last search for the carrier offset: over the 1.4 kHz to either side after which the phases repeat. The step is
/// chosen, not derived.
constexpr double fine_cfo_step_hz = 12.5;
constexpr int fine_cfo_steps = 120;  // 1.5 kHz to either side
/// Zero crossings of the decimation filter to either side. Chosen, not derived.
constexpr int filter_lobes = 5;
/// Peaks of PSSS tried for each candidate that may be reported. Chosen, not derived.
constexpr int trials_per_candidate = 3;

/// Eight floats at a time by the GNU vector extension: sums of floats are not reordered by the compiler on its own.
constexpr int lanes = 8;
typedef float f32v __attribute__((vector_size(lanes * sizeof(float))));
f32v load(const float* p) {
  f32v v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
void store(float* p, f32v v) { std::memcpy(p, &v, sizeof v); }
std::size_t whole_vectors(std::size_t n) { return (n + lanes - 1) / lanes * lanes; }

cf32 unit(double phase) { return {static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase))}; }

/// The synchronisation signals fill 62 subcarriers about 0 Hz: 1.92 (or 1.44) Msps hold them.
int reduced_fft_size(int fft_size) { return fft_size % 128 == 0 ? 128 : 96; }

/// Low pass of a decimator by `factor`, windowed sinc, unit gain. It passes 31 of the reduced rate's subcarriers and
/// stops what would fall on them.
std::vector<float> decimation_filter(int factor) {
  if (factor == 1) return {1.0F};
  const int half = filter_lobes * factor;
  std::vector<float> h(2 * half + 1);
  double sum = 0;
  for (int i = -half; i <= half; ++i) {
    const double x = static_cast<double>(i) / factor;
    const double sinc = i == 0 ? 1.0 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
    const double hamming = 0.54 + 0.46 * std::cos(std::numbers::pi * i / (half + 1));
    h[i + half] = static_cast<float>(sinc * hamming);
    sum += sinc * hamming;
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
  // --- once, in make() ---
  void place_symbols();
  void make_sequences();
  void make_replica();
  void make_cfo_hypotheses();
  void make_room();

  // --- every window ---
  void decimate(std::span<const cf32> in, std::vector<cf32>& out) const noexcept;
  void correlate(int n_antennas) noexcept;
  void correlate_halves(int positions) noexcept;
  void combine(const halves& x, std::size_t gap, std::vector<float>& sums) noexcept;

  // --- what a start that PSSS suggests turns out to be ---
  using symbol = std::array<cf32, slss_length>;
  using symbols = std::array<symbol, max_antennas>;               // one of each antenna
  using pairs = std::array<std::array<symbol, 2>, max_antennas>;  // both PSSS or both SSSS of each antenna
  struct place {
    double begin = 0;  // of the subframe, reduced samples
    double cfo_hz = 0;
  };
  struct identity {
    int n_sl_id = 0;
    float power = -1;  // |correlation|^2 with its SSSS
  };
  const float* signs_of(int n_sl_id) const { return ssss.data() + n_sl_id * slss_length; }
  bool identify(int start, int root, double cfo, int n_antennas, slss_candidate& out) const noexcept;
  void refine(place& at, int root, int n_antennas, pairs& h) const noexcept;
  cf32 see_psss(const place& at, int root, int n_antennas, pairs& h) const noexcept;
  double best_delay(const pairs& h, cf32 turn, int n_antennas) const noexcept;
  static double smooth(const pairs& h, int n_antennas, symbols& channel) noexcept;
  double see_ssss(const place& at, const symbols& channel, int n_antennas, pairs& y) const noexcept;
  identity best_identity(const pairs& y, int root, int n_antennas) const noexcept;
  double remaining_cfo_hz(const pairs& h, const pairs& y, const symbols& channel, const float* signs,
                          int n_antennas) const noexcept;
  void to_subcarriers(const std::vector<cf32>& x, double at, double start, double cfo,
                      std::span<cf32> out) const noexcept;
};

void slss_search::state::decimate(std::span<const cf32> in, std::vector<cf32>& out) const noexcept {
  const int half = std::ssize(filter) / 2;
  const int size = std::ssize(in);
  const int whole = std::ssize(filter_twice) / 2;  // samples that the vectors touch
  for (int m = 0; m < std::ssize(out); ++m) {
    const int centre = m * factor;
    const int lo = std::max(0, centre - half);
    const int hi = std::min(size - 1, centre + half);
    float re = 0;
    float im = 0;
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
  const int total = std::ssize(low[0]);
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
      const int p0 = s + psss_at[0];
      const int p1 = s + psss_at[1];
      energy[s] += power_sum[p0 + n] - power_sum[p0] + power_sum[p1 + n] - power_sum[p1];
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
    for (int r = 0; r < n_roots; ++r) combine(half_sums[r], gap, combined[r]);
  }
  for (int r = 0; r < n_roots; ++r)
    for (std::size_t f = 0; f < cfo_hz.size(); ++f) {
      const float* c = combined[r].data() + f * stride;
      for (int i = 0; i < starts; ++i) {
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
    for (int h = 0; h < 2; ++h) {
      f32v rr{}, ii{}, ri{}, ir{};
      for (int i = h * half; i < (h + 1) * half; ++i) {
        const f32v x = load(re + i), y = load(im + i);
        rr += x * replica_re[i];
        ii += y * replica_im[i];
        ri += x * replica_im[i];
        ir += y * replica_re[i];
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
    rotated[i] = p >= 0 && p < std::ssize(x) ? x[p] * w : cf32{};
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
  place at{static_cast<double>(start), cfo};
  pairs h;  // channel seen by each PSSS symbol
  refine(at, root, n_antennas, h);
  symbols channel;
  const double channel_energy = smooth(h, n_antennas, channel);
  pairs y;  // SSSS, the channel removed
  const double ssss_energy = see_ssss(at, channel, n_antennas, y);
  if (ssss_energy <= 0 || channel_energy <= 0) return false;
  const identity best = best_identity(y, root, n_antennas);
  out.ssss_metric = static_cast<float>(best.power / (ssss_energy * 2.0 * channel_energy));
  if (out.ssss_metric < config.ssss_threshold) return false;
  out.cfo_hz = static_cast<float>(at.cfo_hz + remaining_cfo_hz(h, y, channel, signs_of(best.n_sl_id), n_antennas));
  out.n_sl_id = best.n_sl_id;
  out.start_samples = at.begin * factor;
  return true;
}

// Carrier offset from the phase between the two symbols, timing from the delay whose phase ramp fits both best; then
// the symbols are read again with both corrected.
void slss_search::state::refine(place& at, int root, int n_antennas, pairs& h) const noexcept {
  const cf32 between = see_psss(at, root, n_antennas, h);
  at.cfo_hz += std::arg(between) / two_pi * rate_hz() / (psss_exact[1] - psss_exact[0]);
  at.begin += best_delay(h, unit(-static_cast<double>(std::arg(between))), n_antennas);
  see_psss(at, root, n_antennas, h);
}

// Both PSSS symbols with their sequence removed. Returns the sum of the products of one with the conjugate of the
// other, whose phase is what the carrier offset does from symbol to symbol.
cf32 slss_search::state::see_psss(const place& at, int root, int n_antennas, pairs& h) const noexcept {
  const auto& d = psss[root];
  cf32 between{};
  for (int a = 0; a < n_antennas; ++a) {
    auto& ha = h[a];
    for (int l = 0; l < 2; ++l) {
      to_subcarriers(low[a], psss_exact[l], at.begin, at.cfo_hz, ha[l]);
      for (int k = 0; k < slss_length; ++k) ha[l][k] *= std::conj(d[k]);
    }
    for (int k = 0; k < slss_length; ++k) between += ha[1][k] * std::conj(ha[0][k]);
  }
  return between;
}

// In samples. `turn` brings the second symbol into phase with the first.
double slss_search::state::best_delay(const pairs& h, cf32 turn, int n_antennas) const noexcept {
  double best = 0;
  float best_fit = -1;
  for (int i = -delay_steps; i <= delay_steps; ++i) {
    const double delay = delay_step_samples * i;
    const cf32 step = unit(two_pi * delay / n);
    float fit = 0;
    for (int a = 0; a < n_antennas; ++a) {
      const auto& ha = h[a];
      cf32 ramp{1, 0};
      cf32 sum{};
      for (int k = 0; k < slss_length; ++k) {
        sum += (ha[0][k] + ha[1][k] * turn) * ramp;
        ramp *= step;
      }
      fit += std::norm(sum);
    }
    if (fit > best_fit) {
      best_fit = fit;
      best = delay;
    }
  }
  return best;
}

// Channel for SSSS: mean of the two PSSS symbols and of neighbouring subcarriers. Returns its energy.
double slss_search::state::smooth(const pairs& h, int n_antennas, symbols& channel) noexcept {
  double energy = 0;
  for (int a = 0; a < n_antennas; ++a) {
    const auto& ha = h[a];
    for (int k = 0; k < slss_length; ++k) {
      cf32 sum{};
      const int lo = std::max(0, k - smoothing_subcarriers);
      const int hi = std::min(slss_length - 1, k + smoothing_subcarriers);
      for (int i = lo; i <= hi; ++i) sum += ha[0][i] + ha[1][i];
      sum /= static_cast<float>(2 * (hi - lo + 1));
      channel[a][k] = sum;
      energy += std::norm(sum);
    }
  }
  return energy;
}

// Both SSSS symbols times the conjugate of the channel. Returns the energy of what was received.
double slss_search::state::see_ssss(const place& at, const symbols& channel, int n_antennas, pairs& y) const noexcept {
  double received = 0;
  for (int a = 0; a < n_antennas; ++a)
    for (int l = 0; l < 2; ++l) {
      to_subcarriers(low[a], ssss_exact[l], at.begin, at.cfo_hz, y[a][l]);
      for (int k = 0; k < slss_length; ++k) {
        received += std::norm(y[a][l][k]);
        y[a][l][k] *= std::conj(channel[a][k]);
      }
    }
  return received;
}

// Antennas and both symbols (the same sequence) are added first: what remains is one product with each identity's
// signs.
slss_search::state::identity slss_search::state::best_identity(const pairs& y, int root,
                                                               int n_antennas) const noexcept {
  symbol folded{};
  for (int a = 0; a < n_antennas; ++a)
    for (int l = 0; l < 2; ++l)
      for (int k = 0; k < slss_length; ++k) folded[k] += y[a][l][k];
  identity best;
  for (int id = root * ids_per_psss_root; id < root * ids_per_psss_root + ids_per_psss_root; ++id) {
    const float* s = signs_of(id);
    float re = 0;
    float im = 0;
    for (int k = 0; k < slss_length; ++k) {
      re += folded[k].real() * s[k];
      im += folded[k].imag() * s[k];
    }
    const float power = re * re + im * im;
    if (power > best.power) best = {id, power};
  }
  return best;
}

// The ten symbols between PSSS and SSSS sharpen the carrier offset, but repeat every 1.4 kHz, which is about what PSSS
// alone leaves open in noise. So all four symbols, their sequences and the channel removed, are added in phase for
// every offset near the first.
double slss_search::state::remaining_cfo_hz(const pairs& h, const pairs& y, const symbols& channel, const float* signs,
                                            int n_antennas) const noexcept {
  std::array<std::complex<double>, 4> arrived{};
  for (int a = 0; a < n_antennas; ++a)
    for (int l = 0; l < 2; ++l)
      for (int k = 0; k < slss_length; ++k) {
        arrived[l] += std::complex<double>(h[a][l][k] * std::conj(channel[a][k]));
        arrived[2 + l] += std::complex<double>(y[a][l][k] * signs[k]);
      }
  const std::array<double, 4> when{psss_exact[0], psss_exact[1], ssss_exact[0], ssss_exact[1]};
  double best = 0;
  double best_power = -1;
  for (int i = -fine_cfo_steps; i <= fine_cfo_steps; ++i) {
    const double f = fine_cfo_step_hz * i;
    std::complex<double> sum{};
    for (int l = 0; l < 4; ++l) sum += arrived[l] * std::polar(1.0, -two_pi * f * (when[l] - when[0]) / rate_hz());
    if (std::norm(sum) > best_power) {
      best_power = std::norm(sum);
      best = f;
    }
  }
  return best;
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
  s->place_symbols();
  s->make_sequences();
  s->make_replica();
  s->make_cfo_hypotheses();
  s->make_room();
  return slss_search(std::move(s));
}

void slss_search::state::place_symbols() {
  reduced = config.carrier;
  reduced.fft_size = n;
  const slss_symbols at = slss_symbols_of(config.carrier.cp);
  for (int i = 0; i < 2; ++i) {
    psss_exact[i] = symbol_start_samples(reduced, at.psss[i]);
    ssss_exact[i] = symbol_start_samples(reduced, at.ssss[i]);
    psss_at[i] = static_cast<int>(std::lround(psss_exact[i]));
    ssss_at[i] = static_cast<int>(std::lround(ssss_exact[i]));
  }
  starts = reduced.samples_per_subframe();
  reach = ssss_at[1] + n + margin_samples;
  filter = decimation_filter(factor);
  filter_twice.resize(whole_vectors(2 * filter.size()));
  for (std::size_t i = 0; i < 2 * filter.size(); ++i) filter_twice[i] = filter[i / 2];
  twiddle.resize(2 * n);
  for (int i = 0; i < 2 * n; ++i) twiddle[i] = unit(-two_pi * i / (2.0 * n));
}

void slss_search::state::make_sequences() {
  for (int r = 0; r < n_roots; ++r) psss_sequence(psss_roots[r], psss[r]);
  ssss.resize(n_slss_ids * slss_length);
  for (int id = 0; id < n_slss_ids; ++id)
    ssss_sequence(id, config.carrier.tm, std::span(ssss).subspan(id * slss_length, slss_length));
}

void slss_search::state::make_replica() {
  replica_re.resize(n);
  replica_im.resize(n);
  double e = 0;
  for (int i = 0; i < n; ++i) {
    std::complex<double> v{};
    for (int k = 0; k < slss_length; ++k) {
      const std::complex<double> d(psss[0][k]);
      v += d * std::polar(1.0, two_pi * (k - 30.5) * static_cast<double>(i) / n);
    }
    replica_re[i] = static_cast<float>(v.real());
    replica_im[i] = static_cast<float>(-v.imag());
    e += std::norm(v);
  }
  for (auto* t : {&replica_re, &replica_im})
    for (float& v : *t) v /= static_cast<float>(std::sqrt(e));
}

void slss_search::state::make_cfo_hypotheses() {
  const double gap = psss_exact[1] - psss_exact[0];
  const std::array<double, 4> t{0.0, n / 2.0, gap, gap + n / 2.0};  // of the four half symbols
  const int steps = static_cast<int>(std::ceil(config.max_cfo_hz / cfo_step_hz));
  for (int i = -steps; i <= steps; ++i) {
    const double f = i * cfo_step_hz;
    std::array<cf32, 4> w;
    for (std::size_t k = 0; k < w.size(); ++k) w[k] = unit(-two_pi * f * t[k] / rate_hz());
    cfo_hz.push_back(f);
    cfo_weights.push_back(w);
  }
}

void slss_search::state::make_room() {
  const std::size_t total = starts + reach;
  for (int a = 0; a < config.n_antennas; ++a) low[a].resize(total);
  for (auto* v : {&low_re, &low_im}) v->resize(total + 2 * lanes);
  for (auto& h : half_sums)
    for (auto* part : {&h.re, &h.im})
      for (auto& v : *part) v.resize(total + 2 * lanes);
  power_sum.resize(total + 1);
  metric.resize(starts);
  energy.resize(starts);
  best_root.resize(starts);
  best_cfo.resize(starts);
  stride = whole_vectors(starts);
  for (auto& c : combined) c.resize(stride * cfo_hz.size());
}

std::size_t slss_search::window_samples() const { return (s_->starts + s_->reach) * s_->factor; }

std::span<const slss_candidate> slss_search::search(std::span<const cf32> antenna) noexcept {
  const std::array<std::span<const cf32>, 1> one{antenna};
  return search(one);
}

std::span<const slss_candidate> slss_search::search(std::span<const std::span<const cf32>> antennas) noexcept {
  state& s = *s_;
  const int n_antennas = std::min<int>(antennas.size(), s.config.n_antennas);
  for (int a = 0; a < n_antennas; ++a) {
    assert(antennas[a].size() >= window_samples());
    s.decimate(antennas[a].first(std::min(antennas[a].size(), window_samples())), s.low[a]);
  }
  s.correlate(n_antennas);
  const int apart = 2 * s.n;  // two symbols
  int n_found = 0;
  // The strongest peak first. Each takes its neighbourhood out of the search. A strong peak that is no SLSS must not
  // hide a weaker one, so more peaks are tried than reported.
  for (int trial = 0; trial < trials_per_candidate * max_candidates && n_found < max_candidates; ++trial) {
    const auto it = std::max_element(s.metric.begin(), s.metric.end());
    if (*it < s.config.psss_threshold) break;
    const int start = it - s.metric.begin();
    slss_candidate c;
    c.psss_metric = *it;
    if (s.identify(start, s.best_root[start], s.cfo_hz[s.best_cfo[start]], n_antennas, c)) s.found[n_found++] = c;
    const int lo = std::max(0, start - apart);
    const int hi = std::min(s.starts - 1, start + apart);
    std::fill(s.metric.begin() + lo, s.metric.begin() + hi + 1, 0.0F);
  }
  return std::span(s.found).first(n_found);
}

}  // namespace prose::phy
