// Each check of the verdict by itself: the smallest capture, random but for one thing, that turns it red, and nothing
// else.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>
#include <random>
#include <set>

#include "tests/controls/bench.h"

namespace prose::apps {
namespace {
struct control {
  const char* name;
  std::set<std::string> red;  // these, and no other check
  std::function<void(bench&)> put;
};
std::ostream& operator<<(std::ostream& out, const control& c) { return out << c.name; }

constexpr std::uint32_t a = 0x1c92e5, b = 0xd3471a, c = 0x6e08bb, d = 0x98f56c;
void sound(bench& x) { x.link(a, b, 0x7d21); }

void put_in_a_record(bench& x, std::string_view text) {
  sound(x);
  auto body = x.noise(64);
  std::copy(text.begin(), text.end(), body.begin() + 20);
  x.record(a, b, 0x7d21, 100, body);
}
void payloads(bench& x, int records, std::size_t n, const std::function<std::uint8_t()>& next) {
  for (int i = 0; i < records; ++i) x.record(a, b, 0x7d21, static_cast<std::uint16_t>(i), x.make(n, next));
}
void codes(bench& x, int n, const std::function<octets()>& next) {
  sound(x);
  for (int i = 0; i < n; ++i) x.discovery(next(), static_cast<std::uint8_t>(i / 16));
}
std::uint8_t even_parity(bench& x, double share) {
  for (;;) {
    const auto v = static_cast<std::uint8_t>(x.rng());
    if ((std::popcount(v) % 2 == 0) == std::bernoulli_distribution(share)(x.rng)) return v;
  }
}

octets reserved_type(octets body) {
  body.insert(body.begin(), {0xa0, 0x12, 0x34, 0, 0});
  return body;
}
octets body_of(octets message, const std::function<std::uint8_t()>& next) {
  std::generate(message.begin() + 4, message.end(), next);
  return message;
}

const control controls[] = {
    // content
    {"known_plaintext",
     {"known_plaintext"},
     [](bench& x) {
       sound(x);
       const auto known = x.noise(200);
       x.options.known_plaintexts = {known};
       auto body = x.noise(64);
       std::copy_n(known.begin() + 77, 16, body.begin() + 9);  // a part of it, anywhere
       x.record(a, b, 0x7d21, 100, body);
     }},
    {"protocol_strings", {"protocol_strings"}, [](bench& x) { put_in_a_record(x, "User-Agent"); }},
    {"ipv4_headers",
     {"ipv4_headers"},
     [](bench& x) {
       sound(x);
       auto body = x.noise(64);
       const octets fixed{0x45, 0x10, 0, 64};
       std::copy(fixed.begin(), fixed.end(), body.begin());
       body[10] = body[11] = 0;
       unsigned sum = 0;
       for (int i = 0; i < 20; i += 2) sum += static_cast<unsigned>(body[i] << 8 | body[i + 1]);
       while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
       body[10] = static_cast<std::uint8_t>(~sum >> 8), body[11] = static_cast<std::uint8_t>(~sum);
       x.record(a, b, 0x7d21, 100, body);
     }},
    {"ipv6_headers",
     {"ipv6_headers"},
     [](bench& x) {
       sound(x);
       auto body = x.noise(64);
       body[0] = 0x60, body[4] = 0, body[5] = 24, body[6] = 17;
       x.record(a, b, 0x7d21, 100, body);
     }},
    {"ascii_run", {"ascii_run"}, [](bench& x) { put_in_a_record(x, "the quick brown fox and a lazy dog 17:4"); }},
    {"equal_octets", {"equal_octets"}, [](bench& x) { put_in_a_record(x, std::string(8, '\xa7')); }},
    {"counting_octets", {"counting_octets"}, [](bench& x) { put_in_a_record(x, "\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8"); }},
    {"monobit", {"monobit"}, [](bench& x) { payloads(x, 16, 64, [&] { return x.biased(0.55); }); }},
    {"runs",
     {"runs"},
     [](bench& x) {
       int bit = 0;
       payloads(x, 16, 64, [&] {
         int v = 0;
         for (int i = 0; i < 8; ++i) v = 2 * v + (bit ^= std::bernoulli_distribution(0.44)(x.rng));
         return static_cast<std::uint8_t>(v);
       });
     }},
    {"octet_chi_square",
     {"octet_chi_square"},
     [](bench& x) { payloads(x, 80, 256, [&] { return even_parity(x, 0.6); }); }},
    {"code_octets",
     {"code_octets", "code_octets_of_a_link"},
     [](bench& x) {
       // Half of all octets; with each its complements, so that bits and their changes stay balanced.
       octets some;
       std::set<std::uint8_t> used;
       while (some.size() < 128)
         if (const auto v = static_cast<std::uint8_t>(x.rng()); !used.contains(v))
           for (const int mask : {0, 0xff, 0x55, 0xaa}) some.push_back(v ^ mask), used.insert(v ^ mask);
       payloads(x, 60, 64, [&] { return some[x.rng() % some.size()]; });
     }},
    {"code_octet_pairs",
     {"code_octet_pairs"},
     [](bench& x) {
       std::vector<octets> next(16, octets(256));
       for (auto& p : next) std::iota(p.begin(), p.end(), 0), std::shuffle(p.begin(), p.end(), x.rng);
       std::uint8_t at = 0;
       payloads(x, 200, 256, [&] { return at = next[x.rng() % 16][at]; });
     }},
    {"code_positions",
     {"code_positions", "code_positions_of_a_link"},
     [](bench& x) {
       for (int i = 0; i < 60; ++i) {
         auto body = x.noise(64);
         body[3] = 0x5a, body[9] = 0xc6, body[17] = 0x93, body[22] = 0x2d;
         x.record(a, b, 0x7d21, static_cast<std::uint16_t>(i), body);
       }
     }},
    {"count_reuse",
     {"count_reuse"},
     [](bench& x) {
       sound(x);
       x.record(a, b, 0x7d21, 7, x.noise(64));
     }},
    {"repeated_ciphertext",
     {"repeated_ciphertext"},
     [](bench& x) {
       auto first = x.noise(64), second = x.noise(64);
       std::copy_n(first.begin() + 5, 12, second.begin() + 31);
       x.record(a, b, 0x7d21, 1000, first);
       sound(x);
       x.record(a, b, 0x7d21, 1001, second);
     }},
    {"xor_of_neighbours",
     {"xor_of_neighbours", "xor_of_neighbours_of_a_link"},
     [](bench& x) {
       for (int i = 0; i < 32; i += 2) {
         auto body = x.noise(64);
         x.record(a, b, 0x7d21, static_cast<std::uint16_t>(i), body);
         for (auto& o : body) o ^= 1 + x.rng() % 4;
         x.record(a, b, 0x7d21, static_cast<std::uint16_t>(i + 1), body);
       }
     }},
    {"xor_across_links",
     {"xor_across_links"},
     [](bench& x) {
       std::vector<octets> keystream;
       for (int i = 0; i < 24; ++i)
         x.record(a, b, 0x7d21, static_cast<std::uint16_t>(i), keystream.emplace_back(x.noise(64)));
       for (int i = 0; i < 24; ++i) {
         for (auto& o : keystream[i]) o ^= 1 + x.rng() % 4;
         x.record(c, d, 0x3b09, static_cast<std::uint16_t>(i), keystream[i]);
       }
     }},
    // identity
    {"names_and_keys",
     {"names_and_keys"},
     [](bench& x) {
       x.options.names = {"Johnathan"};
       put_in_a_record(x, "Johnathan");
     }},
    {"code_in_two_slots",
     {"code_in_two_slots"},
     [](bench& x) {
       octets first;
       codes(x, 32, [&] { return first = x.noise(27); });
       x.discovery(first, 99);
     }},
    {"code_does_not_rotate",
     {"code_does_not_rotate"},
     [](bench& x) {
       std::vector<octets> all;
       codes(x, 16, [&] { return all.emplace_back(x.noise(27)); });
       x.now += 5;
       for (const auto& o : all) x.discovery(o, 0);
     }},
    {"code_positions_of_discovery",
     {"code_positions"},
     [](bench& x) {
       codes(x, 64, [&] {
         auto o = x.noise(27);
         o[2] = 0xc6, o[11] = 0x5a, o[21] = 0x93;
         return o;
       });
     }},
    {"code_octets_of_discovery",
     {"code_octets"},
     [](bench& x) { codes(x, 200, [&] { return x.make(27, [&] { return even_parity(x, 1); }); }); }},
    {"code_monobit",
     {"code_monobit"},
     [](bench& x) { codes(x, 200, [&] { return x.make(27, [&] { return x.biased(0.54); }); }); }},
    {"code_repeats",
     {"code_repeats"},
     [](bench& x) {
       octets part;
       codes(x, 16, [&] {
         auto o = x.noise(27);
         if (!part.empty() && part.size() == 8)
           std::copy(part.begin(), part.end(), o.begin() + 12), part.push_back(0);
         else if (part.empty())
           part.assign(o.begin() + 3, o.begin() + 11);
         return o;
       });
     }},
    {"code_linker",
     {"code_linker"},
     [](bench& x) {
       sound(x);
       for (int slot = 0; slot < 80; slot += 2) {
         octets of[2] = {x.noise(27), x.noise(27)};
         for (int i = 0; i < 2; ++i) x.discovery(of[i], static_cast<std::uint8_t>(slot), i * 500.0F);
         for (auto& o : of)
           for (auto& octet : o) octet ^= 1U << x.rng() % 8;
         for (int i = 0; i < 2; ++i) x.discovery(of[i], static_cast<std::uint8_t>(slot + 1), i * 500.0F);
         x.now += 2;
       }
     }},
    {"l2_id_reuse", {"l2_id_reuse"}, [](bench& x) { x.link(a, b, 0x7d21), x.link(a, c, 0x3b09); }},
    {"l2_id_octets",
     {"l2_id_octets"},
     [](bench& x) {
       std::set<std::uint32_t> low;
       while (low.size() < 60) low.insert(x.rng() & 0xffff);
       std::vector<std::uint32_t> ids(low.begin(), low.end());
       std::shuffle(ids.begin(), ids.end(), x.rng);
       for (std::size_t i = 0; i < ids.size(); i += 2) {
         x.record(0x440000 | ids[i], 0x440000 | ids[i + 1], static_cast<std::uint16_t>(1 + 2003 * i), 0, x.noise(64));
         x.now += 20;  // too long for one to continue another
       }
     }},
    {"l2_id_steps",
     {"l2_id_steps"},
     [](bench& x) {  // a fixed step, and nothing else on the air
       x.rotations(1, 12, [&](int, const bench::ids& old) {
         return bench::ids{(old.a + 0x9e3779) & 0xffffff, (old.b + 0x9e3779) & 0xffffff, x.id16(), x.id16()};
       });
     }},
    {"l2_id_linker",
     {"l2_id_linker"},
     [](bench& x) {  // each link in a quarter of its own, without regular steps
       x.rotations(4, 16, [&](int l, const bench::ids&) {
         const std::uint32_t quarter = static_cast<std::uint32_t>(l) << 22;
         return bench::ids{quarter | (x.id24() & 0x3fffff), quarter | (x.id24() & 0x3fffff), x.id16(), x.id16()};
       });
     }},
    {"kd_sess_id_steps",
     {"kd_sess_id_steps"},
     [](bench& x) {
       x.rotations(1, 16, [&](int, const bench::ids& old) {
         return bench::ids{x.id24(), x.id24(), static_cast<std::uint16_t>(old.ab + 0x9e37),
                           static_cast<std::uint16_t>(old.ba + 0x9e37)};
       });
     }},
    {"kd_sess_id_linker",
     {"kd_sess_id_linker", "kd_sess_id_steps"},
     [](bench& x) {
       x.rotations(4, 16, [&](int l, const bench::ids&) {
         const auto in_quarter = [&] { return static_cast<std::uint16_t>(l << 14 | (x.id16() & 0x3fff)); };
         return bench::ids{x.id24(), x.id24(), in_quarter(), in_quarter()};
       });
     }},
    {"sci_linker",
     {"sci_linker"},
     [](bench& x) {
       x.rotations(
           2, 16, [&](int, const bench::ids&) { return x.random_ids(); },
           [&](int l, bool) { x.sci = phy::sci_format0{.mcs = static_cast<std::uint8_t>(10 + 4 * l)}; });
     }},
    {"l2_id_survives_rotation",
     {"l2_id_survives_rotation"},
     [](bench& x) { x.link(a, b, 0x7d21), x.link(a, b, 0x3b09); }},
    {"kd_sess_id_reuse",
     {"kd_sess_id_reuse"},
     [](bench& x) {
       for (int i = 0; i < 4; ++i)
         x.link(static_cast<std::uint32_t>(x.rng() & 0xffffff), static_cast<std::uint32_t>(x.rng() & 0xffffff), 0x7d21,
                4);
     }},
    {"request_token_reuse",
     {"request_token_reuse"},
     [](bench& x) {
       sound(x);
       auto one = x.request(), other = x.request();
       std::copy(one.end() - 8, one.end(), other.end() - 8);
       x.message(c, d, one), x.message(0x111c0d, 0x8a3f02, other);
     }},
    {"command_token_reuse",
     {"command_token_reuse"},
     [](bench& x) {
       sound(x);
       auto one = x.command(), other = x.command();
       std::copy(one.end() - 3, one.end(), other.end() - 3);
       x.message(c, d, one), x.message(0x111c0d, 0x8a3f02, other);
     }},
    {"ephemeral_reuse",
     {"ephemeral_reuse"},
     [](bench& x) {
       sound(x);
       auto one = x.request(), other = x.request();
       std::copy_n(one.begin() + 4, 32, other.begin() + 4);
       x.message(c, d, one), x.message(0x111c0d, 0x8a3f02, other);
     }},
    {"ephemeral_reuse_in_commands",
     {"ephemeral_reuse"},
     [](bench& x) {
       sound(x);
       auto one = x.command(), other = x.command();
       std::copy_n(one.begin() + 3, 32, other.begin() + 3);
       x.message(c, d, one), x.message(0x111c0d, 0x8a3f02, other);
     }},
    // what belongs to no record
    {"unexplained_text",
     {"unexplained_text"},
     [](bench& x) {
       sound(x);
       for (int i = 0; i < 6; ++i) x.sdu(c, d, 1, reserved_type(x.make(12, [&] { return 0x21 + x.rng() % 94; })));
     }},
    {"unexplained_octets",
     {"unexplained_octets"},
     [](bench& x) {
       sound(x);
       for (int i = 0; i < 30; ++i) x.sdu(c, d, 1, reserved_type(x.make(12, [&] { return 0x90 + x.rng() % 16; })));
     }},
    {"message_text",
     {"message_text"},
     [](bench& x) {
       sound(x);
       for (int i = 0; i < 2; ++i) x.message(c, d, body_of(x.request(), [&] { return 0x21 + x.rng() % 94; }));
     }},
    {"message_octets",
     {"message_octets"},
     [](bench& x) {
       sound(x);
       for (int i = 0; i < 10; ++i) x.message(c, d, body_of(x.request(), [&] { return 0x90 + x.rng() % 16; }));
     }},
    {"field_text",
     {"field_text"},
     [](bench& x) {
       sound(x);
       for (int i = 0; i < 2; ++i) x.discovery(x.make(27, [&] { return 0x21 + x.rng() % 94; }), 0);
     }},
    // presence
    {"replayed_request_answered",
     {"replayed_request_answered"},
     [](bench& x) {
       sound(x);
       const auto request = x.request(), command = x.command();
       x.message(c, d, request), x.message(d, c, command), x.message(c, d, x.complete());
       x.now += 60;
       x.message(c, d, request), x.message(d, c, command);
     }},
    {"forged_request_answered",
     {"forged_request_answered"},
     [](bench& x) {
       sound(x);
       x.message(c, d, x.request()), x.message(d, c, x.command());
       x.message(c, d, x.request()), x.message(d, c, x.command());
     }},
};

class check : public testing::TestWithParam<control> {};
TEST_P(check, turns_red_alone) {
  bench x;
  GetParam().put(x);
  const auto v = judge(x.frames, x.options);
  std::set<std::string> red;
  for (const auto& f : v.findings) {
    red.insert(f.check);
    EXPECT_FALSE(f.frames.empty()) << f.check << " names no frame";
  }
  EXPECT_EQ(exit_status(v.outcome), 3);
  EXPECT_EQ(red, GetParam().red) << to_text(v);
}
INSTANTIATE_TEST_SUITE_P(of_the_verdict, check, testing::ValuesIn(controls),
                         [](const auto& i) { return std::string(i.param.name); });

TEST(checks, every_statistic_has_a_control) {
  bench x;
  sound(x);
  const auto v = judge(x.frames, {});
  EXPECT_EQ(v.outcome, verdict_outcome::opaque) << to_text(v);
  for (const auto& s : v.statistics)
    EXPECT_TRUE(std::any_of(std::begin(controls), std::end(controls), [&](const auto& k) {
      return k.red.contains(s.check);
    })) << s.check;
}

TEST(checks, linking_by_power_timing_and_cfo_is_reported_and_never_decides) {
  for (const bool sound_otherwise : {true, false}) {
    bench x;
    x.link(a, b, 0x7d21, 32), x.link(c, d, 0x3b09, 32);
    if (!sound_otherwise) x.record(a, b, 0x7d21, 7, x.noise(64));
    const auto equal = judge(x.frames, {});
    for (std::size_t i = 0; i < x.frames.size(); ++i) {
      const float radio = i >= 32 && i < 64 ? 1.0F : 0.0F;
      x.frames[i].power_db = -40 + 20 * radio, x.frames[i].timing_offset_samples = 30 * radio,
      x.frames[i].cfo_hz = 900 * radio;
    }
    const auto v = judge(x.frames, {});
    EXPECT_EQ(v.outcome, sound_otherwise ? verdict_outcome::opaque : verdict_outcome::exposed) << to_text(v);
    EXPECT_EQ(exit_status(v.outcome), exit_status(equal.outcome));
    EXPECT_EQ(v.findings.size(), equal.findings.size());
    ASSERT_EQ(v.residuals.size(), 3U);
    for (const auto& r : v.residuals) EXPECT_EQ(r.success, 1.0) << r.feature;
  }
}

}  // namespace
}  // namespace prose::apps
