// Every octet is parsed and judged, or suspected: text in places that no parser knows, ten times and more
// (hiding_places.md), and what the accounting itself promises. Seeds are fixed; no radio is involved.
#include <gtest/gtest.h>

#include <string>

#include "security/crypto/aead.h"
#include "security/discovery_code.h"
#include "security/record.h"
#include "tests/controls/block_bench.h"

namespace prose::apps {
namespace {

constexpr std::uint32_t stranger = 0x35a7c1, nobody = 0xe2094b;

/// 3, or 4 where the text tests cannot know it: never opaque, and the stranger is named.
verdict suspected(block_bench& x, int expected) {
  const auto v = judge(x.frames, x.options);
  EXPECT_EQ(exit_status(v.outcome), expected) << to_text(v);
  EXPECT_EQ(v.octets.heard,
            v.octets.parsed + v.octets.padding + v.octets.cut + v.octets.waiting + v.octets.unexplained);
  return v;
}
bool doubts(const verdict& v, const std::string& check, const std::string& text = "") {
  return std::any_of(v.doubts.begin(), v.doubts.end(),
                     [&](const auto& d) { return d.check == check && d.reason.find(text) != std::string::npos; });
}
bool red(const verdict& v, const std::string& check) {
  return std::any_of(v.findings.begin(), v.findings.end(),
                     [&](const auto& f) { return f.check == check && !f.frames.empty(); });
}

TEST(verdict_accounting, what_is_in_order_is_opaque) {
  block_bench x;
  x.good(40);
  x.message(stranger, nobody, x.request()), x.message(nobody, stranger, x.command()),
      x.message(stranger, nobody, x.complete());
  for (int i = 0; i < 16; ++i) x.discovery(i);
  for (int i = 0; i < 16; ++i) x.mib(0);
  const auto v = suspected(x, 0);
  EXPECT_TRUE(v.doubts.empty());
  EXPECT_EQ(v.octets.unexplained, 0U);
  EXPECT_EQ(v.octets.waiting, 0U);
  EXPECT_GT(v.octets.padding, 0U);
  EXPECT_EQ(v.octets.padding_not_zero, 0U);
}

TEST(verdict_accounting, control_text_in_records_is_exposed) {
  block_bench x;
  x.good(40);
  for (int i = 0; i < 200; ++i) x.block(stranger, nobody, 1, x.pdcp(0, 0x1234, i, x.text(i)));
  suspected(x, 3);
}

// --- the ten places, and more
// -----------------------------------------------------------------------------------------------------

TEST(verdict_accounting, place_1_text_or_noise_in_padding) {
  block_bench x;
  x.good(40);
  for (int i = 0; i < 200; ++i)
    x.block(block_bench::a, block_bench::b, 1, x.pdcp(0, 0xbeef, 100 + i, x.noise(80)), x.text(i));
  EXPECT_TRUE(red(suspected(x, 3), "unexplained_text"));
  block_bench y;
  y.good(1000);
  y.block(block_bench::a, block_bench::b, 1, y.pdcp(0, 0xbeef, 1000, y.noise(80)), y.noise(1));
  y.frames.back().octets.back() = 0x80;  // one bit in 1001 blocks
  EXPECT_TRUE(doubts(suspected(y, 4), "unexplained", "padding is not zero"));
}

TEST(verdict_accounting, place_2_text_under_a_reserved_lcid_is_exposed) {
  block_bench x;
  x.good(40);
  for (int i = 0; i < 200; ++i) x.two_sdus(stranger, nobody, x.pdcp(0, 0x1234, i, x.noise(60)), 20, x.text(i));
  EXPECT_TRUE(red(suspected(x, 3), "unexplained_text"));
  block_bench y;
  y.good(40);
  for (int i = 0; i < 200; ++i) y.two_sdus(stranger, nobody, y.pdcp(0, 0x1234, i, y.noise(60)), 20, y.noise(80));
  EXPECT_TRUE(doubts(suspected(y, 4), "unexplained", "src 35a7c1"));
}

TEST(verdict_accounting, place_3_text_in_reserved_bits_is_exposed) {
  block_bench x;
  x.good(40);
  std::string all;
  for (int i = 0; i < 4; ++i) all += x.words(i);
  for (std::size_t i = 0; i < 2 * all.size(); ++i) {
    x.block(block_bench::a, block_bench::b, 1, x.pdcp(0, 0xbeef, static_cast<int>(100 + i), x.noise(60)));
    x.frames.back().octets[0] |= (i % 2 == 0 ? all[i / 2] >> 4 : all[i / 2]) & 15;
  }
  EXPECT_TRUE(red(suspected(x, 3), "unexplained_text"));
}

TEST(verdict_accounting, place_3_one_reserved_bit_is_never_exempt) {
  block_bench x;
  x.good(1000);
  x.block(block_bench::a, block_bench::b, 1, x.pdcp(0, 0xbeef, 1000, x.noise(60)));
  x.frames.back().octets[6] |= 0x40;
  EXPECT_TRUE(doubts(suspected(x, 4), "unexplained", "subheaders"));
}

TEST(verdict_accounting, place_4_text_in_layer_2_ids_is_exposed) {
  block_bench x;
  x.good(40);
  const std::string all = x.words(0) + x.words(1);
  for (std::size_t i = 0; i + 3 <= all.size(); i += 3)
    x.block(static_cast<std::uint32_t>(all[i] << 16 | all[i + 1] << 8 | all[i + 2]),
            static_cast<std::uint32_t>(x.rng() & 0xffffff), 1, x.pdcp(0, x.id16(), 0, x.noise(60)));
  EXPECT_TRUE(red(suspected(x, 3), "field_text"));
}

TEST(verdict_accounting, place_5_stray_segments_are_not_vouched_for) {
  block_bench x;
  x.good(40);
  for (int i = 0; i < 200; ++i)
    x.segment(stranger, nobody, i, x.noise(80));  // in sequence: its sender broke off each time
  EXPECT_TRUE(doubts(suspected(x, 4), "unexplained", "never completed"));
  block_bench y;
  y.good(40);
  for (int i = 0; i < 200; ++i) y.segment(stranger, nobody, 2 * i, y.noise(80));  // as if every other block were lost
  EXPECT_TRUE(doubts(suspected(y, 4), "blocks_decoded"));
  block_bench z;
  z.good(40);
  for (int i = 0; i < 200; ++i) z.segment(stranger, nobody, i, z.text(i));
  EXPECT_TRUE(red(suspected(z, 3), "unexplained_text"));
}

/// A record that a stolen key opens: one of its secrets is the record key.
octets sealed(const octets& body, int sn) {
  security::record_key key(std::array<std::uint8_t, 32>{1, 2, 3});
  const security::crypto::aead box(security::suite::aes_256_gcm, key);
  auto pdu = block_bench::pdcp(0, 0x4321, sn, octets(body.size() + security::record_overhead_octets - 5));
  std::array<std::uint8_t, 12> nonce{};
  nonce[7] = 1, nonce[10] = pdu[3], nonce[11] = pdu[4];
  box.seal(nonce, security::bytes_view(pdu).first(5), body, security::bytes_span(pdu).subspan(5));
  return pdu;
}
std::shared_ptr<std::vector<stolen_file>> stolen_secret() {
  auto all = std::make_shared<std::vector<stolen_file>>();
  all->push_back(std::move(*parse_stolen_state("a secret 010203" + std::string(58, '0') + "\n", "mary.memory")));
  return all;
}

TEST(verdict_accounting, place_5_forged_blocks_hide_no_record) {
  // In the middle of each record somebody else sends a whole SDU, a beginning, a middle or an end, under the next SN,
  // the same one, or another.
  for (const int fi : {0, 1, 2, 3})
    for (const int step : {0, -1, 9})
      for (const int pieces : {2, 3}) {
        block_bench x;
        x.options.compromised = stolen_secret();
        for (int i = 0; i < 40; ++i)
          x.in_pieces(stranger, nobody, sealed(x.noise(90), i), pieces, [&, n = 0](int sn) mutable {
            if (n++ == 0)
              x.umd(stranger, nobody, fi, sn + step + 32, fi < 2 ? x.pdcp(0, 0x4321, i, x.noise(40)) : x.noise(40));
          });
        const auto v = suspected(x, 3);
        ASSERT_EQ(v.opened_links.size(), 1U) << fi << ' ' << step << ' ' << pieces;
        EXPECT_EQ(v.opened_links[0].records_opened, 40U) << fi << ' ' << step << ' ' << pieces;
        EXPECT_EQ(v.assemblies_untried, 0U);
      }
}

TEST(verdict_accounting, losses_alone_leave_no_part_unexplained) {
  // Sequence numbers come round: where a beginning is lost, a part of an earlier SDU may stand in its place.
  for (const unsigned lost_percent : {2U, 10U, 20U, 40U})
    for (unsigned seed = 0; seed < 20; ++seed) {
      block_bench x;
      std::mt19937 losses(seed);
      int sn = 0;
      for (int i = 0; i < 200; ++i) {
        const auto pdu = x.pdcp(0, 0x4321, i, x.noise(90));
        const std::size_t pieces = 1 + losses() % 7, each = pdu.size() / pieces;
        for (std::size_t k = 0; k < pieces; ++k, ++sn) {
          if (losses() % 100 < lost_percent) continue;
          const auto end = k + 1 == pieces ? pdu.end() : pdu.begin() + ((k + 1) * each);
          x.umd(block_bench::a, block_bench::b, (k > 0 ? 2 : 0) | (k + 1 < pieces ? 1 : 0), sn,
                {pdu.begin() + (k * each), end});
        }
      }
      const auto v = judge(x.frames, x.options);
      ASSERT_EQ(v.octets.unexplained, 0U) << lost_percent << " % lost, seed " << seed;
    }
}

TEST(verdict_accounting, place_5_forged_blocks_are_no_finding) {
  for (const int fi : {1, 2, 3}) {
    block_bench x;
    x.good(400);
    for (int i = 0; i < 20; ++i)
      x.in_pieces(stranger, nobody, x.pdcp(0, 0x4321, i, x.noise(90)), 3,
                  [&](int sn) { x.umd(stranger, nobody, fi, sn, x.noise(40)); });
    const auto v = judge(x.frames, x.options);
    EXPECT_TRUE(v.findings.empty()) << to_text(v);
    EXPECT_EQ(v.octets.heard,
              v.octets.parsed + v.octets.padding + v.octets.cut + v.octets.waiting + v.octets.unexplained);
    EXPECT_LT(v.octets.waiting, 200U);
  }
}

TEST(verdict_accounting, place_5_what_was_left_untried_is_not_vouched_for) {
  block_bench x;
  x.good(4000);
  for (int i = 0; i < 4; ++i)
    x.in_pieces(stranger, nobody, sealed(x.noise(90), i), 2, [&](int sn) {
      for (int k = 0; k < 30; ++k) x.umd(stranger, nobody, 1, sn + 31, x.pdcp(0, 0x4321, 100 + i, x.noise(4)));
    });
  x.options.compromised = stolen_secret();
  EXPECT_TRUE(doubts(judge(x.frames, x.options), "assembly"));
}

TEST(verdict_accounting, place_6_text_in_pdcp_headers_is_exposed) {
  block_bench x;
  x.good(40);
  const std::string all = x.words(0) + x.words(1);
  for (std::size_t i = 0; i + 4 <= all.size(); i += 4)
    x.block(stranger, nobody, 1, x.pdcp(0, all[i] << 8 | all[i + 1], all[i + 2] << 8 | all[i + 3], x.noise(60)));
  suspected(x, 3);
  block_bench y;  // in the sequence number alone, which leaps
  y.good(40);
  for (std::size_t i = 0; i + 2 <= all.size(); i += 2)
    y.block(stranger, nobody, 1, y.pdcp(0, 0x1234, all[i] << 8 | all[i + 1], y.noise(60)));
  suspected(y, 3);
  block_bench z;  // five bits beside the SDU type
  z.good(1000);
  auto odd = z.pdcp(0, 0xbeef, 1000, z.noise(60));
  odd[0] |= 3;
  z.block(block_bench::a, block_bench::b, 1, odd);
  EXPECT_TRUE(doubts(suspected(z, 4), "unexplained", "PGK"));
}

TEST(verdict_accounting, place_7_text_in_reserved_bits_of_mibs) {
  block_bench x;
  x.good(40);
  const std::string all = x.words(0) + x.words(1);
  for (std::size_t i = 0; i + 2 <= all.size(); i += 2) x.mib(static_cast<std::uint32_t>(all[i] << 8 | all[i + 1]) << 3);
  EXPECT_NE(exit_status(suspected(x, 4).outcome), 0);  // letters 19 bits apart: suspected, whether or not they are read
  block_bench y;
  y.good(40);
  for (int i = 0; i < 1000; ++i) y.mib(i == 700 ? 1 : 0);
  EXPECT_TRUE(doubts(suspected(y, 4), "unexplained", "MIB"));
}

TEST(verdict_accounting, place_7_leaping_frame_numbers_of_mibs) {
  block_bench x;
  x.good(40);
  for (int i = 0; i < 60; ++i) x.mib(0, static_cast<int>(x.rng() % 1024));
  EXPECT_TRUE(doubts(suspected(x, 4), "unexplained", "leap"));
}

TEST(verdict_accounting, place_8_text_in_scis_is_suspected) {
  block_bench x;
  x.good(40);
  const std::string all = x.words(0) + x.words(1);
  for (const char c : all) x.sci0({.timing_advance = static_cast<std::uint16_t>(c)});
  EXPECT_TRUE(doubts(suspected(x, 3), "unexplained", "timing advance"));
  block_bench y;
  y.good(40);
  for (const char c : all) y.sci1({.reserved = static_cast<std::uint16_t>(c)}, 3);
  EXPECT_NE(exit_status(judge(y.frames, {}).outcome), 0);
  block_bench z;
  z.good(40);
  for (int i = 0; i < 1000; ++i) z.sci1({.reserved = static_cast<std::uint16_t>(i == 400 ? 1 : 0)}, 5);
  EXPECT_TRUE(doubts(suspected(z, 4), "unexplained", "SCIs"));
  block_bench w;
  w.good(40);
  for (int i = 0; i < 1000; ++i) w.sci0({.time_resource_pattern = static_cast<std::uint8_t>(i == 400 ? 120 : 40)});
  EXPECT_TRUE(doubts(suspected(w, 4), "unexplained", "SCIs"));
}

TEST(verdict_accounting, place_9_text_and_unknown_types_in_discovery) {
  block_bench x;
  x.good(40);
  for (int i = 0; i < 16; ++i) {
    x.discovery(i);
    std::copy_n(x.text(i).begin(), 23, x.frames.back().octets.begin() + 1);
  }
  EXPECT_TRUE(red(suspected(x, 3), "field_text"));
  block_bench y;
  y.good(40);
  for (int i = 0; i < 16; ++i) {
    y.discovery(i);
    y.frames.back().octets[0] = 0x41;
  }
  EXPECT_TRUE(doubts(suspected(y, 4), "unexplained", "discovery"));
  block_bench z;  // the slot's octet, which a receiver compares with its clock
  z.good(40);
  const std::string all = z.words(0);
  for (const char c : all) {
    z.discovery(0);
    z.frames.back().octets.back() = static_cast<std::uint8_t>(2 * c);
  }
  EXPECT_TRUE(doubts(suspected(z, 4), "unexplained", "another time"));
}

TEST(verdict_accounting, place_10_text_at_the_end_of_records_is_exposed) {
  block_bench x;
  x.good(40);
  for (int i = 0; i < 60; ++i) {
    auto body = x.noise(56);
    const auto t = x.text(i);
    std::copy_n(t.begin() + i % 40, 24, std::back_inserter(body));
    x.block(stranger, nobody, 1, x.pdcp(0, 0x1234, i, body));
  }
  suspected(x, 3);
}

TEST(verdict_accounting, place_12_senders_of_one_block_each) {
  for (const bool text : {false, true}) {
    block_bench x;
    x.good(40);
    for (int i = 0; i < 200; ++i)
      x.two_sdus(static_cast<std::uint32_t>(x.rng() & 0xffffff), nobody, x.pdcp(0, x.id16(), 0, x.noise(60)), 20,
                 text ? x.text(i) : x.noise(80));
    const auto v = suspected(x, text ? 3 : 4);
    EXPECT_TRUE(doubts(v, "unexplained", "more transmitters"));
  }
}

TEST(verdict_accounting, place_13_text_in_set_up_messages_is_exposed) {
  block_bench x;  // as 3GPP has it: type, sequence number, user info in the clear
  x.good(40);
  for (int i = 0; i < 200; ++i) {
    auto m = x.text(i);
    m.insert(m.begin(), {1, 0, 0});
    x.block(stranger, nobody, 28, x.pdcp(2, 0, 0, m));
  }
  EXPECT_TRUE(red(suspected(x, 3), "unexplained_text"));
  block_bench y;  // on LCID 29
  y.good(40);
  for (int i = 0; i < 200; ++i) y.block(stranger, nobody, 29, y.pdcp(2, 0, 0, y.text(i)));
  EXPECT_TRUE(red(suspected(y, 3), "unexplained_text"));
  block_bench z;  // in the place of the key and the seal of a request of the right length
  z.good(40);
  for (int i = 0; i < 20; ++i) {
    auto m = z.request();
    const auto t = z.text(i);
    std::copy_n(t.begin(), m.size() - 4, m.begin() + 4);
    z.message(stranger, nobody, m);
  }
  EXPECT_TRUE(red(suspected(z, 3), "message_text"));
  block_bench w;  // noise behind the last field
  w.good(40);
  for (int i = 0; i < 20; ++i) {
    auto m = w.request();
    const auto more = w.noise(30);
    m.insert(m.end(), more.begin(), more.end());
    w.message(stranger, nobody, m);
  }
  EXPECT_TRUE(doubts(suspected(w, 4), "unexplained", "LCID 28"));
}

TEST(verdict_accounting, place_14_encoded_text_is_suspected) {
  const std::string base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (const int how : {0, 1, 2, 3}) {
    block_bench x;
    x.good(40);
    for (int i = 0; i < 200; ++i) {
      octets out;
      std::uint64_t acc = 0;
      int n = 0;
      for (const std::uint8_t c : x.text(i)) {
        if (how == 0) {  // seven bits a letter
          acc = acc << 7 | c;
          for (n += 7; n >= 8; n -= 8) out.push_back(static_cast<std::uint8_t>(acc >> (n - 8)));
        } else if (how == 1) {
          acc = acc << 8 | c;
          for (n += 8; n >= 6; n -= 6) out.push_back(static_cast<std::uint8_t>(base64[acc >> (n - 6) & 63]));
        } else if (how == 2) {
          out.push_back(static_cast<std::uint8_t>("0123456789abcdef"[c >> 4]));
          out.push_back(static_cast<std::uint8_t>("0123456789abcdef"[c & 15]));
        } else {
          out.push_back(c ^ 0xa5);  // a mask of one octet
        }
      }
      x.block(stranger, nobody, 28, x.pdcp(2, 0, 0, out));
    }
    const auto v = judge(x.frames, {});
    EXPECT_EQ(exit_status(v.outcome), how == 0 ? exit_status(v.outcome) : 3) << how;
    EXPECT_NE(exit_status(v.outcome), 0) << how;
  }
}

TEST(verdict_accounting, place_8_noise_that_passes_for_an_sci) {
  const auto with = [](int n, bool block, std::uint64_t candidates) {
    block_bench x;
    x.good(40);
    for (int i = 0; i < n; ++i)
      x.sci0({.mcs = 9,
              .timing_advance = static_cast<std::uint16_t>(100 + 13 * i),
              .group_destination_id = block_bench::b & 0xff});
    if (block) {
      x.block(block_bench::a, block_bench::b, 1, x.pdcp(0, 0xbeef, 40, x.noise(60)));
      x.frames.back().mcs = 9;
    }
    analysis a({});
    for (const auto& f : x.frames) a.add(f);
    a.heard({.blocks_announced = 41, .blocks_decoded = 41, .pscch_candidates = candidates});
    return exit_status(a.judge().outcome);
  };
  EXPECT_EQ(with(1, false, 150'000), 0);
  EXPECT_EQ(with(1, true, 150'000), 4);
  EXPECT_EQ(with(5, false, 150'000), 4);
  EXPECT_EQ(with(1, false, 100), 4);
}

// --- what else no parser knows
// ----------------------------------------------------------------------------------------------------

TEST(verdict_accounting, reserved_sdu_types_and_versions_are_suspected) {
  for (const bool text : {true, false}) {
    block_bench x;
    x.good(40);
    for (int i = 0; i < 200; ++i) x.block(stranger, nobody, 1, x.pdcp(5, 0x1234, i, text ? x.text(i) : x.noise(80)));
    suspected(x, text ? 3 : 4);
    block_bench y;
    y.good(40);
    for (int i = 0; i < 200; ++i) {
      y.block(stranger, nobody, 1, y.pdcp(0, 0x1234, i, text ? y.text(i) : y.noise(80)));
      y.frames.back().octets[0] = 0x70;
    }
    suspected(y, text ? 3 : 4);
  }
}

TEST(verdict_accounting, groupcast_is_parsed_and_text_in_it_is_exposed) {
  block_bench x;
  x.good(40);
  for (int i = 0; i < 200; ++i) x.block(stranger, nobody, 1, x.pdcp(0, 0x1234, i, x.text(i)), {}, 1);
  suspected(x, 3);
}

TEST(verdict_accounting, small_transmitters_are_exempt_and_counted) {
  const auto with = [](int blocks, std::size_t n) {
    block_bench x;
    x.good(1000);
    for (int i = 0; i < blocks; ++i) x.block(block_bench::a, block_bench::b, 1, x.pdcp(5, 0xbeef, i, x.noise(n)));
    return judge(x.frames, {});
  };
  const auto few = with(9, 20);  // 225 octets, 0.9 %
  EXPECT_EQ(few.outcome, verdict_outcome::opaque) << to_text(few);
  EXPECT_EQ(few.exempt_octets, 9U * 25);
  EXPECT_EQ(few.octets.unexplained, 9U * 25);
  EXPECT_EQ(exit_status(with(11, 15).outcome), 4) << "1.1 % of its blocks";
  EXPECT_EQ(exit_status(with(9, 24).outcome), 4) << "261 octets";
  block_bench x;  // the content tests run on exempt octets too
  x.good(1000);
  x.block(block_bench::a, block_bench::b, 1, x.pdcp(5, 0xbeef, 1, x.text(1)));
  suspected(x, 3);
}

TEST(verdict_accounting, by_each_transmitter_for_itself) {
  block_bench x;
  x.good(4000);
  x.block(stranger, nobody, 1, x.pdcp(5, 0x1234, 0, x.noise(30)));  // 0.02 % of all, and all that this one sent
  const auto v = suspected(x, 4);
  ASSERT_FALSE(v.transmitters.empty());
  EXPECT_EQ(v.transmitters.front().who, "src 35a7c1");
  EXPECT_EQ(v.transmitters.front().outcome, verdict_outcome::nothing_proven);
  const auto good =
      std::find_if(v.transmitters.begin(), v.transmitters.end(), [](const auto& t) { return t.who == "src 123456"; });
  ASSERT_NE(good, v.transmitters.end());
  EXPECT_EQ(good->outcome, verdict_outcome::opaque);
}

TEST(verdict_accounting, mary_injects_and_forces_a_4_or_a_3_and_never_a_0) {
  // Malformed blocks under the addresses of John and Peter, as Mary could send them.
  block_bench x;
  x.good(100);
  for (int i = 0; i < 40; ++i) {
    x.block(block_bench::a, block_bench::b, 1, x.pdcp(0, 0xbeef, 200 + i, x.noise(40)));
    x.frames.back().octets[6] = 0x2f;  // a reserved LCID, and a length that does not fit
  }
  suspected(x, 4);
  block_bench y;
  y.good(100);
  for (int i = 0; i < 40; ++i) y.block(block_bench::a, block_bench::b, 2, y.pdcp(0, 0xbeef, i, y.text(i)));
  const auto v = suspected(y, 3);
  const auto john =
      std::find_if(v.transmitters.begin(), v.transmitters.end(), [](const auto& t) { return t.who == "src 123456"; });
  ASSERT_NE(john, v.transmitters.end());
  EXPECT_EQ(john->outcome, verdict_outcome::exposed);
}

TEST(verdict_accounting, a_forged_flood_takes_constant_time_a_message) {
  // 40 000 forged requests from and to fresh addresses: the work per message is counted, not timed.
  block_bench x;
  analysis a({});
  const auto feed = [&](int n) {
    const auto begin = std::clock();
    for (int i = 0; i < n; ++i) {
      x.frames.clear();
      x.message(static_cast<std::uint32_t>(x.rng() & 0xffffff), static_cast<std::uint32_t>(x.rng() & 0xffffff),
                x.request());
      a.add(x.frames.front());
    }
    return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC / n * 1000;
  };
  feed(2000);
  const double early = feed(4000);
  feed(20'000);
  const double late = feed(4000);
  std::printf("%.3f ms a forged request among 6000 pairs, %.3f among 30 000\n", early, late);
  EXPECT_LT(late, 1.0) << "CPU time; one comes every 1.33 ms in the flood of the adversary's tests";
}

}  // namespace
}  // namespace prose::apps
