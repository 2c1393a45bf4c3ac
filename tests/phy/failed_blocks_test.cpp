// Blocks that are not decoded, in subframes that are examined from more than one start: each counts once, and not at
// all if another start shows it decoded. Own transmitter.
#include "tests/phy/examiner.h"

using namespace prose::phy;

namespace {

constexpr int later = 9;  ///< samples from one start to the next

/// MCS 15 decodes at 10 dB from one transmission.
constexpr int clear_mcs = 15;
constexpr double clear_db = 30, too_little_db = 4;

/// Which of the starts are guessed.
constexpr std::array<std::array<bool, 2>, 4> guessed{{{true, false}, {false, true}, {true, true}, {false, false}}};

/// A receiver of block_of_two.
struct listener {
  block_of_two b;
  examiner x;
  tm4_pairs pairs;
  soft_buffers buffers;

  explicit listener(int mcs) : b{.mcs = mcs}, x(b.carrier), buffers(4, b.tbs()) {}
  void look(int index, bool trial, int samples_later) {
    x.examine(
        index, trial, [&](const subframe_view& sf) { pairs.examine(sf, buffers, b.pool); }, samples_later);
  }
};

}  // namespace

TEST(failed_blocks, are_told_and_counted_once) {
  for (const auto& trial : guessed)
    for (const bool report : {true, false}) {
      rng_t rng(50);
      listener l(block_of_two::too_much_for_one);
      l.x.report_failed = report;
      l.b.send(l.x, 0, random_bits(rng, l.b.tbs()), rng);
      for (const int i : {0, 1}) l.look(block_of_two::first, trial[i], i * later);
      l.x.take();
      EXPECT_EQ(l.x.told_failed, report ? 1U : 0U) << trial[0] << trial[1];
      EXPECT_EQ(l.x.statistics.tb_failed, 1U) << trial[0] << trial[1] << report;
      EXPECT_EQ(l.x.statistics.blocks_announced, 1U);
      EXPECT_EQ(l.x.statistics.blocks_decoded, 0U);
    }
}

TEST(failed_blocks, decoded_at_another_start_did_not_fail) {
  for (const auto& trial : guessed)
    for (const int fails_at : {0, 1}) {
      rng_t rng(51);
      listener l(clear_mcs);
      l.x.report_failed = true;
      const auto payload = random_bits(rng, l.b.tbs());
      for (const int i : {0, 1}) {
        l.b.send(l.x, 0, payload, rng, i == fails_at ? too_little_db : clear_db);
        l.look(block_of_two::first, trial[i], i * later);
        EXPECT_EQ(l.x.statistics.tb_failed, i == 0 && fails_at == 0 ? 1U : 0U);
      }
      l.x.take();
      EXPECT_EQ(l.x.got.tb, octet_set{payload}) << trial[0] << trial[1] << fails_at;
      EXPECT_EQ(l.x.told_failed, 0U) << trial[0] << trial[1] << fails_at;
      EXPECT_EQ(l.x.statistics.tb_ok, 1U);
      EXPECT_EQ(l.x.statistics.blocks_announced, 1U);
      EXPECT_EQ(l.x.statistics.blocks_decoded, 1U) << trial[0] << trial[1] << fails_at;
    }
}

// What is on the second transmission's place at first is another block.
TEST(failed_blocks, second_transmission_decodes_at_another_start) {
  rng_t rng(52);
  listener l(block_of_two::too_much_for_one);
  l.x.report_failed = true;
  const auto payload = random_bits(rng, l.b.tbs());
  l.b.send(l.x, 0, payload, rng);
  l.look(block_of_two::first, false, 0);
  for (const int i : {0, 1}) {
    l.b.send(l.x, 1, i == 0 ? random_bits(rng, l.b.tbs()) : payload, rng);
    l.look(block_of_two::first + block_of_two::gap, i == 0, i * later);
  }
  l.x.take();
  EXPECT_EQ(l.x.got.tb, octet_set{payload});
  EXPECT_EQ(l.x.told_failed, 1U) << "the first transmission";
  EXPECT_EQ(l.x.statistics.tb_failed, 1U);
  EXPECT_EQ(l.x.statistics.blocks_announced, 1U);
  EXPECT_EQ(l.x.statistics.blocks_decoded, 1U);
}

