// The monitor on TM4 of our own: random carriers, sub-channel layouts, delays, carrier offsets and several transmitters
// at once; two antennas; no allocation.
#include <array>
#include <optional>
#include <tuple>

#include "tests/harness/allocations.h"
#include "tests/phy/monitor_fixture.h"

using namespace prose::phy;

namespace {

v2x_pool_config random_layout(rng_t& rng, int n_prb, bool adjacent) {
  constexpr std::array<int, 7> counts{1, 3, 5, 8, 10, 15, 20};
  constexpr std::array<int, 19> sizes{4, 5, 6, 8, 9, 10, 12, 15, 16, 18, 20, 25, 30, 48, 50, 72, 75, 96, 100};
  while (true) {
    v2x_pool_config v;
    v.size_subchannel = sizes[pick(rng, 0, 18)];
    v.n_subchannels = counts[pick(rng, 0, 6)];
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
  v2x_pool_config layout;
  std::vector<cf32> samples;
  octet_set sci, tb;
  std::int64_t first = 0;
};

/// A few subframes, one to three transmitters in each, each with its own carrier offset and timing; some blocks sent
/// twice.
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
      const int prb = pool->pscch_prbs()[first];
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
         std::to_string(s.layout.start_prb) +
         (s.layout.adjacent ? " adjacent" : " apart, PSCCH " + std::to_string(s.layout.start_prb_pscch));
}

tally run_v2x(rng_t& rng, int n, bool adjacent, sync_mode sync, bool give_pool, double snr_db) {
  tally sum;
  for (int i = 0; i < n; ++i) {
    const auto s = random_v2x(rng, adjacent, snr_db);
    monitor_config c;
    c.carrier = s.carrier;
    c.sync = sync;
    c.timing.first_subframe_sample = s.first;
    if (give_pool) c.pools = {s.layout};
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

// Two transmitters a third of a subframe apart, both at once.
TEST(monitor_blind, transmitters_with_timings_of_their_own) {
  rng_t rng(9);
  tally sum;
  for (int i = 0; i < rounds(20); ++i) {
    const auto c = *carrier_config::make(50, cyclic_prefix::normal, transmission_mode::tm4, 15.36e6);
    const int sps = c.samples_per_subframe();
    const int n = 3;
    air a(c, static_cast<std::size_t>((n + 3) * sps), noise_for(c, 20), rng);
    v2x_pool_config layout;
    layout.size_subchannel = 10;
    layout.n_subchannels = 5;
    v2x_pool_config p;
    p.n_prb = 50;
    p.size_subchannel = 10;
    p.n_subchannels = 5;
    const auto pool = v2x_pool::make(p);
    ASSERT_TRUE(pool);
    octet_set sci_sent;
    octet_set tb_sent;
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
        const auto grant = *pool->pssch(sci, pool->pscch_prbs()[first], sci_crc(bits), k);
        const auto payload = random_bits(rng, grant.tbs);
        const transmission list[] = {{pscch_transmission{{pool->pscch_prbs()[first], 0}, bits}, 0.0F},
                                     {pssch_transmission{grant, payload}, 0.0F}};
        a.add(list, 5000 + k * sps + u * shift, cfo[u]);
        sci_sent.insert(bits);
        tb_sent.insert(payload);
      }
    monitor_config config;
    config.carrier = c;
    config.sync = sync_mode::blind;
    config.pools = {layout};
    const auto h = listen(config, a.samples);
    sum.count(sci_sent, h.sci);
    sum.count(tb_sent, h.tb);
  }
  std::printf("%d of %d, %d invented\n", sum.found, sum.expected, sum.invented);
  EXPECT_GE(sum.share(), 0.9);
  EXPECT_EQ(sum.invented, 0);
}

TEST(monitor_memory, nothing_is_allocated_after_the_first_events) {
  rng_t rng(12);
  for (const auto mode : {sync_mode::aligned, sync_mode::blind}) {
    const auto s = random_v2x(rng, true, 20);
    monitor_config config;
    config.carrier = s.carrier;
    config.sync = mode;
    config.pools = {s.layout};
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
    const long before = prose::test::allocations;
    for (int i = 0; i < 5; ++i) once();
    EXPECT_EQ(prose::test::allocations, before);
    EXPECT_GT(n_events, 0U);
  }
}

// What comes after a restart is what a new monitor gives, and nothing is allocated for it.
TEST(monitor_memory, a_restarted_monitor_is_a_new_one) {
  rng_t rng(14);
  std::size_t n_events = 0;
  for (const auto mode : {sync_mode::aligned, sync_mode::blind})
    for (const bool told : {true, false}) {
      const auto s = random_v2x(rng, true, 20);
      const auto n = static_cast<std::int64_t>(s.samples.size());
      monitor_config config;
      config.carrier = s.carrier;
      config.sync = mode;
      if (told) config.pools = {s.layout};
      config.search_beside = told;
      config.timing.first_subframe_sample = s.first;
      auto m = monitor::make(config);
      ASSERT_TRUE(m);
      std::vector<std::vector<std::tuple<std::int64_t, std::size_t, bits_t>>> rounds;
      for (int round = 0; round < 3; ++round) {
        auto& found = rounds.emplace_back();
        const auto keep = [&](std::span<const monitor_event> events) {
          for (const auto& e : events)
            std::visit(
                [&](const auto& v) {
                  found.emplace_back(v.rx.sample - round * n, e.index(), bits_t(v.bits.begin(), v.bits.end()));
                },
                e);
        };
        keep(m->process(s.samples, round * n));
        keep(m->finish());
        const long before = prose::test::allocations;
        m->restart(s.first + (round + 1) * n);
        EXPECT_EQ(prose::test::allocations, before);
      }
      EXPECT_EQ(rounds[1], rounds[0]);
      EXPECT_EQ(rounds[2], rounds[0]);
      EXPECT_EQ(m->statistics().samples, static_cast<std::uint64_t>(3 * n));
      EXPECT_EQ(m->statistics().gaps, 0U);
      n_events += rounds[0].size();
    }
  EXPECT_GT(n_events, 0U);
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
    config.pools = {s.layout};
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
