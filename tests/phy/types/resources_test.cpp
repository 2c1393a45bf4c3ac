// Properties of the resource arithmetic in phy/types.
#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "phy/modem/transmitter.h"
#include "phy/types/mib_sl.h"
#include "phy/types/pool.h"

namespace prose::phy {
namespace {

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

}  // namespace
}  // namespace prose::phy
