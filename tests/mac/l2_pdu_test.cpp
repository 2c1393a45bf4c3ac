// SL-SCH PDUs, RLC UM and the PDCP header: exhaustive where the space is small, seeded otherwise. Round trips prove
// only self-consistency; the byte-exact cases below are written out by hand from TS 36.321 6.1.6 and TS 36.322 6.2.1.3.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "mac/rlc_um.h"
#include "mac/sl_sch.h"
#include "security/pdcp.h"

using namespace prose::mac;
using bytes = std::vector<std::uint8_t>;

namespace {
bytes build(const sl_sch_header& h, std::size_t tb, const std::vector<std::pair<int, bytes>>& sdus) {
  bytes out(tb, 0xEE);
  sl_sch_builder b(h, out);
  for (const auto& [lcid, data] : sdus) {
    EXPECT_LE(data.size(), b.room());
    const auto to = b.add(static_cast<std::uint8_t>(lcid), data.size());
    std::copy(data.begin(), data.end(), to.begin());
  }
  b.finish();
  return out;
}
bytes pattern(std::size_t n, int seed) {
  bytes b(n);
  for (std::size_t i = 0; i < n; ++i) b[i] = static_cast<std::uint8_t>(i * 7 + static_cast<std::size_t>(seed));
  return b;
}
}  // namespace

