// A subframe may be examined more than once: a search tries a start that is close to one that was tried, and two tracks
// may hear the same UE. What is in it counts once. Own transmitter.
#include "tests/phy/examiner.h"

using namespace prose::phy;

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
