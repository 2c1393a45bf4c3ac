// A subframe may be examined more than once: a search tries a start that is close to one that was tried, and tracks may
// come together. What is in it counts once. Own transmitter.
#include "phy/modem/reception/psdch_combiner.h"
#include "phy/modem/reception/tm4_pairs.h"
#include "tests/phy/monitor_fixture.h"

using namespace prose::phy;

namespace {

/// One subframe at a time, as a monitor would show it.
struct examiner {
  carrier_config carrier;
  subframe_receiver rx;
  transmitter tx;
  event_sink sink;
  monitor_statistics statistics;
  std::vector<cf32> samples;
  heard got;
  std::vector<int> combined;  ///< transmissions of each block and message

  explicit examiner(const carrier_config& c)
      : carrier(c),
        rx(*subframe_receiver::make({.carrier = c})),
        tx(*transmitter::make({.carrier = c})),
        samples(static_cast<std::size_t>(c.samples_per_subframe())) {}

  void send(std::span<const transmission> list, double noise_power, rng_t& rng) {
    ASSERT_TRUE(tx.transmit(list, samples));
    std::normal_distribution<float> g(0.0F, static_cast<float>(std::sqrt(noise_power / 2)));
    for (cf32& v : samples) v += cf32(g(rng), g(rng));
  }
  template <class F>
  void examine(int index, bool trial, F f) {
    const auto loaded = rx.load(samples);
    f(subframe_view{rx, sink, statistics, static_cast<std::int64_t>(index) * carrier.samples_per_subframe(), index,
                    index, false, trial, loaded.power_db});
  }
  void take() {
    sink.release_all();
    const auto events = sink.released();
    got.take(events);
    for (const auto& e : events) {
      if (const auto* t = std::get_if<tb_event>(&e)) combined.push_back(t->n_transmissions);
      if (const auto* d = std::get_if<discovery_event>(&e)) combined.push_back(d->n_transmissions);
    }
    sink.forget_released();
  }
};

/// A block of TM4 beyond the capacity of one transmission, and its two transmissions.
struct block_of_two {
  static constexpr int gap = 3, first = 20;
  carrier_config carrier = *carrier_config::make(25, cyclic_prefix::normal, transmission_mode::tm4, 7.68e6);
  v2x_pool pool = *v2x_pool::make(
      {.n_prb = 25, .size_subchannel = 5, .n_subchannels = 5, .subframe_bitmap = "11111111111111111111"});
  bits_t payload{};

  void send(examiner& x, int transmission, const bits_t& bits, rng_t& rng) const {
    const sci_format1 sci{.frequency_location = pool.frequency_location(0, 3),
                          .time_gap = gap,
                          .mcs = 22,
                          .retransmission_index = static_cast<std::uint8_t>(transmission)};
    bits_t coded(sci_format1_bits);
    pack(sci, 5, coded);
    const int prb = pool.pscch_prbs()[0];
    const auto grant = *pool.pssch(sci, prb, sci_crc(coded), pool.n_ssf(first + transmission * gap));
    const prose::phy::transmission list[] = {{pscch_transmission{{prb, 0}, coded}}, {pssch_transmission{grant, bits}}};
    x.send(list, noise_for(carrier, 30), rng);
  }
  int tbs() const {
    return pool.pssch({.frequency_location = pool.frequency_location(0, 3), .mcs = 22}, pool.pscch_prbs()[0], 0, 0)
        ->tbs;
  }
};

}  // namespace

// What is on the second transmission's place at first is another block.
TEST(examined_twice, a_second_transmission_does_not_spoil_the_first) {
  rng_t rng(41);
  block_of_two b;
  examiner x(b.carrier);
  tm4_pairs pairs;
  soft_buffers buffers(4, b.tbs());
  b.payload = random_bits(rng, b.tbs());
  const auto look = [&](int index, bool trial) {
    x.examine(index, trial, [&](const subframe_view& sf) { pairs.examine(sf, buffers, b.pool); });
  };
  b.send(x, 0, b.payload, rng);
  look(b.first, false);
  b.send(x, 1, random_bits(rng, b.tbs()), rng);
  look(b.first + b.gap, true);
  x.take();
  EXPECT_EQ(x.got.tb, octet_set{});
  b.send(x, 1, b.payload, rng);
  look(b.first + b.gap, false);
  x.take();
  EXPECT_EQ(x.got.tb, octet_set{b.payload});
  EXPECT_EQ(x.combined, std::vector<int>{2});
}

TEST(examined_twice, a_first_transmission_takes_one_soft_buffer) {
  rng_t rng(42);
  block_of_two b;
  examiner x(b.carrier);
  tm4_pairs pairs;
  constexpr int n_buffers = 4;
  soft_buffers buffers(n_buffers, b.tbs());
  b.payload = random_bits(rng, b.tbs());
  const auto look = [&](int index, bool trial) {
    x.examine(index, trial, [&](const subframe_view& sf) { pairs.examine(sf, buffers, b.pool); });
  };
  b.send(x, 0, b.payload, rng);
  for (int i = 0; i <= n_buffers; ++i) look(b.first, i < n_buffers);
  EXPECT_EQ(x.statistics.soft_buffers_evicted, 0U);
  EXPECT_EQ(x.statistics.tb_failed, 1U);
  EXPECT_EQ(x.statistics.sci, 1U);
  b.send(x, 1, b.payload, rng);
  look(b.first + b.gap, false);
  x.take();
  EXPECT_EQ(x.got.tb, octet_set{b.payload});
  EXPECT_EQ(x.statistics.blocks_announced, 1U);
  EXPECT_EQ(x.statistics.blocks_decoded, 1U);
}