TEST(sl_sch, exact_octets_without_padding) {
  const sl_sch_header h{sl_sch_version::unicast, 0x123456, 0xABCDEF};
  EXPECT_EQ(build(h, 9, {{3, {0xAA, 0xBB}}}), (bytes{0x20, 0x12, 0x34, 0x56, 0xAB, 0xCD, 0x03, 0xAA, 0xBB}));
}
TEST(sl_sch, exact_octets_one_and_two_octets_of_padding_in_front) {
  const sl_sch_header h{sl_sch_version::group, 0x123456, 0xABCDEF};
  EXPECT_EQ(build(h, 10, {{3, {0xAA, 0xBB}}}), (bytes{0x10, 0x12, 0x34, 0x56, 0xAB, 0xCD, 0x3F, 0x03, 0xAA, 0xBB}));
  EXPECT_EQ(build(h, 11, {{3, {0xAA, 0xBB}}}),
            (bytes{0x10, 0x12, 0x34, 0x56, 0xAB, 0xCD, 0x3F, 0x3F, 0x03, 0xAA, 0xBB}));
}
TEST(sl_sch, exact_octets_padding_at_the_end) {
  const sl_sch_header h{sl_sch_version::v2x, 0x123456, 0xABCDEF};
  EXPECT_EQ(build(h, 13, {{30, {0xAA, 0xBB}}}),
            (bytes{0x30, 0x12, 0x34, 0x56, 0xAB, 0xCD, 0xEF, 0x3E, 0x02, 0x1F, 0xAA, 0xBB, 0x00}));
}
TEST(sl_sch, exact_octets_two_sdus) {
  const sl_sch_header h{sl_sch_version::v2x, 1, 2};
  EXPECT_EQ(build(h, 13, {{28, {0xAA, 0xBB}}, {1, {0xCC}}}),
            (bytes{0x30, 0, 0, 1, 0, 0, 2, 0x3C, 0x02, 0x01, 0xAA, 0xBB, 0xCC}));
}
TEST(sl_sch, every_size_around_the_length_widths_and_every_padding) {
  for (auto v : {sl_sch_version::group, sl_sch_version::unicast, sl_sch_version::v2x})
    for (std::size_t first : {1U, 2U, 126U, 127U, 128U, 129U, 300U})
      for (std::size_t second : {0U, 1U, 127U, 128U, 200U})
        for (std::size_t spare = 0; spare < 12; ++spare) {
          const sl_sch_header h{v, 0xA1B2C3, v == sl_sch_version::v2x ? 0x010203U : 0x010200U};
          std::vector<std::pair<int, bytes>> sdus{{1, pattern(first, 1)}};
          std::size_t size = header_octets(v) + 1 + first;
          if (second != 0) {
            sdus.emplace_back(30, pattern(second, 9));
            size += second + (first < 128 ? 2 : 3);
          }
          const bytes tb = build(h, size + spare, sdus);
          sl_sch_pdu p;
          ASSERT_EQ(parse(tb, p), sl_sch_status::ok) << first << " " << second << " " << spare;
          ASSERT_EQ(p.header, h);
          ASSERT_EQ(p.n_sdus, sdus.size());
          for (std::size_t i = 0; i < sdus.size(); ++i) {
            ASSERT_EQ(p.sdus[i].lcid, sdus[i].first);
            ASSERT_EQ(bytes(p.sdus[i].data.begin(), p.sdus[i].data.end()), sdus[i].second);
          }
        }
}
TEST(sl_sch, a_block_too_small_for_its_headers_is_not_overrun) {
  for (std::size_t size = 0; size <= 12; ++size) {
    std::vector<std::uint8_t> octets(size + 8, 0xAA);
    sl_sch_builder b({sl_sch_version::v2x, 0x123456, 0x789ABC}, std::span(octets).first(size));
    const std::size_t room = b.room();
    EXPECT_EQ(room, size > 8 ? size - 8 : 0);
    EXPECT_TRUE(b.add(4, room + 1).empty());
    EXPECT_TRUE(b.empty());
    b.shrink_last(0);
    if (room != 0) b.add(4, room)[0] = 1;
    b.finish();
    for (std::size_t i = size; i < octets.size(); ++i) ASSERT_EQ(octets[i], 0xAA) << size;
    sl_sch_pdu pdu;
    EXPECT_EQ(parse(std::span(octets).first(size), pdu) == sl_sch_status::ok && pdu.n_sdus == 1, room != 0) << size;
  }
}
TEST(sl_sch, padding_only) {
  const bytes tb = build({sl_sch_version::unicast, 1, 0x200}, 8, {});
  sl_sch_pdu p;
  EXPECT_EQ(parse(tb, p), sl_sch_status::ok);
  EXPECT_EQ(p.n_sdus, 0U);
}
TEST(sl_sch, reserved_and_broken_values_are_refused) {
  sl_sch_pdu p;
  const bytes good = build({sl_sch_version::unicast, 0x123456, 0xABCD00}, 40, {{1, pattern(4, 0)}, {2, pattern(5, 0)}});
  ASSERT_EQ(parse(good, p), sl_sch_status::ok);
  for (int v = 0; v < 16; ++v) {
    bytes b = good;
    b[0] = static_cast<std::uint8_t>(v << 4 | (b[0] & 15));
    const auto s = parse(b, p);
    if (v == 0 || v > 3) {
      EXPECT_EQ(s, sl_sch_status::reserved_version);
    }
  }
  for (int lcid = 0; lcid < 32; ++lcid) {
    bytes b = good;
    b[6] = static_cast<std::uint8_t>((b[6] & 0xE0) | lcid);
    const auto s = parse(b, p);
    const bool defined = (lcid >= 1 && lcid <= 10) || (lcid >= 28 && lcid <= 30);
    if (lcid != 31) {
      EXPECT_EQ(s, defined ? sl_sch_status::ok : sl_sch_status::reserved_lcid) << lcid;
    }
  }
  for (std::size_t n = 0; n < 11; ++n) EXPECT_NE(parse(std::span(good).first(n), p), sl_sch_status::ok) << n;
  // R bits and padding are ignored.
  bytes r = good;
  r[0] |= 0x0F;
  r[6] |= 0xC0;
  r.back() = 0x55;
  EXPECT_EQ(parse(r, p), sl_sch_status::ok);
  EXPECT_EQ(parse(bytes{0x20, 0, 0, 1, 0, 2, 0x3F, 0x3F, 0x3F, 0x01, 7}, p), sl_sch_status::misplaced_padding);
  EXPECT_EQ(parse(bytes{0x20, 0, 0, 1, 0, 2, 0x21, 0x00, 0x01, 7}, p), sl_sch_status::empty_sdu);
  EXPECT_EQ(parse(bytes{0x20, 0, 0, 1, 0, 2, 0x01}, p), sl_sch_status::empty_sdu);
  EXPECT_EQ(parse(bytes{0x20, 0, 0, 1, 0, 2, 0x21, 0x09, 0x01, 7, 7, 7}, p), sl_sch_status::truncated);
}
TEST(sl_sch, single_bit_flips_never_read_outside) {
  const bytes good = build({sl_sch_version::v2x, 0x123456, 0xABCDEF}, 60, {{1, pattern(20, 0)}, {29, pattern(15, 0)}});
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    bytes b = good;
    b[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    sl_sch_pdu p;
    if (parse(b, p) != sl_sch_status::ok) continue;
    for (const auto& s : p.all()) {
      ASSERT_GE(s.data.data(), b.data());
      ASSERT_LE(s.data.data() + s.data.size(), b.data() + b.size());
    }
  }
}

