// Properties of the resource pools in phy/types.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "phy/modem/transmitter.h"
#include "phy/types/pool.h"

namespace prose::phy {
namespace {

std::vector<comm_pool> many_comm_pools() {
  std::mt19937 rng(11);
  std::vector<comm_pool> pools;
  while (pools.size() < 300) {
    comm_pool_config c;
    c.n_prb = bandwidths_prb[rng() % 6];
    c.tdd_config = rng() % 2 ? 0 : static_cast<int>(rng() % 8);
    constexpr int periods[] = {40, 60, 70, 80, 120, 140, 160, 240, 280, 320};
    c.sc_period_subframes = periods[rng() % 10];
    const auto range = [&] {
      const int n = 1 + static_cast<int>(rng() % static_cast<unsigned>(c.n_prb));
      const int start = static_cast<int>(rng() % static_cast<unsigned>(c.n_prb - n + 1));
      const int end = n - 1 + static_cast<int>(rng() % static_cast<unsigned>(c.n_prb - n + 1));
      return prb_range{n, start, end};
    };
    c.pscch = range();
    c.offset_indicator = static_cast<int>(rng() % n_absolute_subframes);
    c.subframe_bitmap.assign(40, '0');
    for (int i = 0; i < 4; ++i) c.subframe_bitmap[rng() % 12] = '1';
    if (rng() % 2) {
      c.data = comm_pool_config::data_resources{range(), static_cast<int>(rng() % 30), std::string(40, '0')};
      for (auto& b : c.data->subframe_bitmap) b = rng() % 2 ? '1' : '0';
    }
    c.hopping = {static_cast<int>(rng() % 505), 1 + static_cast<int>(rng() % 4), static_cast<int>(rng() % 8)};
    auto p = comm_pool::make(c);
    if (p) pools.push_back(std::move(*p));
  }
  return pools;
}

TEST(comm_pool, pscch_resources_and_their_subframes_are_distinct) {
  for (const auto& p : many_comm_pools()) {
    std::set<std::pair<int, int>> first;
    std::set<std::pair<int, int>> second;
    std::set<int> pscch_subframes;
    for (int n = 0; n < p.n_pscch_resources(); ++n) {
      const auto a = p.pscch_resource(n, 0);
      const auto b = p.pscch_resource(n, 1);
      pscch_subframes.insert(a.subframe);
      EXPECT_TRUE(first.insert({a.prb, a.subframe}).second);
      EXPECT_TRUE(second.insert({b.prb, b.subframe}).second);
      EXPECT_NE(a.prb, b.prb);
    }
    for (const auto& r : first) EXPECT_FALSE(second.contains(r));
    if (pscch_subframes.size() < 2) continue;
    for (int n = 0; n < p.n_pscch_resources(); ++n)
      EXPECT_NE(p.pscch_resource(n, 0).subframe, p.pscch_resource(n, 1).subframe) << n;
  }
}

// SL-OffsetIndicator is 0..10239 (TS 36.331 6.3.8), and periods begin at it (TS 36.213 14.2.3).
TEST(comm_pool, a_large_offset_leaves_the_first_subframes_to_no_period) {
  comm_pool_config c{.n_prb = 25, .pscch = {4, 0, 24}, .offset_indicator = 10239, .subframe_bitmap = "11"};
  const auto p = comm_pool::make(c);
  ASSERT_TRUE(p) << p.error().message;
  EXPECT_EQ(p->locate(10239)->offset, 0);
  EXPECT_EQ(p->locate(0)->offset, 1);  // the period goes on over the end of the cycle
  EXPECT_EQ(p->locate(38)->offset, 39);
  EXPECT_FALSE(p->locate(39));
  EXPECT_FALSE(p->locate(10238));
  EXPECT_FALSE(p->pscch_candidates(10239).empty());
  EXPECT_FALSE(p->pscch_candidates(0).empty());
  EXPECT_TRUE(p->pscch_candidates(1).empty());
  c.offset_indicator = 10240;
  EXPECT_FALSE(comm_pool::make(c));
}

TEST(comm_pool, candidates_are_where_the_resources_are) {
  for (const auto& p : many_comm_pools()) {
    const int start = p.config().offset_indicator;
    for (int n = 0; n < std::min(p.n_pscch_resources(), 20); ++n)
      for (int t = 0; t < 2; ++t) {
        const auto r = p.pscch_resource(n, t);
        const int s = (start + r.subframe) % n_absolute_subframes;
        const auto candidates = p.pscch_candidates(s);
        EXPECT_NE(std::find(candidates.begin(), candidates.end(), r.prb), candidates.end());
        const auto id = p.identify_pscch(s, r.prb);
        ASSERT_TRUE(id);
        EXPECT_EQ(id->n, n);
        EXPECT_EQ(id->transmission, t);
        EXPECT_TRUE(is_uplink_subframe(p.config().tdd_config, s));
      }
  }
}

TEST(comm_pool, patterns_fill_whole_blocks_and_agree_both_ways) {
  for (const auto& p : many_comm_pools()) {
    sci_format0 sci{.resource_block_assignment = 0, .mcs = 4, .group_destination_id = 3};
    for (int i_trp = 0; i_trp < 128; i_trp += 7) {
      sci.time_resource_pattern = static_cast<std::uint8_t>(i_trp);
      const int n = p.n_pssch_transmissions(i_trp);
      EXPECT_EQ(n % 4, 0);
      std::vector<int> forward;
      for (int i = 0; i < n; ++i) forward.push_back(p.pssch_subframe(i_trp, i));
      EXPECT_TRUE(std::is_sorted(forward.begin(), forward.end()));
      std::vector<int> found;
      for (int offset = 0; offset < p.config().sc_period_subframes; ++offset) {
        const auto o = p.pssch_at(sci, (p.config().offset_indicator + offset) % n_absolute_subframes);
        if (!o) continue;
        EXPECT_EQ(o->block * 4 + o->transmission, static_cast<int>(found.size()));
        EXPECT_EQ(o->config.rv, rv_order[found.size() % 4]);
        found.push_back(offset);
      }
      EXPECT_EQ(forward, found);
    }
  }
}

TEST(comm_pool, hopping_stays_inside_the_pool) {
  int hops = 0;
  for (const auto& p : many_comm_pools()) {
    const auto& c = p.config();
    const auto data = c.data ? *prbs_of(c.data->prb, c.n_prb, "") : std::vector<int>{};
    const int n_riv = 1 << (riv_bits(c.n_prb));
    for (int n_ssf = 0; n_ssf < 10; ++n_ssf) {
      for (int riv = 0; riv < n_riv; riv += riv < 400 ? 1 : 13) {
        const sci_format0 sci{
            .frequency_hopping = true, .resource_block_assignment = static_cast<std::uint16_t>(riv), .mcs = 0};
        const auto g = p.pssch(sci, n_ssf);
        if (!g) continue;
        ++hops;
        EXPECT_GE(g->prb_start, 0);
        EXPECT_LE(g->prb_start + g->n_prb, c.n_prb);
        for (int q = g->prb_start; c.data && q < g->prb_start + g->n_prb; ++q)
          EXPECT_TRUE(std::binary_search(data.begin(), data.end(), q));
      }
    }
  }
  EXPECT_GT(hops, 10000);
}

TEST(hopping, worked_values) {
  // 50 PRB, type 1 (TS 36.213 table 8.4-2): 00 a quarter up, 01 a quarter down, 10 half; odd subframes only.
  const auto sci = [](int bits, int start, int length) {
    const auto riv = riv_encode(50, start, length) | static_cast<std::uint32_t>(bits) << (riv_bits(50) - 2);
    return sci_format0{.frequency_hopping = true, .resource_block_assignment = static_cast<std::uint16_t>(riv)};
  };
  const hopping_config none{504, 1, 0};
  EXPECT_EQ(pssch_allocation(sci(0, 3, 4), 50, 50, none, 0)->start, 3);
  EXPECT_EQ(pssch_allocation(sci(0, 3, 4), 50, 50, none, 1)->start, 15);
  EXPECT_EQ(pssch_allocation(sci(1, 20, 4), 50, 50, none, 1)->start, 8);
  EXPECT_EQ(pssch_allocation(sci(1, 3, 4), 50, 50, none, 1)->start, 41);
  EXPECT_EQ(pssch_allocation(sci(2, 3, 4), 50, 50, none, 1)->start, 28);
  EXPECT_FALSE(pssch_allocation(sci(2, 22, 4), 50, 50, none, 1));  // would wrap: 47..50
  // With an offset of 4 the two outer PRBs on each side do not take part: 46 remain, half of them is 23.
  EXPECT_EQ(pssch_allocation(sci(2, 3, 4), 50, 50, {504, 1, 4}, 1)->start, 26);
  // Type 2 with one sub-band mirrors in odd subframes.
  EXPECT_EQ(pssch_allocation(sci(3, 3, 4), 50, 50, none, 2)->start, 3);
  EXPECT_EQ(pssch_allocation(sci(3, 3, 4), 50, 50, none, 3)->start, 43);
}

TEST(comm_pool, refuses_what_does_not_fit) {
  const auto message = [](auto&& edit) {
    comm_pool_config c{.n_prb = 25, .pscch = {10, 0, 24}, .subframe_bitmap = "0110"};
    edit(c);
    const auto p = comm_pool::make(c);
    return p ? std::string() : p.error().message;
  };
  EXPECT_EQ(message([](auto&) {}), "");
  EXPECT_NE(message([](auto& c) { c.subframe_bitmap = "0120"; }), "");
  EXPECT_NE(message([](auto& c) { c.subframe_bitmap = "0000"; }), "");
  EXPECT_NE(message([](auto& c) { c.subframe_bitmap = ""; }), "");
  EXPECT_NE(message([](auto& c) { c.pscch.prb_end = 25; }), "");
  EXPECT_NE(message([](auto& c) { c.pscch.prb_num = 0; }), "");
  EXPECT_NE(message([](auto& c) { c.pscch.prb_num = 1 << 30; }), "");
  EXPECT_NE(message([](auto& c) { c.sc_period_subframes = 0; }), "");
  EXPECT_NE(message([](auto& c) { c.tdd_config = 8; }), "");
  EXPECT_NE(message([](auto& c) { c.n_prb = 26; }), "");
  EXPECT_NE(message([](auto& c) { c.tm = transmission_mode::tm4; }), "");
}

// --- V2X

TEST(v2x_pool, reserved_subframes_make_the_bitmap_fit) {
  for (const int length : {10, 16, 20, 30, 40, 50, 60, 100})
    for (const int period : {0, 160}) {
      const auto p = v2x_pool::make({.subframe_bitmap = std::string(static_cast<std::size_t>(length), '1'),
                                     .slss_period = period,
                                     .slss_offset = 7});
      ASSERT_TRUE(p);
      const int left = n_absolute_subframes - (period == 0 ? 0 : n_absolute_subframes / period);
      EXPECT_EQ(p->n_reserved(), left % length);
      EXPECT_EQ(p->set_size(), left - left % length);
      EXPECT_EQ(p->set_size() % length, 0);
      for (int k = 0; k < p->set_size(); ++k) {
        const int s = p->subframe_of(k);
        EXPECT_EQ(p->index_of(s), k);
        EXPECT_TRUE(p->contains(s));
        EXPECT_EQ(p->n_ssf(s), k % 10);
        if (period != 0) {
          EXPECT_NE(s % period, 7);
        }
      }
    }
}

TEST(v2x_pool, prbs_stay_in_their_subchannels) {
  for (const bool adjacent : {true, false})
    for (const int n_prb : bandwidths_prb)
      for (int size = adjacent ? 3 : 1; size <= n_prb; ++size)
        for (int count = 1; count <= 20; ++count) {
          const auto p =
              v2x_pool::make({.n_prb = n_prb, .size_subchannel = size, .n_subchannels = count, .adjacent = adjacent});
          if (!p) {
            EXPECT_TRUE(size * count > n_prb || (!adjacent && 2 * count > n_prb));
            continue;
          }
          for (int first = 0; first < count; ++first)
            for (int n = 1; first + n <= count; ++n) {
              const auto r = p->pssch_prbs(first, n);
              ASSERT_TRUE(r);
              EXPECT_GE(r->start, first * size + (adjacent ? 2 : 0));
              EXPECT_LE(r->start + r->length, (first + n) * size);
              EXPECT_EQ(largest_235(r->length), r->length);
            }
          EXPECT_FALSE(p->pssch_prbs(count, 1));
          EXPECT_FALSE(p->pssch_prbs(0, count + 1));
        }
}

TEST(v2x_pool, both_transmissions_name_each_other) {
  const auto p = v2x_pool::make(
      {.size_subchannel = 5, .n_subchannels = 10, .subframe_bitmap = "10110101101011010110", .slss_period = 160});
  ASSERT_TRUE(p);
  sci_format1 sci{.time_gap = 5, .mcs = 4, .retransmission_index = 0};
  sci.frequency_location = p->frequency_location(7, 3);  // the retransmission starts at sub-channel 7
  const auto first = p->allocation_of(sci, p->pscch_prbs()[2]);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first_subchannel, 2);
  EXPECT_EQ(first->other_first_subchannel, 7);
  const int s = p->subframe_of(998);
  const auto other = p->other_subframe(*first, s);
  ASSERT_TRUE(other);
  EXPECT_EQ(p->index_of(*other), 1003);
  sci.retransmission_index = 1;
  sci.frequency_location = p->frequency_location(2, 3);
  const auto second = p->allocation_of(sci, p->pscch_prbs()[7]);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->other_first_subchannel, 2);
  EXPECT_EQ(p->other_subframe(*second, *other), s);
  EXPECT_EQ(p->pssch(sci, p->pscch_prbs()[7], 1, 0)->rv, 2);
  EXPECT_FALSE(p->pssch(sci, p->pscch_prbs()[8], 1, 0));  // three sub-channels from 8 on do not exist
  EXPECT_FALSE(p->pssch(sci, 1, 1, 0));                   // no PSCCH resource starts there
}

