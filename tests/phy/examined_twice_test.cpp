// A subframe may be examined more than once: a search tries a start that is close to one that was tried, and two tracks
// may hear the same UE. What is in it counts once. Own transmitter.
#include "phy/modem/comm_monitor.h"
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
  bool report_failed = false;
  std::uint64_t told_failed = 0;

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
  void examine(int index, bool trial, F f, int samples_later = 0) {
    const auto loaded = rx.load(samples);
    const std::int64_t start = static_cast<std::int64_t>(index) * carrier.samples_per_subframe() + samples_later;
    f(subframe_view{rx, sink, statistics, start, index, index, report_failed, trial, loaded.power_db});
  }
  void take() {
    sink.release_all();
    const auto events = sink.released();
    got.take(events);
    for (const auto& e : events) {
      if (const auto* t = std::get_if<tb_event>(&e)) {
        if (t->crc_ok) combined.push_back(t->n_transmissions);
        if (!t->crc_ok) ++told_failed;
      }
      if (const auto* d = std::get_if<discovery_event>(&e)) combined.push_back(d->n_transmissions);
    }
    sink.forget_released();
  }
};

/// A block of TM4 and its two transmissions.
struct block_of_two {
  static constexpr int gap = 3, first = 20;
  static constexpr int too_much_for_one = 22;  ///< MCS beyond the capacity of one transmission
  int mcs = too_much_for_one;
  carrier_config carrier = *carrier_config::make(25, cyclic_prefix::normal, transmission_mode::tm4, 7.68e6);
  v2x_pool pool = *v2x_pool::make(
      {.n_prb = 25, .size_subchannel = 5, .n_subchannels = 5, .subframe_bitmap = "11111111111111111111"});
  bits_t payload{};

  void send(examiner& x, int transmission, const bits_t& bits, rng_t& rng, double snr_db = 30) const {
    const sci_format1 sci{.frequency_location = pool.frequency_location(0, 3),
                          .time_gap = gap,
                          .mcs = static_cast<std::uint8_t>(mcs),
                          .retransmission_index = static_cast<std::uint8_t>(transmission)};
    bits_t coded(sci_format1_bits);
    pack(sci, 5, coded);
    const int prb = pool.pscch_prbs()[0];
    const auto grant = *pool.pssch(sci, prb, sci_crc(coded), pool.n_ssf(first + transmission * gap));
    const prose::phy::transmission list[] = {{pscch_transmission{{prb, 0}, coded}}, {pssch_transmission{grant, bits}}};
    x.send(list, noise_for(carrier, snr_db), rng);
  }
  int tbs() const {
    const sci_format1 sci{.frequency_location = pool.frequency_location(0, 3), .mcs = static_cast<std::uint8_t>(mcs)};
    return pool.pssch(sci, pool.pscch_prbs()[0], 0, 0)->tbs;
  }
};

/// A period of TM2: an SCI, and blocks of four transmissions, heard with the pool or without.
struct grant_of_tm2 {
  static constexpr double clear_snr_db = 30;
  static constexpr double snr_db = 0;          ///< one transmission is not enough, two or three are
  static constexpr double spoilt_snr_db = -3;  ///< the DMRS show it, it does not decode
  carrier_config carrier = *carrier_config::make(25, cyclic_prefix::normal, transmission_mode::tm2, 7.68e6);
  comm_pool pool = *comm_pool::make(
      {.n_prb = 25,
       .sc_period_subframes = 80,
       .pscch = {13, 0, 24},
       .subframe_bitmap = "11110000",
       .data = comm_pool_config::data_resources{{13, 0, 24}, 8, "111111111111111111111111111111111111111111111111"}});
  comm_pool known;  ///< what the receiver is told
  sci_format0 sci{.time_resource_pattern = 40, .mcs = 9, .group_destination_id = 17};