// Without a pool many layouts are tried. An SCI has one block all the same.
TEST(failed_blocks, of_unknown_layouts_count_once) {
  rng_t rng(53);
  const block_of_two b{.mcs = clear_mcs};
  examiner x(b.carrier);
  x.report_failed = true;
  v2x_monitor monitor(b.carrier, std::nullopt);
  soft_buffers buffers(4, max_transport_block_bits);
  const auto payload = random_bits(rng, b.tbs());
  for (const int i : {0, 1, 2}) {
    b.send(x, 0, payload, rng, i < 2 ? too_little_db : clear_db);
    x.examine(
        block_of_two::first, i == 0, [&](const subframe_view& sf) { monitor.examine(sf, buffers); }, i * later / 2);
    EXPECT_EQ(x.statistics.tb_failed, i < 2 ? 1U : 0U);
  }
  x.take();
  EXPECT_EQ(x.got.tb, octet_set{payload});
  EXPECT_EQ(x.told_failed, 0U);
  EXPECT_EQ(x.statistics.blocks_announced, 1U);
  EXPECT_EQ(x.statistics.blocks_decoded, 1U);
}

TEST(failed_blocks, elsewhere_stay) {
  event_sink sink(later);
  const auto block = [](std::int64_t sample, int prb_start, std::uint32_t n_x_id) {
    tb_event e;
    e.rx.sample = sample;
    e.prb_start = prb_start;
    e.n_prb = 10;
    e.n_x_id = n_x_id;
    return e;
  };
  const bits_t payload(40, 1);
  auto decoded = block(0, 5, 17);
  decoded.crc_ok = true;
  for (const auto& failed : {block(later, 5, 17), block(2 * later + 1, 5, 17), block(0, 6, 17), block(0, 5, 18)})
    EXPECT_TRUE(sink.add(failed, {}));
  EXPECT_TRUE(sink.take_back_failed(decoded));
  EXPECT_FALSE(sink.take_back_failed(decoded));
  EXPECT_TRUE(sink.add(decoded, payload));
  EXPECT_FALSE(sink.add(block(later, 5, 17), {}));
  sink.release_all();
  EXPECT_EQ(sink.released().size(), 4U);
}

// A guessed start asks for more SNR before it believes a block. That says nothing of the start that is no guess.
TEST(failed_blocks, of_a_guessed_start_are_tried_again_in_tm2) {
  grant_of_tm2 b(false);
  b.sci.mcs = 0;
  constexpr double below_a_guess_db = -2;
  constexpr int of_next_block = 4;  // its first transmission; the three before it are not heard
  examiner x(b.carrier);
  rng_t rng(54);
  comm_monitor monitor(b.carrier, b.known, false);
  soft_buffers buffers(1, b.tbs());
  const auto look = [&](int n, bool trial) {
    x.examine(b.pool.pssch_subframe(b.sci.time_resource_pattern, n), trial,
              [&](const subframe_view& sf) { monitor.examine(sf, buffers); });
  };
  b.send_sci(x, rng);
  x.examine(b.sci_at(), false, [&](const subframe_view& sf) { monitor.examine(sf, buffers); });
  b.send_block(x, 0, random_bits(rng, b.tbs()), b.clear_snr_db, rng);
  look(0, false);
  ASSERT_EQ(x.statistics.tb_ok, 1U);
  b.send_block(x, of_next_block, random_bits(rng, b.tbs()), below_a_guess_db, rng);
  look(of_next_block, true);
  ASSERT_EQ(x.statistics.tb_ok, 1U) << "the guess believed it";
  look(of_next_block, false);
  EXPECT_EQ(x.statistics.tb_ok, 2U);
}
