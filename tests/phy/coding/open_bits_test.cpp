// The table of formats that one transmission leaves open, against an elimination over GF(2). Every format with
// PROSE_ALL_FORMATS (a minute; the ctest phy_open_bits_search, slow).
#include "phy/types/open_bits.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "phy/modem/monitor.h"
#include "phy/modem/subframe_receiver.h"
#include "phy/modem/transmitter.h"
#include "phy/scfdma/dmrs.h"
#include "phy/types/tbs.h"
#include "tests/phy/coding/rank_search.h"
#include "tests/phy/receiver_fixture.h"

using namespace prose::phy;

namespace {

struct family {
  transmission_mode tm;
  cyclic_prefix cp;
  int transmission_format;
};
constexpr family families[] = {{transmission_mode::tm4, cyclic_prefix::normal, 0},
                               {transmission_mode::tm4, cyclic_prefix::normal, 1},
                               {transmission_mode::tm2, cyclic_prefix::normal, 0},
                               {transmission_mode::tm2, cyclic_prefix::extended, 0}};
carrier_config carrier_of(const family& f) { return *carrier_config::make(100, f.cp, f.tm, 30.72e6); }

/// What elimination says; -1: no format, or of a code rate beyond 1.
int searched(const family& f, int mcs, int n_prb) {
  const auto t = pssch_transport(f.tm, mcs, n_prb, f.transmission_format);
  if (!t || !is_235(n_prb)) return -1;
  const int n_data = symbols_of(sl_channel::pssch, f.cp, f.tm).n_data;
  const int subcarriers = n_prb * subcarriers_per_prb;
  const int sent = subcarriers * (n_data - 1) * t->modulation_order;
  EXPECT_EQ(pssch_sent_bits(carrier_of(f), n_prb, t->modulation_order), sent);
  if (t->tbs + transport_crc_bits > sent) return -1;
  const bool matched = f.transmission_format == 1;
  return open_bits_of_block({t->tbs, t->modulation_order, subcarriers, n_data - (matched ? 1 : 0), matched ? 0 : 1}, 0);
}

}  // namespace

TEST(open_bits, known_formats) {
  // 20 PRB, MCS 15: 5729 of 5760 bits.
  EXPECT_EQ(searched(families[0], 15, 20), 31);
  EXPECT_EQ(searched(families[0], 15, 18), 0);
  for (const auto& [family, mcs, n_prb] : {std::tuple{0, 15, 20},
                                           {0, 15, 18},
                                           {0, 20, 12},
                                           {0, 9, 36},
                                           {1, 30, 10},
                                           {2, 23, 9},
                                           {2, 20, 12},
                                           {3, 18, 16}}) {
    const auto& f = families[family];
    EXPECT_EQ(open_bits(carrier_of(f), mcs, n_prb, f.transmission_format), searched(f, mcs, n_prb))
        << "MCS " << mcs << ", " << n_prb << " PRB";
  }
}

TEST(open_bits, beyond_a_code_rate_of_one) {
  EXPECT_GT(open_bits(carrier_of(families[0]), 28, 10), 0);
  EXPECT_GT(open_bits(carrier_of(families[0]), 6, 1), 0);
  EXPECT_EQ(open_bits(carrier_of(families[0]), 29, 10), 0) << "no format";
}

// By default a sample: MCS 15 with up to 20 PRB.
TEST(open_bits, search) {
  const bool all = std::getenv("PROSE_ALL_FORMATS") != nullptr;
  int n_open = 0;
  for (const family& f : families)
    for (int mcs = all ? 0 : 15; mcs < (all ? 32 : 16); ++mcs)
      for (int n_prb = 1; n_prb <= (all ? 100 : 20); ++n_prb) {
        const int open = searched(f, mcs, n_prb);
        if (open < 0) continue;
        n_open += open > 0 ? 1 : 0;
        EXPECT_EQ(open_bits(carrier_of(f), mcs, n_prb, f.transmission_format), open)
            << "TM" << static_cast<int>(f.tm) << ", MCS " << mcs << ", " << n_prb << " PRB";
      }
  std::printf("%d formats leave bits open\n", n_open);
  EXPECT_GT(n_open, 0);
}

// What the elimination says holds for the receiver: without noise the first transmission fails, both together do not.
TEST(open_bits, receiver_needs_both_transmissions) {
  const auto c = *carrier_config::make(25, cyclic_prefix::normal, transmission_mode::tm4, 7.68e6);
  auto tx = *transmitter::make({.carrier = c});
  auto rx = *subframe_receiver::make({.carrier = c});
  test::random_source rng(5);
  for (const int n_prb : {20, 18}) {
    const auto t = *pssch_transport(c.tm, 15, n_prb);
    pssch_config p{.prb_start = 0, .n_prb = n_prb, .tbs = t.tbs, .modulation_order = t.modulation_order};
    const auto payload = rng.bits(t.tbs);
    soft_buffer buffer;
    buffer.reset(t.tbs);
    std::vector<std::uint8_t> out(payload.size());
    std::vector<cf32> samples(c.samples_per_subframe());
    const auto decoded = [&](int rv) {
      p.rv = rv;
      const transmission list[] = {{pssch_transmission{p, payload}}};
      EXPECT_TRUE(tx.transmit(list, samples));
      rx.load(samples);
      return rx.decode_pssch(p, {}, buffer, out).crc_ok;
    };
    EXPECT_EQ(decoded(0), open_bits(c, 15, n_prb) == 0) << n_prb;
    EXPECT_TRUE(decoded(2)) << n_prb;
    EXPECT_EQ(out, payload);
  }
}

// The stream's receiver says why a block failed: 20 PRB, MCS 15, sent once.
TEST(open_bits, failed_block_is_told_as_undecodable) {
  const auto c = *carrier_config::make(50, cyclic_prefix::normal, transmission_mode::tm4, 15.36e6);
  const auto layout = v2x_pool_config{.n_prb = 50, .size_subchannel = 5, .n_subchannels = 8};
  const auto pool = *v2x_pool::make(layout);
  auto tx = *transmitter::make({.carrier = c});
  test::random_source rng(6);
  monitor_config config;
  config.carrier = c;
  config.sync = sync_mode::aligned;
  config.pools = {layout};
  config.report_failed_tbs = true;
  for (const int n_subchannels : {5, 4}) {  // 20 and 18 PRB
    const sci_format1 sci{.frequency_location = pool.frequency_location(0, n_subchannels), .mcs = 15};
    std::vector<std::uint8_t> bits(sci_format1_bits);
    pack(sci, layout.n_subchannels, bits);
    auto m = *monitor::make(config);
    const int prb = pool.pscch_prbs()[0];
    const auto p = *pool.pssch(sci, prb, sci_crc(bits), 0);
    const auto payload = rng.bits(p.tbs);
    const transmission list[] = {{pscch_transmission{{prb, 0}, bits}}, {pssch_transmission{p, payload}}};
    std::vector<cf32> samples(c.samples_per_subframe());
    const auto sent = tx.transmit(list, samples);
    ASSERT_TRUE(sent) << sent.error().message;
    int n_blocks = 0;
    const auto look = [&](std::span<const monitor_event> events) {
      for (const auto& e : events)
        if (const auto* tb = std::get_if<tb_event>(&e)) {
          ++n_blocks;
          EXPECT_EQ(tb->crc_ok, n_subchannels == 4);
          EXPECT_EQ(tb->open_bits, n_subchannels == 5 ? 31 : 0);
        }
    };
    look(m.process(samples, 0));
    look(m.finish());
    EXPECT_EQ(n_blocks, 1);
  }
}