  explicit grant_of_tm2(bool pool_known) : known(pool) {
    sci.resource_block_assignment = static_cast<std::uint16_t>(riv_encode(25, 4, 10));
    if (!pool_known) known = *comm_pool::make({.n_prb = 25, .known = false});
  }
  int tbs() const { return pool.pssch(sci, 0)->tbs; }
  int sci_at() const { return pool.pscch_resource(0, 0).subframe; }
  void send_sci(examiner& x, rng_t& rng) const {
    bits_t bits(static_cast<std::size_t>(sci_format0_bits(25)));
    pack(sci, 25, bits);
    const transmission list[] = {{pscch_transmission{{pool.pscch_resource(0, 0).prb, 0}, bits}}};
    x.send(list, noise_for(carrier, clear_snr_db), rng);
  }
  void send_block(examiner& x, int n, const bits_t& payload, double at_snr_db, rng_t& rng) const {
    const auto occasion = *pool.pssch_at(sci, pool.pssch_subframe(sci.time_resource_pattern, n));
    const transmission list[] = {{pssch_transmission{occasion.config, payload}}};
    x.send(list, noise_for(carrier, at_snr_db), rng);
  }
  template <class F>
  void send_period(examiner& x, rng_t& rng, F examine) const {
    send_sci(x, rng);
    examine(sci_at());
    bits_t payload;
    for (int n = 0; n < pool.n_pssch_transmissions(sci.time_resource_pattern); ++n) {
      if (n % 4 == 0) payload = random_bits(rng, tbs());
      send_block(x, n, payload, snr_db, rng);
      examine(pool.pssch_subframe(sci.time_resource_pattern, n));
    }
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

// Neither a second transmission nor one that is decoded alone takes the buffer of a first.
TEST(examined_twice, what_is_not_kept_takes_no_soft_buffer) {
  rng_t rng(47);
  block_of_two b;
  block_of_two other{.mcs = 5};
  examiner x(b.carrier);
  tm4_pairs pairs;
  soft_buffers buffers(1, b.tbs());
  b.payload = random_bits(rng, b.tbs());
  const auto look = [&](int index) {
    x.examine(index, false, [&](const subframe_view& sf) { pairs.examine(sf, buffers, b.pool); });
  };
  b.send(x, 0, b.payload, rng);
  look(b.first);
  const auto decoded_at_once = random_bits(rng, other.tbs());
  for (const int transmission : {0, 1}) {
    other.send(x, transmission, decoded_at_once, rng);
    look(b.first + b.gap - 2 + transmission);
  }
  b.send(x, 1, b.payload, rng);
  look(b.first + b.gap);
  x.take();
  EXPECT_EQ(x.got.tb, (octet_set{b.payload, decoded_at_once}));
  EXPECT_EQ(x.combined, (std::vector<int>{1, 1, 2}));
  EXPECT_EQ(x.statistics.soft_buffers_evicted, 0U);
}

TEST(examined_twice, a_guessed_start_spoils_no_first_transmission) {
  rng_t rng(48);
  block_of_two b;
  examiner x(b.carrier);
  tm4_pairs pairs;
  soft_buffers buffers(1, b.tbs());
  b.payload = random_bits(rng, b.tbs());
  const auto look = [&](int index, bool trial) {
    x.examine(index, trial, [&](const subframe_view& sf) { pairs.examine(sf, buffers, b.pool); });
  };
  b.send(x, 0, b.payload, rng);
  look(b.first, false);
  b.send(x, 0, random_bits(rng, b.tbs()), rng);
  look(b.first, true);
  b.send(x, 1, b.payload, rng);
  look(b.first + b.gap, false);
  x.take();
  EXPECT_EQ(x.got.tb, octet_set{b.payload});
  EXPECT_EQ(x.statistics.soft_buffers_evicted, 0U);
}

TEST(examined_twice, a_first_transmission_stays_decoded) {
  constexpr int mcs = 15;  // decodes at 10 dB
  constexpr double too_little_db = 4;
  rng_t rng(49);
  block_of_two b{.mcs = mcs};
  examiner x(b.carrier);
  tm4_pairs pairs;
  soft_buffers buffers(2, b.tbs());
  b.payload = random_bits(rng, b.tbs());
  const auto look = [&](int index, bool trial) {
    x.examine(index, trial, [&](const subframe_view& sf) { pairs.examine(sf, buffers, b.pool); });
  };
  b.send(x, 0, b.payload, rng);
  look(b.first, false);
  b.send(x, 0, b.payload, rng, too_little_db);
  look(b.first, false);
  look(b.first, true);
  b.send(x, 1, b.payload, rng);
  look(b.first + b.gap, false);
  x.take();
  EXPECT_EQ(x.combined, (std::vector<int>{1, 1})) << "never from its own history";
}

// A guessed start may be the only one at which a subframe is examined.
TEST(examined_twice, a_guess_that_fails_is_told_but_not_counted) {
  rng_t rng(50);
  block_of_two b;
  examiner x(b.carrier);
  x.report_failed = true;
  tm4_pairs pairs;
  soft_buffers buffers(1, b.tbs());
  b.send(x, 0, random_bits(rng, b.tbs()), rng);
  for (const bool trial : {true, false}) {
    x.examine(b.first, trial, [&](const subframe_view& sf) { pairs.examine(sf, buffers, b.pool); });
    x.take();
    EXPECT_EQ(x.told_failed, trial ? 1U : 2U);
    EXPECT_EQ(x.statistics.tb_failed, trial ? 0U : 1U);
  }
}

// Blocks at an SNR where they need two or more of their four transmissions: each is told with as many as were sent.
TEST(examined_twice, tm2_combines_each_transmission_once) {
  for (const bool known : {true, false}) {
    const grant_of_tm2 b(known);
    examiner once(b.carrier), twice(b.carrier);
    for (examiner* x : {&once, &twice}) {
      rng_t rng(45);
      comm_monitor monitor(b.carrier, b.known, false);
      soft_buffers buffers(1, b.tbs());  // what is decoded alone takes none
      b.send_period(*x, rng, [&](int index) {
        const auto look = [&](bool trial) {
          x->examine(index, trial, [&](const subframe_view& sf) { monitor.examine(sf, buffers); });
        };
        look(false);
        if (x == &twice) look(false);
        if (x == &twice) look(true);
        x->take();
      });
    }
    EXPECT_GT(*std::ranges::max_element(once.combined), 1);
    EXPECT_EQ(twice.got.tb, once.got.tb) << known;
    EXPECT_EQ(twice.combined, once.combined) << known;
    EXPECT_EQ(twice.statistics.tb_ok, once.statistics.tb_ok) << known;
    EXPECT_EQ(twice.statistics.tb_failed, once.statistics.tb_failed) << known;
    EXPECT_EQ(once.statistics.soft_buffers_evicted + twice.statistics.soft_buffers_evicted, 0U) << known;
    EXPECT_EQ(twice.statistics.blocks_announced, once.statistics.blocks_announced) << known;
    EXPECT_EQ(twice.statistics.blocks_decoded, once.statistics.blocks_decoded) << known;
  }
}

// A transmission that another track's start spoils is decoded from the start that fits.
TEST(examined_twice, tm2_takes_the_start_that_fits) {
  for (const bool known : {true, false}) {
    const grant_of_tm2 b(known);
    examiner x(b.carrier);
    rng_t rng(46);
    comm_monitor monitor(b.carrier, b.known, false);
    soft_buffers buffers(4, b.tbs());
    const auto look = [&](int index, int samples_later) {
      x.examine(
          index, false, [&](const subframe_view& sf) { monitor.examine(sf, buffers); }, samples_later);
    };
    const int first = b.pool.pssch_subframe(b.sci.time_resource_pattern, 0);
    const auto payload = random_bits(rng, b.tbs());
    b.send_sci(x, rng);
    look(b.sci_at(), 0);
    b.send_block(x, 0, payload, b.spoilt_snr_db, rng);
    look(first, 0);
    x.take();
    ASSERT_EQ(x.got.tb, octet_set{});
    b.send_block(x, 0, payload, b.clear_snr_db, rng);
    look(first, 9);
    x.take();
    EXPECT_EQ(x.got.tb, octet_set{payload}) << known;
    EXPECT_EQ(x.combined, std::vector<int>{1}) << known;
  }
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
