// Properties of the resource arithmetic in phy/types, and its answers against the pools and frames of third-party
// recordings.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <vector>

#include "common/bits.h"
#include "common/hex.h"
#include "phy/modem/transmitter.h"
#include "phy/types/mib_sl.h"
#include "phy/types/pool.h"

namespace prose::phy {
namespace {

using json = nlohmann::json;
namespace fs = std::filesystem;

// --- RIV, SCI, MIB
// ---------------------------------------------------------------------------------------------------------

TEST(riv, is_a_bijection) {
  for (const int n : {1, 2, 3, 5, 6, 8, 10, 15, 20, 25, 50, 75, 100}) {
    std::set<std::uint32_t> seen;
    for (int length = 1; length <= n; ++length)
      for (int start = 0; start + length <= n; ++start) {
        const auto v = riv_encode(n, start, length);
        EXPECT_LT(v, 1U << riv_bits(n));
        EXPECT_TRUE(seen.insert(v).second);
        const auto back = riv_decode(n, v);
        ASSERT_TRUE(back);
        EXPECT_EQ(back->start, start);
        EXPECT_EQ(back->length, length);
      }
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(n * (n + 1) / 2));
    EXPECT_EQ(*seen.rbegin(), seen.size() - 1);
    EXPECT_FALSE(riv_decode(n, static_cast<std::uint32_t>(seen.size())));
  }
  EXPECT_FALSE(riv_decode(0, 0));
}

TEST(sci, sizes_are_those_of_36212) {
  const int expected[] = {37, 39, 41, 43, 44, 45};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(sci_format0_bits(bandwidths_prb[i]), expected[i]);
  const std::map<int, int> location{{1, 0}, {3, 3}, {5, 4}, {8, 6}, {10, 6}, {15, 7}, {20, 8}};
  for (const auto& [n, bits] : location) EXPECT_EQ(riv_bits(n), bits);
}

// Self-consistency only; the recordings below confirm the layout.
TEST(sci, every_bit_survives_unpack_and_pack) {
  std::mt19937 rng(7);
  for (int round = 0; round < 2000; ++round) {
    const int n_prb = bandwidths_prb[rng() % 6];
    std::vector<std::uint8_t> bits(static_cast<std::size_t>(sci_format0_bits(n_prb)));
    for (auto& b : bits) b = rng() & 1U;
    auto again = bits;
    pack(unpack_sci_format0(bits, n_prb), n_prb, again);
    EXPECT_EQ(bits, again);
    const int n_sub = 1 + static_cast<int>(rng() % 20);
    bits.resize(sci_format1_bits);
    for (auto& b : bits) b = rng() & 1U;
    again.assign(bits.size(), 0);
    pack(unpack_sci_format1(bits, n_sub), n_sub, again);
    EXPECT_EQ(bits, again);
  }
}

TEST(mib, round_trip_and_undefined_values) {
  for (const auto tm : {transmission_mode::tm2, transmission_mode::tm4}) {
    std::vector<std::uint8_t> bits(static_cast<std::size_t>(mib_sl_bits(tm)));
    for (const int n_prb : bandwidths_prb) {
      const mib_sl m{.n_prb = n_prb,
                     .tdd_config = 5,
                     .direct_frame_number = 1023,
                     .direct_subframe_number = 9,
                     .in_coverage = true,
                     .reserved = 0x5A5A5};
      pack(m, bits);
      EXPECT_EQ(unpack_mib_sl(bits), m);
    }
    bits[0] = bits[1] = 1;  // bandwidth 6 or 7
    EXPECT_FALSE(unpack_mib_sl(bits));
    bits[0] = 0;
    bits[16] = bits[18] = 1;  // subframe 10..15
    bits[17] = bits[19] = 0;
    EXPECT_FALSE(unpack_mib_sl(bits));
  }
  EXPECT_FALSE(unpack_mib_sl(std::vector<std::uint8_t>(39)));
}

// --- transport blocks
// --------------------------------------------------------------------------------------------------------

TEST(tbs, rows_and_rules) {
  EXPECT_EQ(tbs_of(0, 1), 16);
  EXPECT_EQ(tbs_of(26, 110), 75376);
  EXPECT_EQ(tbs_of(33, 100), 97896);
  EXPECT_EQ(tbs_of(30, 1), 776);
  EXPECT_EQ(mcs_lookup(10).i_tbs, 10);
  EXPECT_EQ(mcs_lookup(11).i_tbs, 10);
  EXPECT_EQ(mcs_lookup(20).i_tbs, 19);
  EXPECT_EQ(mcs_lookup(21).i_tbs, 19);
  EXPECT_EQ(mcs_lookup(28).i_tbs, 26);
  const auto capped = pssch_transport(transmission_mode::tm4, 28, 10);
  EXPECT_EQ(capped->modulation_order, 4);
  EXPECT_EQ(capped->tbs, tbs_of(26, 10));
  const auto rel15 = pssch_transport(transmission_mode::tm4, 28, 10, 1);
  EXPECT_EQ(rel15->modulation_order, 6);
  EXPECT_EQ(rel15->tbs, tbs_of(26, 8));
  EXPECT_EQ(pssch_transport(transmission_mode::tm4, 31, 1, 1)->tbs, tbs_of(33, 1));
  EXPECT_FALSE(pssch_transport(transmission_mode::tm4, 29, 10, 0));
  EXPECT_FALSE(pssch_transport(transmission_mode::tm2, 29, 10, 1));
  EXPECT_EQ(pssch_transport(transmission_mode::tm2, 28, 10, 1)->modulation_order, 4);
  EXPECT_FALSE(pssch_transport(transmission_mode::tm2, 0, 0));
  // Segmentation and the turbo interleaver take every size: a multiple of 8.
  for (const auto& row : tbs_table)
    for (const int v : row) EXPECT_EQ(v % 8, 0);
}

// --- time patterns
// -----------------------------------------------------------------------------------------------------------

TEST(time_pattern, every_row_is_valid) {
  std::set<int> seen;
  for (int i = 0; i < 128; ++i) {
    const auto p = time_pattern(8, i);
    EXPECT_EQ(p.has_value(), i <= 106) << i;
    if (!p) continue;
    EXPECT_TRUE(seen.insert(*p).second);
    EXPECT_EQ(std::popcount(*p), i < 8 ? 1 : i < 36 ? 2 : i < 106 ? 4 : 8);
    EXPECT_EQ(time_pattern_allowed_in_tm2(8, i), i != 106);
  }
  EXPECT_EQ(*time_pattern(8, 0), 1);
  EXPECT_EQ(*time_pattern(8, 8), 3);
  EXPECT_EQ(*time_pattern(8, 36), 15);
  for (int i = 0; i < 128; ++i) {
    EXPECT_EQ(time_pattern(7, i).has_value(), i != 0);
    EXPECT_EQ(time_pattern(6, i).has_value(), i != 0 && i < 64);
    if (i != 0) {
      EXPECT_EQ(*time_pattern(7, i), i);
    }
  }
  EXPECT_FALSE(time_pattern(8, -1));
  EXPECT_EQ(n_trp(0), 8);
  EXPECT_EQ(n_trp(1), 7);
  EXPECT_EQ(n_trp(4), 6);
  EXPECT_EQ(n_trp(7), 6);
}

// --- communication pools
// -----------------------------------------------------------------------------------------------------

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
    c.offset_indicator = static_cast<int>(rng() % 320);
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
// ---------------------------------------------------------------------------------------------------------------------

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
// ---------------------------------------------------------------------------------------------------------------

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

// --- the recordings
// ----------------------------------------------------------------------------------------------------------

std::vector<json> scenes(const std::string& folder) {
  std::vector<json> all;
  for (const auto& e : fs::directory_iterator(fs::path(PROSE_SHARED_IQ) / folder))
    if (e.path().string().ends_with(".expected.json")) all.push_back(json::parse(std::ifstream(e.path())));
  return all;
}
prb_range range_of(const json& pool) { return {pool.at("prb_num"), pool.at("prb_start"), pool.at("prb_end")}; }

template <class T>
std::vector<std::uint8_t> frame_bits(const T& f, int n) {
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(n));
  unpack_bits(*from_hex(f.at("hex").template get<std::string>()), bits);
  return bits;
}