TEST(rlc_um, exact_octets) {
  rlc_um_tx tx;
  ASSERT_TRUE(tx.enqueue({1, 2, 3}));
  ASSERT_TRUE(tx.enqueue({4, 5}));
  ASSERT_TRUE(tx.enqueue({6, 7, 8, 9}));
  bytes out(20);
  // FI 00, E 1, SN 0; LI 3 with E 1; LI 2 with E 0: 0x803, 0x002.
  const std::size_t n = tx.build(std::span(out).first(11));
  EXPECT_EQ(bytes(out.begin(), out.begin() + static_cast<long>(n)),
            (bytes{0x60, 0x80, 0x30, 0x02, 1, 2, 3, 4, 5, 6, 7}));
  const std::size_t m = tx.build(out);
  EXPECT_EQ(bytes(out.begin(), out.begin() + static_cast<long>(m)), (bytes{0x81, 8, 9}));
  EXPECT_TRUE(tx.empty());
  EXPECT_EQ(tx.queued_octets(), 0U);
}
TEST(rlc_um, any_cutting_reassembles) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    std::mt19937 rng(seed);
    rlc_um_tx tx(1 << 20);
    rlc_um_rx rx;
    rlc_um_counters c;
    std::vector<bytes> sent, got;
    for (int i = 0; i < 30; ++i) {
      sent.push_back(pattern(1 + rng() % (i % 5 == 0 ? 3000 : 60), i));
      ASSERT_TRUE(tx.enqueue(sent.back()));
    }
    const unsigned largest = 2 + rng() % 2500;
    while (!tx.empty()) {
      bytes pdu(2 + rng() % largest);
      const std::size_t wanted = tx.wanted_octets();
      const std::size_t n = tx.build(pdu);
      ASSERT_GE(n, 2U);
      if (pdu.size() >= wanted && wanted < 2000) {
        ASSERT_TRUE(tx.empty());
      }
      rx.receive(std::span(pdu).first(n), c,
                 [&](std::span<const std::uint8_t> s) { got.emplace_back(s.begin(), s.end()); });
    }
    ASSERT_EQ(got, sent) << "seed " << seed;
    EXPECT_EQ(c.gaps + c.malformed + c.sdus_lost, 0U);
    EXPECT_EQ(tx.queued_octets(), 0U);
  }
}
TEST(rlc_um, loss_never_yields_a_wrong_sdu) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 rng(seed);
    rlc_um_tx tx(1 << 20);
    rlc_um_rx rx;
    rlc_um_counters c;
    std::vector<bytes> sent;
    for (int i = 0; i < 60; ++i) {
      sent.push_back(pattern(1 + rng() % 200, i));
      sent.back()[0] = static_cast<std::uint8_t>(i);
      tx.enqueue(sent.back());
    }
    int last = -1;
    while (!tx.empty()) {
      bytes pdu(2 + rng() % 90);
      const std::size_t n = tx.build(pdu);
      // Runs of exactly 32 lost PDUs wrap the 5-bit SN and cannot be noticed; single losses can.
      if (rng() % 4 == 0) continue;
      rx.receive(std::span(pdu).first(n), c, [&](std::span<const std::uint8_t> s) {
        ASSERT_GT(static_cast<int>(s[0]), last);
        last = s[0];
        ASSERT_EQ(bytes(s.begin(), s.end()), sent[s[0]]);
      });
    }
    EXPECT_GT(c.sdus, 0U);
  }
}
TEST(rlc_um, receiver_joins_at_any_sn) {
  for (int first = 0; first < 32; ++first) {
    rlc_um_tx tx;
    rlc_um_rx rx;
    rlc_um_counters c;
    bytes pdu(8);
    for (int i = 0; i < first; ++i) {
      tx.enqueue({1});
      tx.build(pdu);
    }
    tx.enqueue({42, 43});
    const std::size_t n = tx.build(pdu);
    int got = 0;
    rx.receive(std::span(pdu).first(n), c, [&](auto s) { got += s[0] == 42; });
    EXPECT_EQ(got, 1);
    EXPECT_EQ(c.gaps, 0U);  // VR(UR) takes the first PDU's SN
  }
}
TEST(rlc_um, queue_is_bounded_and_assembly_too) {
  rlc_um_tx tx(100);
  EXPECT_TRUE(tx.enqueue(bytes(60)));
  EXPECT_FALSE(tx.enqueue(bytes(41)));
  EXPECT_FALSE(tx.enqueue({}));
  rlc_um_tx big(1 << 20);
  EXPECT_FALSE(big.enqueue(bytes(rlc_max_sdu_octets + 1)));
  rlc_um_rx rx;  // an SDU that never ends
  rlc_um_counters c;
  bytes pdu(500, 7);
  for (int i = 0; i < 1000; ++i) {
    pdu[0] = static_cast<std::uint8_t>((i == 0 ? 0x40 : 0xC0) | i % 32);
    rx.receive(pdu, c, [](auto) { FAIL(); });
    ASSERT_LE(rx.held_octets(), rlc_max_sdu_octets);
  }
  EXPECT_GT(c.malformed, 0U);
}
TEST(rlc_um, malformed_pdus_change_nothing) {
  rlc_um_tx tx;
  rlc_um_rx rx;
  rlc_um_counters c;
  tx.enqueue(pattern(50, 3));
  bytes a(30), b(40);
  a.resize(tx.build(a));
  b.resize(tx.build(b));
  int got = 0;
  auto deliver = [&](std::span<const std::uint8_t> s) {
    EXPECT_EQ(bytes(s.begin(), s.end()), pattern(50, 3));
    ++got;
  };
  rx.receive(a, c, deliver);
  rx.receive(bytes{0x20}, c, deliver);
  rx.receive(bytes{0x20, 0x00, 0x00, 1}, c, deliver);  // LI 0
  rx.receive(bytes{0x20, 0x80, 0x10}, c, deliver);
  rx.receive(b, c, deliver);
  EXPECT_EQ(got, 1);
  EXPECT_EQ(c.malformed, 3U);
}

