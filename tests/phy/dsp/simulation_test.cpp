// Noise, fading and spectrum against what theory says of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "phy/dsp/multipath.h"
#include "phy/dsp/random.h"
#include "phy/dsp/spectrum.h"

namespace prose::phy {
namespace {

TEST(simulation_rng, noise_has_unit_power_gaussian_tails_and_repeats) {
  simulation_rng rng(1);
  const int n = 400'000;
  double power = 0, fourth = 0;
  int tail = 0;
  std::complex<double> mean{};
  for (int i = 0; i < n; ++i) {
    const cf32 v = rng.gaussian();
    const double p = std::norm(std::complex<double>(v));
    power += p;
    fourth += p * p;
    tail += p > 9.0 ? 1 : 0;  // P = exp(-9) = 1.23e-4
    mean += std::complex<double>(v);
  }
  EXPECT_NEAR(power / n, 1.0, 0.01);
  EXPECT_NEAR(fourth / n, 2.0, 0.05);
  EXPECT_NEAR(tail / (n * std::exp(-9.0)), 1.0, 0.45);
  EXPECT_LT(std::abs(mean) / n, 0.006);
  simulation_rng a(7), b(7), c(8);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
}

TEST(multipath_channel, mean_gain_is_one_and_the_envelope_is_rayleigh) {
  for (const auto name : {"epa5", "eva70", "eva180"}) {
    multipath_channel channel(*fading_model_from(name), 15.36e6);
    simulation_rng rng(2);
    const int n = 20'000;
    double power = 0, deep = 0;
    for (int i = 0; i < n; ++i) {
      channel.draw(rng);
      cf32 flat{};  // gain at the carrier itself
      for (std::size_t t = 0; t < channel.n_taps(); ++t) flat += channel.tap_gain(t, 0);
      power += std::norm(flat);
      deep += std::norm(flat) < 0.1F ? 1 : 0;
    }
    EXPECT_NEAR(power / n, 1.0, 0.04) << name;
    EXPECT_NEAR(deep / n, 1 - std::exp(-0.1), 0.012) << name;
  }
}

TEST(multipath_channel, taps_follow_the_spectrum_of_jakes) {
  // Autocorrelation J0(2 pi f_d tau) (TS 36.101 B.2: classical Doppler spectrum).
  multipath_channel channel(*fading_model_from("eva70"), 7.68e6);
  simulation_rng rng(3);
  for (const double tau_s : {0.5e-3, 2e-3, 5.4e-3}) {
    std::complex<double> r{};
    double p = 0;
    for (int i = 0; i < 20'000; ++i) {
      channel.draw(rng);
      const std::complex<double> a(channel.tap_gain(0, 0)), b(channel.tap_gain(0, tau_s));
      r += b * std::conj(a);
      p += std::norm(a);
    }
    EXPECT_NEAR(r.real() / p, std::cyl_bessel_j(0, 2 * std::numbers::pi * 70 * tau_s), 0.03) << tau_s;
    EXPECT_NEAR(r.imag() / p, 0.0, 0.03);
  }
}

TEST(multipath_channel, delays_are_those_of_the_profile) {
  // A tone sees the transfer function sum g_i exp(-j 2 pi f d_i), fractional delays included.
  const double rate = 7.68e6;
  multipath_channel channel(*fading_model_from("eva70"), rate);
  simulation_rng rng(4);
  channel.draw(rng);
  const double delays_ns[] = {0, 30, 150, 310, 370, 710, 1090, 1730, 2510};
  std::vector<cf32> in(600), out(600);
  for (const double f : {-2.2e6, -0.4e6, 0.0, 1.1e6, 2.2e6}) {
    for (std::size_t n = 0; n < in.size(); ++n)
      in[n] = cf32(std::polar(1.0, 2 * std::numbers::pi * f / rate * static_cast<double>(n)));
    channel.apply(in, 0, out);
    const std::size_t at = 400;
    std::complex<double> want{};
    for (std::size_t i = 0; i < 9; ++i)
      want += std::complex<double>(channel.tap_gain(i, at / rate)) *
              std::polar(1.0, 2 * std::numbers::pi * f * ((at - channel.delay_samples()) / rate - delays_ns[i] * 1e-9));
    EXPECT_LT(std::abs(std::complex<double>(out[at]) - want), 0.02) << f;
  }
}

TEST(multipath_channel, awgn_passes_samples_unchanged) {
  multipath_channel channel(*fading_model_from("awgn"), 1.92e6);
  std::vector<cf32> in{{1, 2}, {3, 4}}, out(2);
  channel.apply(in, 0, out);
  EXPECT_EQ(in, out);
  EXPECT_EQ(channel.delay_samples(), 0);
  EXPECT_FALSE(fading_model_from("epa"));
}

TEST(spectrum, noise_is_flat_and_a_tone_is_at_its_place) {
  const int bins = 64;
  spectrum s(bins);
  simulation_rng rng(5);
  std::vector<cf32> x(200'000);
  rng.add_noise(x, 0.01F);
  s.write(x);
  std::vector<float> psd(bins);
  s.psd_db(psd);
  double sum = 0;
  for (const float v : psd) {
    EXPECT_NEAR(v, -20 - 10 * std::log10(bins), 0.6);
    sum += std::pow(10.0, v / 10.0);
  }
  EXPECT_NEAR(10 * std::log10(sum), -20, 0.1);
  s.clear();
  for (std::size_t n = 0; n < x.size(); ++n)
    x[n] = cf32(std::polar(1.0, 2 * std::numbers::pi * 0.25 * static_cast<double>(n)));
  s.write(x);
  s.psd_db(psd);
  EXPECT_EQ(std::max_element(psd.begin(), psd.end()) - psd.begin(), bins * 3 / 4);  // +fs/4
}

}  // namespace
}  // namespace prose::phy