TEST(recordings, comm_pools_place_every_frame) {
  if (!fs::is_directory(PROSE_SHARED_IQ "/generated_b")) GTEST_SKIP() << "no recordings at " PROSE_SHARED_IQ;
  int checked = 0;
  for (const auto& e : scenes("generated_b")) {
    if (e.at("pool").is_null() || e.at("pool").at("kind") != "sl_comm") continue;
    const auto& pool = e.at("pool");
    const int n_prb = e.at("carrier").at("n_prb");
    const auto p = comm_pool::make({.n_prb = n_prb,
                                    .tm = transmission_mode::tm1,
                                    .sc_period_subframes = 40,
                                    .pscch = range_of(pool),
                                    .offset_indicator = pool.at("offset_indicator"),
                                    .subframe_bitmap = pool.at("subframe_bitmap")});
    ASSERT_TRUE(p);
    sci_format0 sci;
    std::vector<comm_pool::pscch_identity> identities;
    for (const auto& f : e.at("frames")) {
      const int s = f.at("subframe");
      if (f.at("channel") == "PSCCH") {
        sci = unpack_sci_format0(frame_bits(f, f.at("bits")), n_prb);
        EXPECT_EQ(sci.mcs, f.at("fields").at("mcs").get<int>());
        EXPECT_EQ(sci.timing_advance, f.at("fields").at("timing_advance").get<int>());
        EXPECT_EQ(sci.group_destination_id, f.at("fields").at("group_destination_id").get<int>());
        const auto id = p->identify_pscch(s, f.at("prb"));
        ASSERT_TRUE(id) << e.at("recording");
        identities.push_back(*id);
      } else {
        const auto o = p->pssch_at(sci, s);
        ASSERT_TRUE(o) << e.at("recording") << " subframe " << s;
        EXPECT_EQ(o->config.prb_start, f.at("prb_start").get<int>());
        EXPECT_EQ(o->config.n_prb, f.at("n_prb").get<int>());
        EXPECT_EQ(o->config.tbs, f.at("tbs").get<int>());
        EXPECT_EQ(o->config.modulation_order, f.at("modulation_order").get<int>());
        EXPECT_EQ(o->config.n_ssf, f.at("n_ssf").get<int>());
        EXPECT_EQ(o->config.rv, f.at("rv").get<int>());
        EXPECT_EQ(o->config.n_x_id, f.at("n_x_id").get<std::uint32_t>());
      }
      ++checked;
    }
    ASSERT_EQ(identities.size(), 2U);
    EXPECT_EQ(identities[0].n, identities[1].n);
    EXPECT_NE(identities[0].transmission, identities[1].transmission);
  }
  EXPECT_GE(checked, 48);
}