// A wrong key refuses assemblies of pieces that followed each other, too; a lost piece only those with others between
// them. The demo counts on it: what it excuses is a loss.
TEST(rlc_um_candidates, a_refusal_of_consecutive_pieces_is_no_misfit) {
  const auto run = [](bool lose_a_piece, sdu_verdict verdict) {
    rlc_um_tx tx(1 << 20);
    rlc_um_candidates rx(rlc_um_candidate_limits{});
    rlc_um_workspace work(rlc_um_candidate_limits{});
    rlc_um_counters c;
    EXPECT_TRUE(tx.enqueue(pattern(2000, 1)));
    bytes pdu(30);  // 28 octets a piece, so that sequence numbers come round with an older piece behind a lost one
    for (int i = 0; !tx.empty(); ++i) {
      const std::size_t n = tx.build(pdu);
      if (lose_a_piece && i == 60) continue;
      std::size_t budget = 1 << 20;
      rx.receive(3, std::span(pdu).first(n), budget, work, c, [&](std::span<const std::uint8_t>) { return verdict; });
    }
    return c;
  };
  const auto wrong_key = run(false, sdu_verdict::forged);
  EXPECT_GT(wrong_key.forged, wrong_key.misfits);
  const auto loss = run(true, sdu_verdict::forged);
  EXPECT_GT(loss.forged, 0U);
  EXPECT_EQ(loss.forged, loss.misfits);
  EXPECT_EQ(run(false, sdu_verdict::verified).forged, 0U);
}

TEST(pdcp, every_header_round_trips_and_reserved_types_are_refused) {
  for (int t = 0; t < 8; ++t)
    for (int id : {0, 1, 0x1234, 0xFFFF}) {
      bytes b(6, 0x1F);
      if (t < 4) {
        const prose::security::pdcp_header h{static_cast<prose::security::sdu_type>(t), static_cast<std::uint16_t>(id),
                                             static_cast<std::uint16_t>(~id)};
        prose::security::write_pdcp_header(h, std::span<std::uint8_t, 5>(b.data(), 5));
        EXPECT_EQ(prose::security::read_pdcp_header(b), h);
        b[0] |= 0x1F;
        EXPECT_EQ(prose::security::read_pdcp_header(b), h);
        EXPECT_FALSE(prose::security::read_pdcp_header(std::span(b).first(5)).has_value());
      } else {
        b[0] = static_cast<std::uint8_t>(t << 5);
        EXPECT_FALSE(prose::security::read_pdcp_header(b).has_value());
      }
    }
}