// Messages at an SNR where they need two or more of their four transmissions: each is told with as many as were sent.
TEST(examined_twice, discovery_combines_each_transmission_once) {
  const auto carrier = *carrier_config::make(25, cyclic_prefix::normal, transmission_mode::tm2, 7.68e6);
  const auto pool = *discovery_pool::make({.n_prb = 25,
                                           .disc_period_subframes = 320,
                                           .num_retx = 3,
                                           .prb = {12, 0, 24},
                                           .subframe_bitmap = "0000000000111100000000000000000000000000"});
  constexpr double snr_db = -1.5;
  constexpr int n_messages = 12;
  examiner once(carrier), twice(carrier);
  for (examiner* x : {&once, &twice}) {
    rng_t rng(43);
    psdch_combiner combiner(pool);
    const auto look = [&](int index, bool trial) {
      x->examine(index, trial, [&](const subframe_view& sf) { combiner.examine(sf); });
    };
    for (int m = 0; m < n_messages; ++m) {
      const auto payload = random_bits(rng, discovery_message_bits);
      for (int t = 0; t < pool.n_transmissions(); ++t) {
        const transmission list[] = {{psdch_transmission{pool.psdch(0, t), payload}}};
        x->send(list, noise_for(carrier, snr_db), rng);
        const int index = 320 * m + pool.resource(0, t).subframe;
        if (x == &twice) look(index, true);
        look(index, false);
        if (x == &twice) look(index, true);
        x->take();
      }
    }
  }
  EXPECT_GT(*std::ranges::max_element(once.combined), 1);
  EXPECT_EQ(twice.got.discovery, once.got.discovery);
  EXPECT_EQ(twice.combined, once.combined);
  EXPECT_EQ(twice.statistics.discovery, once.statistics.discovery);
  EXPECT_EQ(twice.statistics.discovery_occupied, once.statistics.discovery_occupied);
  EXPECT_EQ(twice.statistics.discovery_decoded, once.statistics.discovery_decoded);
}

// Two references whose clocks bring their subframes together, from 25 us apart to 8 us, where one track hears both.
TEST(examined_twice, tracks_that_come_together_become_one) {
  rng_t rng(44);
  const auto carrier = *carrier_config::make(15, cyclic_prefix::normal, transmission_mode::tm4, 3.84e6);
  const v2x_pool_config config{.n_prb = 15, .size_subchannel = 5, .n_subchannels = 3};
  const auto pool = *v2x_pool::make(config);
  const int sps = carrier.samples_per_subframe();
  constexpr int n_subframes = 400, drift_every = 4, n_judged = 100, slss_period = 40;
  const int apart = static_cast<int>(std::lround(25e-6 * carrier.sample_rate_hz()));
  const int at_last = static_cast<int>(std::lround(8e-6 * carrier.sample_rate_hz()));
  air a(carrier, static_cast<std::size_t>((n_subframes + 1) * sps), noise_for(carrier, 20), rng);
  heard sent;
  for (int k = 0; k < n_subframes; ++k)
    for (const int which : {0, 1}) {
      const auto start =
          static_cast<std::int64_t>(k) * sps + (which == 0 ? 0 : std::max(at_last, apart - k / drift_every));
      if (k % slss_period == 1 + 2 * which) {
        bits_t bits(static_cast<std::size_t>(mib_sl_bits(carrier.tm)));
        pack({.n_prb = carrier.n_prb,
              .direct_frame_number = static_cast<std::uint16_t>(k / 10),
              .direct_subframe_number = static_cast<std::uint8_t>(k % 10)},
             bits);
        const transmission list[] = {{psbch_transmission{77 + which, bits}}};
        a.add(list, start, 0);
        continue;
      }
      const sci_format1 sci{.frequency_location = pool.frequency_location(2 * which, 1), .mcs = 5};
      bits_t bits(sci_format1_bits);
      pack(sci, config.n_subchannels, bits);
      const int prb = pool.pscch_prbs()[2 * which];
      const auto grant = *pool.pssch(sci, prb, sci_crc(bits), k % 10);
      const auto payload = random_bits(rng, grant.tbs);
      const transmission list[] = {{pscch_transmission{{prb, 0}, bits}}, {pssch_transmission{grant, payload}}};
      a.add(list, start, 0);
      if (k > slss_period) sent.tb.insert(payload);  // both are tracked
    }
  auto m = *monitor::make({.carrier = carrier, .sync = sync_mode::slss, .timing = {}, .pools = {config}});
  heard got;
  const auto samples = std::span<const cf32>(a.samples);
  const auto judged_from = static_cast<std::size_t>((n_subframes - n_judged) * sps);
  got.take(m.process(samples.first(judged_from), 0));
  const auto before = m.statistics().subframes;
  got.take(m.process(samples.subspan(judged_from), static_cast<std::int64_t>(judged_from)));
  got.take(m.finish());
  // One more or less by where the parts begin and end.
  EXPECT_LT(m.statistics().subframes - before, n_judged + 10U) << "examined";
  for (const auto& block : sent.tb) EXPECT_TRUE(got.tb.contains(block));
}