TEST(recordings, discovery_pools_place_every_frame) {
  if (!fs::is_directory(PROSE_SHARED_IQ "/generated_b")) GTEST_SKIP() << "no recordings at " PROSE_SHARED_IQ;
  int checked = 0;
  for (const auto& e : scenes("generated_b")) {
    if (e.at("pool").is_null() || e.at("pool").at("kind") != "psdch") continue;
    const auto& pool = e.at("pool");
    const auto p = discovery_pool::make({.n_prb = e.at("carrier").at("n_prb"),
                                         .disc_period_subframes = 320,
                                         .num_retx = pool.at("num_retx"),
                                         .num_repetition = pool.at("num_repetition"),
                                         .prb = range_of(pool),
                                         .offset_indicator = pool.at("offset_indicator"),
                                         .subframe_bitmap = pool.at("subframe_bitmap")});
    ASSERT_TRUE(p);
    std::map<int, std::vector<json>> by_resource;
    for (const auto& f : e.at("frames")) by_resource[f.at("n_psdch")].push_back(f);
    for (const auto& [n, frames] : by_resource) {
      ASSERT_EQ(static_cast<int>(frames.size()), p->n_transmissions());
      for (int t = 0; t < p->n_transmissions(); ++t) {
        const auto place = p->resource(n, t);
        const auto& f = frames[t];
        EXPECT_EQ(place.prb, f.at("prb").at(0).get<int>());
        EXPECT_EQ(place.prb_second, f.at("prb").at(1).get<int>());
        EXPECT_EQ(p->config().offset_indicator + place.subframe, f.at("subframe").get<int>());
        ++checked;
      }
    }
  }
  EXPECT_GE(checked, 60);
}

