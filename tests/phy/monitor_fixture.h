// What the monitor's tests have in common: random carriers, samples with transmissions of our own transmitter in noise,
// and counting what was heard of them. (Own transmitter against own receiver shows self-consistency only;
// monitor_recordings_test has the third-party evidence.) MONITOR_ROUNDS and MONITOR_VERBOSE are for longer runs by
// hand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/octet_order.h"
#include "phy/modem/monitor.h"
#include "phy/modem/transmitter.h"
#include "phy/types/pool.h"

namespace prose::phy {

using rng_t = std::mt19937_64;
using bits_t = std::vector<std::uint8_t>;
using prose::octet_set;

inline int pick(rng_t& rng, int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(rng); }
inline double real(rng_t& rng, double lo, double hi) { return std::uniform_real_distribution<double>(lo, hi)(rng); }
inline bits_t random_bits(rng_t& rng, int n) {
  bits_t b(static_cast<std::size_t>(n));
  for (auto& v : b) v = static_cast<std::uint8_t>(rng() & 1U);
  return b;
}

inline carrier_config random_carrier(rng_t& rng, bool v2x) {
  const int n_prb = bandwidths_prb[pick(rng, 0, 5)];
  const double rate = standard_fft_size(n_prb) * 15e3 * (pick(rng, 0, 3) == 0 ? 0.75 : 1.0);
  const bool extended = !v2x && pick(rng, 0, 2) == 0;
  const auto c = carrier_config::make(n_prb, extended ? cyclic_prefix::extended : cyclic_prefix::normal,
                                      v2x ? transmission_mode::tm4 : transmission_mode::tm2, rate);
  EXPECT_TRUE(c);
  return *c;
}

/// What is on the air: noise, and transmissions added to it.
struct air {
  carrier_config carrier;
  std::vector<cf32> samples;
  transmitter tx;
  std::vector<cf32> subframe;

  air(const carrier_config& c, std::size_t n, double noise_power, rng_t& rng)
      : carrier(c),
        samples(n),
        tx(*transmitter::make({.carrier = c})),
        subframe(static_cast<std::size_t>(c.samples_per_subframe())) {
    std::normal_distribution<float> g(0.0F, static_cast<float>(std::sqrt(noise_power / 2)));
    for (cf32& v : samples) v = {g(rng), g(rng)};
  }
  void add(std::span<const transmission> list, std::int64_t start, double cfo_hz) {
    const auto ok = tx.transmit(list, subframe);
    ASSERT_TRUE(ok) << ok.error().message;
    for (std::size_t i = 0; i < subframe.size(); ++i) {
      const auto n = start + static_cast<std::int64_t>(i);
      if (n < 0 || n >= static_cast<std::int64_t>(samples.size())) continue;
      samples[n] +=
          subframe[i] *
          cf32(std::polar(1.0, 2 * std::numbers::pi * cfo_hz / carrier.sample_rate_hz() * static_cast<double>(n)));
    }
  }
};

/// Noise power a sample for an SNR a resource element of the unit (0 dB) power.
inline double noise_for(const carrier_config&, double snr_db) { return std::pow(10.0, -snr_db / 10); }

struct heard {
  std::set<std::pair<int, bits_t>> mib;
  octet_set sci, tb, discovery;
  void take(std::span<const monitor_event> events) {
    for (const auto& e : events) {
      if (const auto* m = std::get_if<mib_sl_event>(&e))
        mib.insert({m->n_sl_id, bits_t(m->bits.begin(), m->bits.end())});
      if (const auto* s = std::get_if<sci_event>(&e)) sci.insert(bits_t(s->bits.begin(), s->bits.end()));
      if (const auto* t = std::get_if<tb_event>(&e); t != nullptr && t->crc_ok)
        tb.insert(bits_t(t->bits.begin(), t->bits.end()));
      if (const auto* d = std::get_if<discovery_event>(&e); d != nullptr && d->crc_ok)
        discovery.insert(bits_t(d->bits.begin(), d->bits.end()));
    }
  }
};

inline heard listen(const monitor_config& config, std::span<const cf32> samples) {
  auto m = monitor::make(config);
  EXPECT_TRUE(m) << m.error().message;
  heard h;
  if (!m) return h;
  for (std::size_t i = 0; i < samples.size(); i += 20011)
    h.take(
        m->process(samples.subspan(i, std::min<std::size_t>(20011, samples.size() - i)), static_cast<std::int64_t>(i)));
  h.take(m->finish());
  return h;
}

struct tally {
  int expected = 0;
  int found = 0;
  int invented = 0;
  template <class Set>
  void count(const Set& want, const Set& got) {
    expected += static_cast<int>(want.size());
    for (const auto& w : want) found += got.contains(w) ? 1 : 0;
    for (const auto& g : got) invented += want.contains(g) ? 0 : 1;
  }
  double share() const { return static_cast<double>(found) / std::max(1, expected); }
};

inline int rounds(int standard) {
  const char* text = std::getenv("MONITOR_ROUNDS");
  return text == nullptr ? standard : std::max(1, std::atoi(text));
}
inline bool verbose() { return std::getenv("MONITOR_VERBOSE") != nullptr; }

inline std::vector<cf32> noise(rng_t& rng, std::size_t n) {
  std::normal_distribution<float> g(0.0F, 0.7F);
  std::vector<cf32> x(n);
  for (cf32& v : x) v = {g(rng), g(rng)};
  return x;
}

}  // namespace prose::phy
