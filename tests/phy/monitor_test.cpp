// The monitor on what our own transmitter sends: random carriers, sub-channel layouts, delays, carrier offsets and several
// transmitters at once; noise alone; hostile samples; no allocation. (Own transmitter against own receiver shows self-consistency only;
// monitor_recordings_test has the third-party evidence.)
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <new>
#include <numbers>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "phy/modem/monitor.h"
#include "phy/modem/transmitter.h"
#include "phy/sync/slss_search.h"
#include "phy/types/pool.h"

namespace {
std::atomic<long> n_allocations{0};
}
// Counts every allocation of the program. noexcept-ness and alignment follow the replaced functions.
void* operator new(std::size_t n) {
  ++n_allocations;
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

using namespace prose::phy;

namespace {

using rng_t = std::mt19937_64;
using bits_t = std::vector<std::uint8_t>;

int pick(rng_t& rng, int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(rng); }
double real(rng_t& rng, double lo, double hi) { return std::uniform_real_distribution<double>(lo, hi)(rng); }
bits_t random_bits(rng_t& rng, int n) {
  bits_t b(static_cast<std::size_t>(n));
  for (auto& v : b) v = static_cast<std::uint8_t>(rng() & 1U);
  return b;
}

carrier_config random_carrier(rng_t& rng, bool v2x) {
  const int n_prb = bandwidths_prb[static_cast<std::size_t>(pick(rng, 0, 5))];
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
      : carrier(c), samples(n), tx(*transmitter::make({.carrier = c})), subframe(static_cast<std::size_t>(c.samples_per_subframe())) {
    std::normal_distribution<float> g(0.0F, static_cast<float>(std::sqrt(noise_power / 2)));
    for (cf32& v : samples) v = {g(rng), g(rng)};
  }
  void add(std::span<const transmission> list, std::int64_t start, double cfo_hz) {
    const auto ok = tx.transmit(list, subframe);
    ASSERT_TRUE(ok) << ok.error().message;
    for (std::size_t i = 0; i < subframe.size(); ++i) {
      const auto n = start + static_cast<std::int64_t>(i);
      if (n < 0 || n >= static_cast<std::int64_t>(samples.size())) continue;
      samples[static_cast<std::size_t>(n)] +=
          subframe[i] * cf32(std::polar(1.0, 2 * std::numbers::pi * cfo_hz / carrier.sample_rate_hz() * static_cast<double>(n)));
    }
  }
};

/// Noise power a sample for an SNR a resource element of the unit (0 dB) power.
double noise_for(const carrier_config&, double snr_db) { return std::pow(10.0, -snr_db / 10); }

struct heard {
  std::set<std::pair<int, bits_t>> mib;
  std::set<bits_t> sci, tb, discovery;
  void take(std::span<const monitor_event> events) {
    for (const auto& e : events) {
      if (const auto* m = std::get_if<mib_sl_event>(&e)) mib.insert({m->n_sl_id, bits_t(m->bits.begin(), m->bits.end())});
      if (const auto* s = std::get_if<sci_event>(&e)) sci.insert(bits_t(s->bits.begin(), s->bits.end()));
      if (const auto* t = std::get_if<tb_event>(&e); t != nullptr && t->crc_ok) tb.insert(bits_t(t->bits.begin(), t->bits.end()));
      if (const auto* d = std::get_if<discovery_event>(&e); d != nullptr && d->crc_ok)
        discovery.insert(bits_t(d->bits.begin(), d->bits.end()));
    }
  }
};

heard listen(const monitor_config& config, std::span<const cf32> samples) {
  auto m = monitor::make(config);
  EXPECT_TRUE(m) << m.error().message;
  heard h;
  if (!m) return h;
  for (std::size_t i = 0; i < samples.size(); i += 20011)
    h.take(m->process(samples.subspan(i, std::min<std::size_t>(20011, samples.size() - i)), static_cast<std::int64_t>(i)));
  h.take(m->finish());
  return h;
}

struct tally {
  int expected = 0;
  int found = 0;
  int invented = 0;
  template <class T>
  void count(const std::set<T>& want, const std::set<T>& got) {
    expected += static_cast<int>(want.size());
    for (const auto& w : want) found += got.contains(w) ? 1 : 0;
    for (const auto& g : got) invented += want.contains(g) ? 0 : 1;
  }
  double share() const { return static_cast<double>(found) / std::max(1, expected); }
};

int rounds(int standard) {
  const char* text = std::getenv("MONITOR_ROUNDS");
  return text == nullptr ? standard : std::max(1, std::atoi(text));
}
bool verbose() { return std::getenv("MONITOR_VERBOSE") != nullptr; }

v2x_pool_info random_layout(rng_t& rng, int n_prb, bool adjacent) {
  constexpr std::array<int, 7> counts{1, 3, 5, 8, 10, 15, 20};
  constexpr std::array<int, 19> sizes{4, 5, 6, 8, 9, 10, 12, 15, 16, 18, 20, 25, 30, 48, 50, 72, 75, 96, 100};
  while (true) {
    v2x_pool_info v;
    v.size_subchannel = sizes[static_cast<std::size_t>(pick(rng, 0, 18))];
    v.n_subchannels = counts[static_cast<std::size_t>(pick(rng, 0, 6))];
    const int room = n_prb - v.size_subchannel * v.n_subchannels;
    v.adjacent = adjacent;
    if (room < 0) continue;
    v.start_prb = pick(rng, 0, room);
    if (!adjacent) {
      // PSCCH below the sub-channels, as networks set it up.
      if (2 * v.n_subchannels > room) continue;
      v.start_prb = pick(rng, 2 * v.n_subchannels, room);
      v.start_prb_pscch = pick(rng, 0, v.start_prb - 2 * v.n_subchannels);
    }
    return v;
  }
}

struct v2x_scene {
  carrier_config carrier;
  v2x_pool_info layout;
  std::vector<cf32> samples;
  std::set<bits_t> sci, tb;
  std::int64_t first = 0;
};

/// A few subframes, one to three transmitters in each, each with its own carrier offset and timing; some blocks sent twice.
v2x_scene random_v2x(rng_t& rng, bool adjacent, double snr_db) {
  v2x_scene s;
  do {
    s.carrier = random_carrier(rng, true);
  } while (!adjacent && s.carrier.n_prb < 25);
  s.layout = random_layout(rng, s.carrier.n_prb, adjacent);
  v2x_pool_config layout;
  layout.n_prb = s.carrier.n_prb;
  layout.size_subchannel = s.layout.size_subchannel;
  layout.n_subchannels = s.layout.n_subchannels;
  layout.start_prb = s.layout.start_prb;
  layout.adjacent = adjacent;
  layout.start_prb_pscch = s.layout.start_prb_pscch;
  const auto pool = v2x_pool::make(layout);
  EXPECT_TRUE(pool) << pool.error().message;
  const int sps = s.carrier.samples_per_subframe();
  const int n_subframes = pick(rng, 1, 4);
  s.first = pick(rng, 0, 40000);
  air a(s.carrier, static_cast<std::size_t>(s.first + n_subframes * sps + 4000), noise_for(s.carrier, snr_db), rng);
  const int n_transmitters = std::min(pick(rng, 1, 3), s.layout.n_subchannels);
  const int n = s.layout.n_subchannels;
  const double prefix = 144.0 * s.carrier.fft_size / 2048;
  struct ue {
    double cfo;
    int offset;
    int from, room;  // its own sub-channels
  };
  std::vector<ue> ues;
  for (int u = 0; u < n_transmitters; ++u)
    ues.push_back({real(rng, -3000, 3000), static_cast<int>(real(rng, -prefix / 5, prefix / 5)), u * n / n_transmitters,
                   (u + 1) * n / n_transmitters - u * n / n_transmitters});
  const int n_ssf_first = pick(rng, 0, 9);
  struct again {
    bits_t payload;
    sci_format1 sci;
    int at, first, length, ue;
  };
  std::vector<again> repeats;
  for (int k = 0; k < n_subframes; ++k) {
    for (std::size_t u = 0; u < ues.size(); ++u) {
      sci_format1 sci;
      int first = 0;
      int length = 0;
      bits_t payload;
      const auto repeat = std::find_if(repeats.begin(), repeats.end(),
                                       [&](const again& r) { return r.at == k && r.ue == static_cast<int>(u); });
      if (repeat != repeats.end()) {
        sci = repeat->sci;
        sci.retransmission_index = 1;
        first = repeat->first;
        length = repeat->length;
        payload = repeat->payload;
      } else {
        length = pick(rng, 1, ues[u].room);
        first = ues[u].from + pick(rng, 0, ues[u].room - length);
        sci.priority = static_cast<std::uint8_t>(pick(rng, 0, 7));
        sci.resource_reservation = static_cast<std::uint8_t>(pick(rng, 0, 12));
        sci.mcs = static_cast<std::uint8_t>(pick(rng, 0, 16));
        sci.time_gap = static_cast<std::uint8_t>(pick(rng, 0, 1) * pick(rng, 1, 2));
        sci.frequency_location = static_cast<std::uint8_t>(riv_encode(n, first, length));
      }
      bits_t bits(sci_format1_bits);
      pack(sci, n, bits);
      const int prb = pool->pscch_prbs()[static_cast<std::size_t>(first)];
      const auto grant = pool->pssch(sci, prb, sci_crc(bits), (n_ssf_first + k) % 10);
      if (!grant) continue;
      if (repeat == repeats.end()) {
        payload = random_bits(rng, grant->tbs);
        if (sci.time_gap != 0) repeats.push_back({payload, sci, k + sci.time_gap, first, length, static_cast<int>(u)});
      }
      const transmission list[] = {{pscch_transmission{{prb, 3 * pick(rng, 0, 3)}, bits}, 0.0F},
                                   {pssch_transmission{*grant, payload}, 0.0F}};
      a.add(list, s.first + k * sps + ues[u].offset, ues[u].cfo);
      s.sci.insert(bits);
      s.tb.insert(payload);
    }
  }
  s.samples = std::move(a.samples);
  return s;
}

std::string describe(const v2x_scene& s) {
  return std::to_string(s.carrier.n_prb) + " PRB fft " + std::to_string(s.carrier.fft_size) + " size " +
         std::to_string(s.layout.size_subchannel) + " count " + std::to_string(s.layout.n_subchannels) + " start " +
         std::to_string(s.layout.start_prb) + (s.layout.adjacent ? " adjacent" : " apart, PSCCH " + std::to_string(s.layout.start_prb_pscch));
}

tally run_v2x(rng_t& rng, int n, bool adjacent, sync_mode sync, bool give_pool, double snr_db) {
  tally sum;
  for (int i = 0; i < n; ++i) {
    const auto s = random_v2x(rng, adjacent, snr_db);
    monitor_config c;
    c.carrier = s.carrier;
    c.sync = sync;
    c.timing.first_subframe_sample = s.first;
    if (give_pool) c.pool = s.layout;
    const auto h = listen(c, s.samples);
    tally t;
    t.count(s.sci, h.sci);
    t.count(s.tb, h.tb);
    if (verbose() && (t.found < t.expected || t.invented > 0))
      std::printf("%d: %d/%d, %d invented: %s\n", i, t.found, t.expected, t.invented, describe(s).c_str());
    sum.expected += t.expected;
    sum.found += t.found;
    sum.invented += t.invented;
  }
  std::printf("%d of %d, %d invented\n", sum.found, sum.expected, sum.invented);
  return sum;
}

}  // namespace

TEST(monitor_v2x, aligned_with_pool) {
  rng_t rng(1);
  const auto t = run_v2x(rng, rounds(30), true, sync_mode::aligned, true, 20);
  EXPECT_GE(t.share(), 0.97);
  EXPECT_EQ(t.invented, 0);
}
TEST(monitor_v2x, blind_with_pool) {
  rng_t rng(2);
  const auto t = run_v2x(rng, rounds(30), true, sync_mode::blind, true, 20);
  EXPECT_GE(t.share(), 0.95);
  EXPECT_EQ(t.invented, 0);
}
TEST(monitor_v2x, blind_without_pool) {
  rng_t rng(3);
  const auto t = run_v2x(rng, rounds(30), true, sync_mode::blind, false, 20);
  EXPECT_GE(t.share(), 0.90);
  EXPECT_EQ(t.invented, 0);
}
TEST(monitor_v2x, blind_apart_with_pool) {
  rng_t rng(4);
  const auto t = run_v2x(rng, rounds(15), false, sync_mode::blind, true, 20);
  EXPECT_GE(t.share(), 0.95);
  EXPECT_EQ(t.invented, 0);
}
TEST(monitor_v2x, blind_apart_without_pool) {
  rng_t rng(5);
  const auto t = run_v2x(rng, rounds(15), false, sync_mode::blind, false, 20);
  EXPECT_GE(t.share(), 0.95);
  EXPECT_EQ(t.invented, 0);
}

// TM2 without a known pool: two PSCCHs, then one or two blocks of four transmissions.
TEST(monitor_comm, blind_unknown_pool) {
  rng_t rng(6);
  tally sum;
  for (int i = 0; i < rounds(40); ++i) {
    const auto c = random_carrier(rng, false);
    comm_pool_config unknown;
    unknown.n_prb = c.n_prb;
    unknown.known = false;
    const auto pool = comm_pool::make(unknown);
    ASSERT_TRUE(pool);
    const int sps = c.samples_per_subframe();
    const int n_blocks = pick(rng, 1, 2);
    const int first = pick(rng, 0, 40000);
    air a(c, static_cast<std::size_t>(first + (2 + 4 * n_blocks) * sps + 4000), noise_for(c, 20), rng);
    const double cfo = real(rng, -3000, 3000);
    sci_format0 sci;
    std::optional<pssch_config> grant;
    while (!grant) {
      const int length = pick(rng, 1, c.n_prb);
      sci.resource_block_assignment = static_cast<std::uint16_t>(riv_encode(c.n_prb, pick(rng, 0, c.n_prb - length), length));
      sci.time_resource_pattern = 106;
      sci.mcs = static_cast<std::uint8_t>(pick(rng, 0, 20));
      sci.group_destination_id = static_cast<std::uint8_t>(pick(rng, 0, 255));
      grant = pool->pssch(sci, 0);
    }
    bits_t bits(static_cast<std::size_t>(sci_format0_bits(c.n_prb)));
    pack(sci, c.n_prb, bits);
    std::set<bits_t> sci_sent{bits};
    std::set<bits_t> tb_sent;
    for (int k = 0; k < 2; ++k) {
      const transmission list[] = {{pscch_transmission{{pick(rng, 0, c.n_prb - 1), 0}, bits}, 0.0F}};
      a.add(list, first + k * sps, cfo);
    }
    const int j0 = pick(rng, 0, 9);
    for (int b = 0; b < n_blocks; ++b) {
      const auto payload = random_bits(rng, grant->tbs);
      tb_sent.insert(payload);
      for (int t = 0; t < 4; ++t) {
        auto g = pool->pssch(sci, (j0 + 4 * b + t) % 10);
        g->rv = rv_order[static_cast<std::size_t>(t)];
        const transmission list[] = {{pssch_transmission{*g, payload}, 0.0F}};
        a.add(list, first + (2 + 4 * b + t) * sps, cfo);
      }
    }
    monitor_config config;
    config.carrier = c;
    config.sync = sync_mode::blind;
    config.pool = sl_comm_pool_info{};
    const auto h = listen(config, a.samples);
    tally t;
    t.count(sci_sent, h.sci);
    t.count(tb_sent, h.tb);
    if (verbose() && (t.found < t.expected || t.invented > 0))
      std::printf("%d: %d/%d, %d invented: %d PRB fft %d ext %d mcs %d prb %d+%d n_id %d tbs %d delay %d cfo %.0f\n", i, t.found,
                  t.expected, t.invented, c.n_prb, c.fft_size, c.cp == cyclic_prefix::extended, sci.mcs, grant->prb_start,
                  grant->n_prb, sci.group_destination_id, grant->tbs, first, cfo);
    sum.expected += t.expected;
    sum.found += t.found;
    sum.invented += t.invented;
  }
  std::printf("%d of %d, %d invented\n", sum.found, sum.expected, sum.invented);
  EXPECT_GE(sum.share(), 0.95);
  EXPECT_EQ(sum.invented, 0);
}

// Discovery messages anywhere, nothing known but the carrier.
TEST(monitor_discovery, blind_anywhere) {
  rng_t rng(7);
  tally sum;
  for (int i = 0; i < rounds(30); ++i) {
    const auto c = random_carrier(rng, false);
    const int sps = c.samples_per_subframe();
    const int n = pick(rng, 1, 4);
    const int first = pick(rng, 0, 40000);
    air a(c, static_cast<std::size_t>(first + n * sps + 4000), noise_for(c, 15), rng);
    std::set<bits_t> sent;
    for (int k = 0; k < n; ++k) {
      const int half = c.n_prb / 2;
      for (const int prb : {pick(rng, 0, half - 2), half + pick(rng, 0, c.n_prb - half - 2)}) {
        const auto payload = random_bits(rng, discovery_message_bits);
        sent.insert(payload);
        const transmission list[] = {{psdch_transmission{{prb, 0}, payload}, 0.0F}};
        a.add(list, first + k * sps, real(rng, -2000, 2000));
      }
    }
    monitor_config config;
    config.carrier = c;
    config.sync = sync_mode::blind;
    const auto h = listen(config, a.samples);
    tally t;
    t.count(sent, h.discovery);
    t.invented += static_cast<int>(h.sci.size() + h.tb.size() + h.mib.size());
    if (verbose() && (t.found < t.expected || t.invented > 0))
      std::printf("%d: %d/%d, %d invented: %d PRB fft %d ext %d\n", i, t.found, t.expected, t.invented, c.n_prb, c.fft_size,
                  c.cp == cyclic_prefix::extended);
    sum.expected += t.expected;
    sum.found += t.found;
    sum.invented += t.invented;
  }
  std::printf("%d of %d, %d invented\n", sum.found, sum.expected, sum.invented);
  EXPECT_GE(sum.share(), 0.95);
  EXPECT_EQ(sum.invented, 0);
}

// Every identity at the least SNR that is promised, at an unknown place with an unknown carrier offset.
TEST(slss_search, identities_at_minus_3_db) {
  rng_t rng(8);
  for (const auto tm : {transmission_mode::tm2, transmission_mode::tm4}) {
    int missed = 0;
    int wrong = 0;
    for (int id = 0; id < n_slss_ids; ++id) {
      const int n_prb = bandwidths_prb[static_cast<std::size_t>(id % 3)];
      const double rate = standard_fft_size(n_prb) * 15e3 * (id % 2 == 0 ? 1.0 : 0.75);
      const auto c = carrier_config::make(n_prb, cyclic_prefix::normal, tm, rate);
      ASSERT_TRUE(c);
      auto search = slss_search::make({.carrier = *c});
      ASSERT_TRUE(search);
      air a(*c, search->window_samples(), noise_for(*c, -3), rng);
      const auto bits = random_bits(rng, mib_sl_bits(tm));
      const transmission list[] = {{psbch_transmission{id, bits}, 0.0F}};
      const int start = pick(rng, 0, c->samples_per_subframe() - 1);
      const double cfo = real(rng, -5000, 5000);
      a.add(list, start, cfo);
      const auto found = search->search(a.samples);
      const bool hit = !found.empty() && found[0].n_sl_id == id && std::abs(found[0].start_samples - start) < 0.03 * c->fft_size &&
                       std::abs(found[0].cfo_hz - cfo) < 800;
      missed += hit ? 0 : 1;
      if (!hit && verbose())
        std::printf("id %d: %zu found, id %d start %+.1f cfo %+.0f psss %.2f ssss %.2f\n", id, found.size(),
                    found.empty() ? -1 : found[0].n_sl_id, found.empty() ? 0 : found[0].start_samples - start,
                    found.empty() ? 0 : found[0].cfo_hz - cfo, found.empty() ? 0 : found[0].psss_metric,
                    found.empty() ? 0 : found[0].ssss_metric);
      for (const auto& f : found) wrong += f.n_sl_id != id ? 1 : 0;
    }
    std::printf("TM%d: %d of %d missed, %d wrong\n", static_cast<int>(tm), missed, n_slss_ids, wrong);
    EXPECT_LE(missed, n_slss_ids / 10);
    EXPECT_LE(wrong, 3);
  }
}

// Two transmitters a third of a subframe apart, both at once.
TEST(monitor_blind, transmitters_with_timings_of_their_own) {
  rng_t rng(9);
  tally sum;
  for (int i = 0; i < rounds(20); ++i) {
    const auto c = *carrier_config::make(50, cyclic_prefix::normal, transmission_mode::tm4, 15.36e6);
    const int sps = c.samples_per_subframe();
    const int n = 3;
    air a(c, static_cast<std::size_t>((n + 3) * sps), noise_for(c, 20), rng);
    v2x_pool_info layout;
    layout.size_subchannel = 10;
    layout.n_subchannels = 5;
    v2x_pool_config p;
    p.n_prb = 50;
    p.size_subchannel = 10;
    p.n_subchannels = 5;
    const auto pool = v2x_pool::make(p);
    ASSERT_TRUE(pool);
    std::set<bits_t> sci_sent;
    std::set<bits_t> tb_sent;
    const int shift = pick(rng, sps / 5, sps * 4 / 5);
    const double cfo[2] = {real(rng, -3000, 3000), real(rng, -3000, 3000)};
    for (int k = 0; k < n; ++k)
      for (int u = 0; u < 2; ++u) {
        sci_format1 sci;
        sci.mcs = 5;
        sci.priority = static_cast<std::uint8_t>(k + 3 * u);
        const int first = u * 3;
        sci.frequency_location = static_cast<std::uint8_t>(riv_encode(5, first, 2));
        bits_t bits(sci_format1_bits);
        pack(sci, 5, bits);
        const auto grant = *pool->pssch(sci, pool->pscch_prbs()[static_cast<std::size_t>(first)], sci_crc(bits), k);
        const auto payload = random_bits(rng, grant.tbs);
        const transmission list[] = {
            {pscch_transmission{{pool->pscch_prbs()[static_cast<std::size_t>(first)], 0}, bits}, 0.0F},
            {pssch_transmission{grant, payload}, 0.0F}};
        a.add(list, 5000 + k * sps + u * shift, cfo[u]);
        sci_sent.insert(bits);
        tb_sent.insert(payload);
      }
    monitor_config config;
    config.carrier = c;
    config.sync = sync_mode::blind;
    config.pool = layout;
    const auto h = listen(config, a.samples);
    sum.count(sci_sent, h.sci);
    sum.count(tb_sent, h.tb);
  }
  std::printf("%d of %d, %d invented\n", sum.found, sum.expected, sum.invented);
  EXPECT_GE(sum.share(), 0.9);
  EXPECT_EQ(sum.invented, 0);
}

namespace {

std::vector<cf32> noise(rng_t& rng, std::size_t n) {
  std::normal_distribution<float> g(0.0F, 0.7F);
  std::vector<cf32> x(n);
  for (cf32& v : x) v = {g(rng), g(rng)};
  return x;
}

}  // namespace

// Noise says nothing: no MIB, no block, no discovery message in any mode. SCIs have 16 bits of CRC; a few in 10^7 candidates pass.
TEST(monitor_noise, invents_nothing) {
  rng_t rng(10);
  const int n_subframes = rounds(1500);
  for (const auto mode : {sync_mode::aligned, sync_mode::slss, sync_mode::blind})
    for (const auto tm : {transmission_mode::tm2, transmission_mode::tm4}) {
      monitor_config config;
      config.carrier = *carrier_config::make(6, cyclic_prefix::normal, tm, 1.92e6);
      config.sync = mode;
      auto m = monitor::make(config);
      ASSERT_TRUE(m);
      std::size_t n_events = 0;
      for (int i = 0; i < n_subframes; i += 10)
        n_events += m->process(noise(rng, 19200), static_cast<std::int64_t>(i) * 1920).size();
      n_events += m->finish().size();
      EXPECT_EQ(m->statistics().mib + m->statistics().tb_ok + m->statistics().discovery, 0U);
      EXPECT_EQ(n_events, 0U) << "mode " << static_cast<int>(mode) << " TM" << static_cast<int>(tm);
    }
}

TEST(monitor_hostile, samples_of_every_kind) {
  rng_t rng(11);
  for (const auto mode : {sync_mode::aligned, sync_mode::slss, sync_mode::blind}) {
    for (const int kind : {0, 1, 2, 3, 4, 5, 6, 7}) {
      monitor_config config;
      config.carrier = *carrier_config::make(25, cyclic_prefix::normal, kind % 2 == 0 ? transmission_mode::tm4 : transmission_mode::tm2, 7.68e6);
      config.sync = mode;
      config.timing.first_subframe_sample = kind == 5 ? -12345 : 777;
      auto m = monitor::make(config);
      ASSERT_TRUE(m);
      std::int64_t tick = kind == 4 ? -1000000 : 0;
      std::size_t n_events = 0;
      for (int block = 0; block < 12; ++block) {
        auto x = noise(rng, static_cast<std::size_t>(pick(rng, 1, 40000)));
        for (std::size_t i = 0; i < x.size(); ++i) {
          if (kind == 0 && i % 7 == 0) x[i] = {std::numeric_limits<float>::quiet_NaN(), 0};
          if (kind == 1) x[i] = i % 3 == 0 ? cf32(std::numeric_limits<float>::infinity(), 1) : cf32(3e38F, -3e38F);
          if (kind == 2) x[i] = {};
          if (kind == 3) x[i] *= static_cast<float>(i % 1000);
          if (kind == 4) x[i] *= 1e-30F;
          if (kind >= 6) x[i] = {1.0F, 0.0F};  // a bare carrier
        }
        n_events += m->process(x, tick).size();
        tick += static_cast<std::int64_t>(x.size()) + (block % 3 == 2 ? pick(rng, -3000, 100000) : 0);  // gaps, even backwards
      }
      n_events += m->finish().size();
      EXPECT_EQ(n_events, 0U) << "mode " << static_cast<int>(mode) << " kind " << kind;
      if (kind < 2) EXPECT_GT(m->statistics().non_finite_samples, 0U);
      EXPECT_GT(m->statistics().gaps, 0U);
    }
  }
}

TEST(monitor_memory, nothing_is_allocated_after_the_first_events) {
  rng_t rng(12);
  for (const auto mode : {sync_mode::aligned, sync_mode::blind}) {
    const auto s = random_v2x(rng, true, 20);
    monitor_config config;
    config.carrier = s.carrier;
    config.sync = mode;
    config.pool = s.layout;
    config.timing.first_subframe_sample = s.first;
    auto m = monitor::make(config);
    ASSERT_TRUE(m);
    std::int64_t tick = 0;
    std::size_t n_events = 0;
    const auto once = [&] {
      n_events += m->process(s.samples, tick).size();
      tick += static_cast<std::int64_t>(s.samples.size());
    };
    once();
    once();
    const long before = n_allocations;
    for (int i = 0; i < 5; ++i) once();
    EXPECT_EQ(n_allocations, before);
    EXPECT_GT(n_events, 0U);
  }
}

// The first antenna hears nothing but noise.
TEST(monitor_antennas, the_second_one_is_enough) {
  rng_t rng(13);
  tally sum;
  for (int i = 0; i < 8; ++i) {
    const auto s = random_v2x(rng, true, 20);
    auto deaf = noise(rng, s.samples.size());
    for (cf32& v : deaf) v *= 0.1F;
    monitor_config config;
    config.carrier = s.carrier;
    config.n_antennas = 2;
    config.sync = sync_mode::blind;
    config.pool = s.layout;
    auto m = monitor::make(config);
    ASSERT_TRUE(m);
    const std::span<const cf32> both[] = {deaf, s.samples};
    heard h;
    h.take(m->process(both, 0));
    h.take(m->finish());
    sum.count(s.sci, h.sci);
    sum.count(s.tb, h.tb);
  }
  std::printf("%d of %d, %d invented\n", sum.found, sum.expected, sum.invented);
  EXPECT_GE(sum.share(), 0.9);
  EXPECT_EQ(sum.invented, 0);
}