TEST(recordings, v2x_pools_place_every_frame) {
  if (!fs::is_directory(PROSE_SHARED_IQ "/generated_b")) GTEST_SKIP() << "no recordings at " PROSE_SHARED_IQ;
  int checked = 0;
  for (const std::string folder : {"generated_a", "generated_b", "recorded"}) {
    if (!fs::is_directory(fs::path(PROSE_SHARED_IQ) / folder)) continue;
    for (const auto& e : scenes(folder)) {
      if (e.at("pool").is_null() || e.at("pool").at("kind") != "v2x") continue;
      const auto& pool = e.at("pool");
      const bool timed = pool.contains("sl_Subframe_r14");
      const auto p = v2x_pool::make({.n_prb = e.at("carrier").at("n_prb"),
                                     .size_subchannel = pool.at("size"),
                                     .n_subchannels = pool.at("count"),
                                     .start_prb = pool.at("start_prb"),
                                     .adjacent = pool.at("adjacent_pscch_pssch"),
                                     .start_prb_pscch = pool.value("start_prb_pscch_pool", 0),
                                     .subframe_bitmap = pool.value("sl_Subframe_r14", ""),
                                     .slss_period = pool.value("slss_period", 0),
                                     .slss_offset = pool.value("slss_offset", 0),
                                     .offset_indicator = pool.value("sl_OffsetIndicator_r14", 0)});
      ASSERT_TRUE(p) << p.error().message;
      std::map<int, json> sci_of;
      for (const auto& f : e.at("frames")) {
        const int index = f.at("index");
        if (f.at("channel") == "PSCCH") {
          sci_of[index] = f;
          const auto sci = unpack_sci_format1(frame_bits(f, 32), p->config().n_subchannels);
          EXPECT_EQ(sci.frequency_location, f.at("fields").at("riv").get<int>());
          EXPECT_EQ(sci.priority, f.at("fields").at("priority").get<int>());
          EXPECT_EQ(sci.time_gap, f.at("fields").at("time_gap").get<int>());
          EXPECT_EQ(sci.mcs, f.at("fields").at("mcs").get<int>());
          EXPECT_EQ(sci.retransmission_index, f.at("fields").at("retransmission_index").get<int>());
        }
        if (f.at("channel") != "PSSCH" || f.contains("optional")) continue;
        const auto& s = sci_of.at(index);
        const auto bits = frame_bits(s, 32);
        const int n_ssf =
            timed ? p->n_ssf(e.at("absolute_subframes").at(static_cast<std::size_t>(index))) : f.at("n_ssf").get<int>();
        const auto g = p->pssch(unpack_sci_format1(bits, p->config().n_subchannels), s.at("prb"), sci_crc(bits), n_ssf);
        ASSERT_TRUE(g) << e.at("recording") << " " << index;
        EXPECT_EQ(g->prb_start, f.at("prb_start").get<int>());
        EXPECT_EQ(g->n_prb, f.at("n_prb").get<int>());
        EXPECT_EQ(g->tbs, f.at("tbs").get<int>());
        EXPECT_EQ(g->modulation_order, f.at("modulation_order").get<int>());
        EXPECT_EQ(g->n_ssf, f.at("n_ssf").get<int>());
        EXPECT_EQ(g->rv, f.at("rv").get<int>()) << e.at("recording") << " " << index;
        if (!f.at("n_x_id").is_null()) {
          EXPECT_EQ(g->n_x_id, f.at("n_x_id").get<std::uint32_t>());
        }
        ++checked;
      }
    }
  }
  EXPECT_GE(checked, 30);
}

}  // namespace
}  // namespace prose::phy
