// The modulator and the transmitter: sampling instants, power, errors, no allocation. What the samples must be is
// judged by waveform_test on third-party recordings.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <complex>
#include <cstdlib>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "phy/modem/transmitter.h"
#include "phy/scfdma/modulator.h"
#include "phy/sync/slss_sequences.h"
#include "phy/types/pool.h"

// Counts what this program and the libraries below it (FFTW among them) ask of the heap. Sanitizers bring an allocator
// of their own, so there the count stays 0 and the test says nothing.
namespace {
std::atomic<long> n_allocations{0};
}
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t n) {
  ++n_allocations;
  return __libc_malloc(n);
}
void* calloc(std::size_t n, std::size_t size) {
  ++n_allocations;
  return __libc_calloc(n, size);
}
void* memalign(std::size_t alignment, std::size_t n) {
  ++n_allocations;
  return __libc_memalign(alignment, n);
}
void* aligned_alloc(std::size_t alignment, std::size_t n) { return memalign(alignment, n); }
int posix_memalign(void** out, std::size_t alignment, std::size_t n) {
  *out = memalign(alignment, n);
  return *out == nullptr ? 12 : 0;
}
}
#endif

namespace prose::phy {
namespace {

using bit_vector = std::vector<std::uint8_t>;

bit_vector random_bits(int n, unsigned seed) {
  std::mt19937 rng(seed);
  bit_vector b(static_cast<std::size_t>(n));
  for (auto& x : b) x = rng() & 1U;
  return b;
}

carrier_config carrier_of(int n_prb, cyclic_prefix cp, transmission_mode tm, bool three_quarters) {
  const double rate = standard_fft_size(n_prb) * 15e3 * (three_quarters ? 0.75 : 1.0);
  return carrier_config::make(n_prb, cp, tm, rate).value();
}

double power_of(std::span<const cf32> x) {
  double p = 0;
  for (const auto& v : x) p += std::norm(std::complex<double>(v));
  return p / static_cast<double>(x.size());
}

// A signal sampled at 3/4 of the rate has every third sample where the full-rate one has every fourth: an independent
// check of where symbols begin, of the prefix and of the fractional starts at 6 and 15 PRB.
TEST(modulator, three_quarter_rate_is_the_same_signal) {
  for (const int n_prb : bandwidths_prb)
    for (const auto cp : {cyclic_prefix::normal, cyclic_prefix::extended}) {
      const auto full = carrier_of(n_prb, cp, transmission_mode::tm2, false);
      const auto less = carrier_of(n_prb, cp, transmission_mode::tm2, true);
      resource_grid grid(full);
      std::mt19937 rng(3);
      std::normal_distribution<float> gauss;
      for (auto& v : grid.all()) v = {gauss(rng), gauss(rng)};
      std::vector<cf32> a(static_cast<std::size_t>(full.samples_per_subframe()));
      std::vector<cf32> b(static_cast<std::size_t>(less.samples_per_subframe()));
      scfdma_modulator(full).modulate(grid, 0x3FFF, a);
      scfdma_modulator(less).modulate(grid, 0x3FFF, b);
      const auto scale = static_cast<float>(std::sqrt(4.0 / 3.0));
      float worst = 0;
      for (std::size_t m = 0; 3 * m < b.size(); ++m) worst = std::max(worst, std::abs(a[4 * m] * scale - b[3 * m]));
      EXPECT_LT(worst, 2e-4F) << n_prb << " PRB";
    }
}

// TS 36.211 5.6 evaluated directly.
TEST(modulator, follows_the_formula) {
  const auto c = carrier_of(6, cyclic_prefix::normal, transmission_mode::tm2, false);
  resource_grid grid(c);
  grid.symbol(8)[5] = {0.6F, -0.8F};
  std::vector<cf32> x(static_cast<std::size_t>(c.samples_per_subframe()));
  scfdma_modulator(c).modulate(grid, 1U << 8, x);
  const int useful = static_cast<int>(symbol_start_samples(c, 8));
  const double k = 5 - 36 + 0.5;
  for (int i = 0; i < c.samples_per_subframe(); ++i) {
    const bool inside = i >= useful - 9 && i < useful + 128;
    const auto expected =
        inside ? std::complex<double>(0.6, -0.8) * std::polar(1 / std::sqrt(128.0), 2 * M_PI * k * (i - useful) / 128)
               : std::complex<double>{};
    EXPECT_NEAR(std::abs(std::complex<double>(x[i]) - expected), 0, 1e-6) << i;
  }
}

struct subframe_of_everything {
  bit_vector mib, sci, payload, message;
  std::vector<transmission> list;
};

subframe_of_everything v2x_subframe(int mcs, int n_prb) {
  subframe_of_everything s;
  s.sci = random_bits(32, 1);
  const auto t = pssch_transport(transmission_mode::tm4, mcs, n_prb).value();
  s.payload = random_bits(t.tbs, 2);
  const pssch_config c{.prb_start = 2,
                       .n_prb = n_prb,
                       .tbs = t.tbs,
                       .modulation_order = t.modulation_order,
                       .n_x_id = sci_crc(s.sci),
                       .n_ssf = 3};
  s.list = {{pscch_transmission{{.prb = 0, .cyclic_shift = 6}, s.sci}}, {pssch_transmission{c, s.payload}}};
  return s;
}

TEST(transmitter, allocates_nothing_per_subframe) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const long at_start = n_allocations;
  std::vector<int> probe(1000 + static_cast<std::size_t>(at_start % 2));
  EXPECT_GT(n_allocations, at_start) << "the counter counts";
  EXPECT_GE(probe.size(), 1000U);
#endif
  for (const auto tm : {transmission_mode::tm2, transmission_mode::tm4}) {
    const auto c = carrier_of(50, cyclic_prefix::normal, tm, false);
    auto tx = transmitter::make({.carrier = c});
    ASSERT_TRUE(tx);
    std::vector<cf32> out(static_cast<std::size_t>(c.samples_per_subframe()));
    const auto mib = random_bits(is_v2x(tm) ? 48 : 40, 1);
    const auto sci = random_bits(is_v2x(tm) ? 32 : 43, 2);
    const auto tb = random_bits(tbs_of(19, 48), 3);
    const auto message = random_bits(232, 4);
    const std::vector<std::vector<transmission>> subframes{
        {{psbch_transmission{301, mib}}},
        {{psbch_transmission{12, mib}}},
        {{pscch_transmission{{.prb = 0}, sci}},
         {pssch_transmission{{.prb_start = 2, .n_prb = 48, .tbs = tbs_of(19, 48), .modulation_order = 4, .n_x_id = 77},
                             tb}}},
        {{psdch_transmission{{.prb = 3, .rv = 2}, message}},
         {psdch_transmission{{.prb = 8, .rv = 1, .prb_second = 20}, message}}},
        {}};
    const long before = n_allocations;
    for (int round = 0; round < 3; ++round)
      for (const auto& list : subframes) ASSERT_TRUE(tx->transmit(list, out));
    EXPECT_EQ(n_allocations - before, 0);
  }
}

TEST(transmitter, power_is_what_was_asked_for) {
  const auto c = carrier_of(50, cyclic_prefix::normal, transmission_mode::tm4, false);
  auto s = v2x_subframe(4, 48);
  std::vector<cf32> out(static_cast<std::size_t>(c.samples_per_subframe()));
  auto tx = transmitter::make({.carrier = c});
  const auto useful = std::span(out).first(out.size() - 1024 - 72);  // without the silent last symbol
  // PSSCH alone at -20 dBFS.
  std::vector<transmission> alone{s.list[1]};
  alone[0].re_power_db = re_power_db(c, -20, 48 * 12);
  ASSERT_TRUE(tx->transmit(alone, out));
  EXPECT_NEAR(10 * std::log10(power_of(useful)), -20, 0.1);
  for (std::size_t i = useful.size(); i < out.size(); ++i) EXPECT_EQ(out[i], cf32{});
  // PSCCH alone: 3 dB more than asked for, and just that with the boost off.
  std::vector<transmission> control{s.list[0]};
  control[0].re_power_db = re_power_db(c, -20, 24);
  ASSERT_TRUE(tx->transmit(control, out));
  EXPECT_NEAR(10 * std::log10(power_of(useful)), -17, 0.15);
  auto flat = transmitter::make({.carrier = c, .pscch_boost_db = 0});
  ASSERT_TRUE(flat->transmit(control, out));
  EXPECT_NEAR(10 * std::log10(power_of(useful)), -20, 0.15);
  // Both: the budget counts the PSCCH twice.
  const float re = re_power_db(c, -20, 48 * 12 + 24 * std::pow(10.0F, 0.3F));
  for (auto& t : s.list) t.re_power_db = re;
  ASSERT_TRUE(tx->transmit(s.list, out));
  EXPECT_NEAR(10 * std::log10(power_of(useful)), -20, 0.1);
}

TEST(transmitter, nothing_to_send_is_silence) {
  const auto c = carrier_of(25, cyclic_prefix::normal, transmission_mode::tm2, true);
  auto tx = transmitter::make({.carrier = c});
  std::vector<cf32> out(static_cast<std::size_t>(c.samples_per_subframe()), cf32(1, 1));
  ASSERT_TRUE(tx->transmit({}, out));
  EXPECT_EQ(power_of(out), 0);
}

TEST(transmitter, refuses_what_does_not_fit_and_stays_silent) {
  const auto c = carrier_of(25, cyclic_prefix::normal, transmission_mode::tm4, false);
  auto tx = transmitter::make({.carrier = c}).value();
  std::vector<cf32> out(static_cast<std::size_t>(c.samples_per_subframe()));
  const auto sci = random_bits(32, 1);
  const auto tb = random_bits(tbs_of(4, 10), 1);
  const auto message = random_bits(232, 1);
  const auto mib = random_bits(48, 1);
  const pssch_config good{.prb_start = 2, .n_prb = 10, .tbs = tbs_of(4, 10)};
  const auto with = [&](auto&& edit) {
    pssch_config x = good;
    edit(x);
    return transmission{pssch_transmission{x, tb}};
  };
  const std::vector<transmission> bad{
      with([](auto& x) { x.prb_start = 16; }),
      with([](auto& x) { x.prb_start = -1; }),
      with([](auto& x) { x.n_prb = 7; }),
      with([](auto& x) { x.n_prb = 0; }),
      with([](auto& x) { x.tbs = 1 << 20; }),
      with([](auto& x) { x.tbs -= 8; }),
      with([](auto& x) { x.modulation_order = 3; }),
      with([](auto& x) { x.rv = 4; }),
      with([](auto& x) { x.n_ssf = 10; }),
      with([](auto& x) { x.n_x_id = 1 << 16; }),
      {pscch_transmission{{.prb = 24}, sci}},
      {pscch_transmission{{.prb = 0, .cyclic_shift = 4}, sci}},
      {pscch_transmission{{.prb = 0}, std::span(sci).first(31)}},
      {psdch_transmission{{.prb = 24}, message}},
      {psdch_transmission{{.prb = 3, .prb_second = 3}, message}},
      {psdch_transmission{{.prb = 3, .rv = 4}, message}},
      {psbch_transmission{336, mib}},
      {psbch_transmission{-1, mib}},
      {psbch_transmission{3, std::span(mib).first(40)}},
      {pssch_transmission{good, tb}, std::numeric_limits<float>::quiet_NaN()},
  };
  for (std::size_t i = 0; i < bad.size(); ++i) {
    std::fill(out.begin(), out.end(), cf32(1, 0));
    const transmission list[] = {with([](auto&) {}), bad[i]};
    const auto r = tx.transmit(list, out);
    EXPECT_FALSE(r) << i;
    if (!r) {
      EXPECT_FALSE(r.error().message.empty());
    }
    EXPECT_EQ(power_of(out), 0) << i;
  }
  const transmission fine[] = {with([](auto&) {})};
  EXPECT_TRUE(tx.transmit(fine, out));
  EXPECT_FALSE(tx.transmit(fine, std::span(out).first(100)));
  EXPECT_FALSE(transmitter::make({.carrier = {.n_prb = 24}}));
  EXPECT_FALSE(transmitter::make({.carrier = c, .pscch_boost_db = std::numeric_limits<float>::quiet_NaN()}));
}

// Every carrier and every MCS goes through: sizes, columns, code block counts.
TEST(transmitter, every_carrier_and_mcs) {
  for (const auto tm : {transmission_mode::tm1, transmission_mode::tm2, transmission_mode::tm3, transmission_mode::tm4})
    for (const auto cp : {cyclic_prefix::normal, cyclic_prefix::extended})
      for (const int n_prb : bandwidths_prb)
        for (const bool less : {false, true}) {
          if (is_v2x(tm) && cp == cyclic_prefix::extended) continue;
          const auto c = carrier_of(n_prb, cp, tm, less);
          auto tx = transmitter::make({.carrier = c}).value();
          std::vector<cf32> out(static_cast<std::size_t>(c.samples_per_subframe()));
          for (int mcs = 0; mcs<32; mcs += n_prb> 25 ? 5 : 1)
            for (const int format : {0, 1}) {
              const int allocated = largest_235(n_prb - 2);
              const auto t = pssch_transport(tm, mcs, allocated, format);
              if (!t || (format == 1 && !is_v2x(tm))) continue;
              const auto payload = random_bits(t->tbs, 1);
              const transmission list[] = {{pssch_transmission{{.prb_start = 2,
                                                                .n_prb = allocated,
                                                                .tbs = t->tbs,
                                                                .modulation_order = t->modulation_order,
                                                                .rv = mcs % 4,
                                                                .n_x_id = 200,
                                                                .n_ssf = mcs % 10,
                                                                .last_symbol_rate_matched = format == 1},
                                                               payload}}};
              ASSERT_TRUE(tx.transmit(list, out));
              EXPECT_GT(power_of(out), 0);
              for (const auto& v : out) ASSERT_TRUE(std::isfinite(v.real()) && std::isfinite(v.imag()));
            }
        }
}

}  // namespace
}  // namespace prose::phy