// --- discovery

TEST(discovery_pool, resources_of_a_period_are_disjoint) {
  for (const int retx : {0, 1, 2, 3})
    for (const prb_range range :
         {prb_range{10, 2, 22}, prb_range{12, 0, 24}, prb_range{3, 0, 5}, prb_range{25, 0, 24}}) {
      const auto p = discovery_pool::make({.n_prb = 25,
                                           .num_retx = retx,
                                           .num_repetition = 2,
                                           .prb = range,
                                           .offset_indicator = 11,
                                           .subframe_bitmap = "0111101111111111111111111111111111111110"});
      ASSERT_TRUE(p);
      std::set<std::pair<int, int>> used;
      for (int n = 0; n < p->n_resources(); ++n) {
        std::set<int> subframes;
        for (int t = 0; t < p->n_transmissions(); ++t) {
          const auto place = p->resource(n, t);
          subframes.insert(place.subframe);
          EXPECT_TRUE(used.insert({place.prb, place.subframe}).second);
          EXPECT_TRUE(used.insert({place.prb_second, place.subframe}).second);
          const int s = 11 + place.subframe;
          bool found = false;
          for (int i = 0; i < p->n_candidates(s); ++i) {
            const auto c = p->candidate_at(s, i);
            found |= c.n == n && c.transmission == t && c.config == p->psdch(n, t);
          }
          EXPECT_TRUE(found);
        }
        EXPECT_EQ(static_cast<int>(subframes.size()), p->n_transmissions());
      }
    }
}

TEST(discovery_pool, type2b_is_a_resource_of_every_period) {
  const auto p = discovery_pool::make({.n_prb = 25,
                                       .num_retx = 1,
                                       .num_repetition = 2,
                                       .prb = {10, 2, 22},
                                       .subframe_bitmap = "0111101111111111111111111111111111111110"});
  ASSERT_TRUE(p);
  const discovery_pool::type2b_config c{.n1 = 3, .n2 = 50, .n3 = 5, .prb_index = 2, .sf_index = 9};
  EXPECT_EQ(p->type2b_resource(c, 0), 2 * p->n_time() + 9);
  std::set<int> seen;
  for (int i = 0; i < 40; ++i) {
    const int n = p->type2b_resource(c, i);
    EXPECT_GE(n, 0);
    EXPECT_LT(n, p->n_resources());
    seen.insert(n);
  }
  EXPECT_GT(seen.size(), 10U);
}

}  // namespace
}  // namespace prose::phy
