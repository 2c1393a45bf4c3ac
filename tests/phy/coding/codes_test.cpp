// CRC, segmentation, interleavers, rate matching and the encoders: against published check values, properties the
// tables must have, and the plain transcription of the text in reference_codes.h.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "phy/coding/control_code.h"
#include "phy/coding/crc.h"
#include "phy/coding/interleaver.h"
#include "phy/coding/qpp.h"
#include "phy/coding/qpp_windows.h"
#include "phy/coding/segmentation.h"
#include "phy/coding/transport_code.h"
#include "tests/phy/coding/reference_codes.h"

namespace prose::phy {
namespace {

using bits = std::vector<std::uint8_t>;

bits random_bits(std::size_t n, std::mt19937_64& rng) {
  bits b(n);
  for (auto& x : b) x = static_cast<std::uint8_t>(rng() & 1U);
  return b;
}

// Check values of the CRC catalogue (reveng.sourceforge.io/crc-catalogue) for "123456789": CRC-16/XMODEM, CRC-24/LTE-A,
// CRC-24/LTE-B.
TEST(crc, catalogue_check_values) {
  bits b;
  for (const char c : std::string("123456789"))
    for (int i = 7; i >= 0; --i) b.push_back(static_cast<std::uint8_t>((c >> i) & 1));
  EXPECT_EQ(crc_bits(crc16, b), 0x31C3U);
  EXPECT_EQ(crc_bits(crc24a, b), 0xCDE703U);
  EXPECT_EQ(crc_bits(crc24b, b), 0x23EF52U);
}

TEST(crc, any_length_matches_long_division_and_single_errors_show) {
  std::mt19937_64 rng(2);
  for (std::size_t n = 0; n < 70; ++n) {
    bits b = random_bits(n, rng);
    const auto expected = reference::crc(b, {24, 23, 18, 17, 14, 11, 10, 7, 6, 5, 4, 3, 1, 0});
    bits got(24);
    put_crc(crc24a, crc_bits(crc24a, b), got);
    EXPECT_EQ(got, expected) << n;
    for (std::size_t i = 0; i < n; ++i) {
      b[i] ^= 1;
      EXPECT_NE(crc_bits(crc24a, b), crc_bits(crc24a, [&] {
                  bits c = b;
                  c[i] ^= 1;
                  return c;
                }()));
      b[i] ^= 1;
    }
  }
}

TEST(qpp, table_has_188_sizes_and_all_are_permutations) {
  ASSERT_EQ(qpp_all().size(), 188U);
  int previous = 32;
  for (const qpp& q : qpp_all()) {
    const int step = q.k <= 512 ? 8 : q.k <= 1024 ? 16 : q.k <= 2048 ? 32 : 64;
    EXPECT_EQ(q.k, previous + step);
    previous = q.k;
    std::vector<int> seen(static_cast<std::size_t>(q.k), 0);
    std::uint64_t i = 0;
    for_each_interleaved_index(q, [&](std::uint32_t from) {
      const std::uint64_t k = static_cast<std::uint64_t>(q.k);
      EXPECT_EQ(from, (static_cast<std::uint64_t>(q.f1) * i + static_cast<std::uint64_t>(q.f2) * i * i) % k);
      ++i;
      ++seen[from];
    });
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), q.k) << q.k;
  }
}

TEST(qpp, window_tables_are_contention_free) {
  for (const qpp& q : qpp_all()) {
    const qpp_windows& w = qpp_windows_of(q);
    ASSERT_EQ(w.rows * w.n_windows, q.k);
    std::vector<int> seen(static_cast<std::size_t>(q.k), 0);
    for (int k = 0; k < w.rows; ++k)
      for (int t = 0; t < w.n_windows; ++t) {
        const std::uint64_t i = static_cast<std::uint64_t>(t * w.rows + k);
        const auto from = (static_cast<std::uint64_t>(q.f1) * i + static_cast<std::uint64_t>(q.f2) * i * i) %
                          static_cast<std::uint64_t>(q.k);
        const int lane = w.take[k * w.n_windows + t];
        ASSERT_EQ(static_cast<int>(from), lane * w.rows + w.row[k]);
        ASSERT_EQ(w.give[k * w.n_windows + lane], t);
        ++seen[from];
      }
    ASSERT_EQ(std::count(seen.begin(), seen.end(), 1), q.k);
  }
}

TEST(segmentation, every_size_adds_up) {
  for (int tbs = 0; tbs <= max_transport_block_bits; tbs += tbs < 400 ? 1 : 7) {
    const segmentation s = make_segmentation(tbs);
    int data = 0;
    for (int r = 0; r < s.n_blocks; ++r) {
      data += s.data_bits(r);
      ASSERT_EQ(qpp_at_least(s.size(r)).k, s.size(r));
    }
    ASSERT_EQ(data, tbs + 24);
    ASSERT_GE(s.filler, 0);
    ASSERT_LT(s.filler, 64);
    ASSERT_EQ(s.block_crc, s.n_blocks > 1 ? 24 : 0);
    for (const int g : {0, 7, 288, 6000, 28800}) {
      int e = 0;
      for (int r = 0; r < s.n_blocks; ++r) e += block_coded_bits(s, r, g, 4);
      ASSERT_EQ(e, g / 4 * 4);
    }
  }
  // 6120 + 24 bits is the last single block; one more bit makes two.
  EXPECT_EQ(make_segmentation(6120).n_blocks, 1);
  EXPECT_EQ(make_segmentation(6121).n_blocks, 2);
}

TEST(encoder, control_words_match_the_transcription) {
  std::mt19937_64 rng(3);
  for (const std::size_t n : {1U, 16U, 32U, 37U, 40U, 43U, 45U, 48U})
    for (const std::size_t e : {0U, 5U, 96U, 240U, 288U, 480U, 1152U}) {
      const bits payload = random_bits(n, rng);
      bits coded(e);
      const std::uint16_t crc = encode_control(payload, coded);
      EXPECT_EQ(coded, reference::encode_control(payload, static_cast<int>(e))) << n << " " << e;
      EXPECT_EQ(crc, crc_bits(crc16, payload));
    }
}

TEST(encoder, transport_words_match_the_transcription) {
  std::mt19937_64 rng(4);
  transport_encoder encoder;
  for (const int tbs :
       {0, 8, 16, 24, 56, 232, 712, 1000, 1544, 5992, 6120, 6128, 6712, 12216, 14688, 20616, 36696, 97896})
    for (const int q_m : {2, 4, 6})
      for (int rv = 0; rv < 4; ++rv) {
        const int g = q_m * (rv == 1 ? std::max(1, tbs / 8) : 12 * 10 * 12 + 7 * rv);
        const bits payload = random_bits(static_cast<std::size_t>(tbs), rng);
        bits coded(static_cast<std::size_t>(g));
        encoder.encode({tbs, q_m, rv}, payload, coded);
        ASSERT_EQ(coded, reference::encode_transport(payload, g, q_m, rv)) << tbs << " " << q_m << " " << rv;
      }
}

TEST(interleaver, columns_of_groups_and_back) {
  // 2 columns, Q_m = 2, rows a0a1 b0b1 / c0c1 d0d1 are sent as a c b d.
  const bits in{0, 1, 2, 3, 4, 5, 6, 7};
  bits out(8), back(8);
  channel_interleave<std::uint8_t>(in, 2, 2, out);
  EXPECT_EQ(out, (bits{0, 1, 4, 5, 2, 3, 6, 7}));
  channel_deinterleave<std::uint8_t>(out, 2, 2, back);
  EXPECT_EQ(back, in);
}

}  // namespace
}  // namespace prose::phy
