// PC5-S messages: octets that were laid out by hand, and what the parser refuses. It shows that the code has the
// layouts that security/ts33303/README.md tells, not that they are the standard's.
#include <gtest/gtest.h>

#include <set>

#include "common/hex.h"
#include "tests/security/ts33303/messages_fixture.h"

namespace prose::security::ts33303::test {
namespace {

bytes operator+(bytes a, const bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
std::optional<parse_error> error_of(const bytes& octets) {
  const auto r = parse(octets);
  return r ? std::nullopt : std::optional(r.error());
}
bytes written(const pc5s_message& m) {
  bytes out(max_sdu_octets);
  const auto n = write(m, out);
  out.resize(n.value_or(0));
  return out;
}
bytes with(bytes octets, std::size_t at, unsigned value) {
  octets.at(at) = static_cast<std::uint8_t>(value);
  return octets;
}

TEST(ts33303_messages, every_octet_is_where_the_layout_says) {
  std::set<std::size_t> kinds;
  for (const auto& e : examples()) {
    SCOPED_TRACE(e.name);
    EXPECT_EQ(to_hex(written(e.message)), to_hex(e.octets));
    const auto r = parse(e.octets);
    ASSERT_TRUE(r.has_value());
    EXPECT_EQ(r->message, e.message);
    EXPECT_EQ(r->ignored_ies, 0U);
    kinds.insert(e.message.body.index());
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<pc5s_body>);
}

/// The sizes of messages without optional IEs, as another program has them.
TEST(ts33303_messages, fixed_sizes) {
  const std::vector<std::pair<pc5s_body, std::size_t>> sizes{{direct_communication_accept{}, 4},
                                                             {direct_communication_reject{}, 4},
                                                             {keepalive{}, 7},
                                                             {keepalive_ack{}, 7},
                                                             {release{}, 4},
                                                             {release_accept{}, 3},
                                                             {security_mode_command{}, 23},
                                                             {security_mode_complete{}, 3},
                                                             {security_mode_reject{}, 4},
                                                             {rekeying_request{}, 22},
                                                             {rekeying_response{}, 3},
                                                             {direct_communication_request{}, 27 + 2}};
  for (const auto& [body, n] : sizes) EXPECT_EQ(written({1, body}).size(), n) << body.index();
}

/// Whatever is cut off a message is missed, but where it ends between two IEs.
TEST(ts33303_messages, every_truncation_is_refused_or_ends_between_two_ies) {
  std::size_t shorter = 0;
  for (const auto& e : examples())
    for (std::size_t n = 0; n < e.octets.size(); ++n) {
      const bytes cut(e.octets.begin(), e.octets.begin() + static_cast<std::ptrdiff_t>(n));
      const auto r = parse(cut);
      if (!r) {
        EXPECT_EQ(r.error(), parse_error::truncated) << e.name << " " << n;
        continue;
      }
      ++shorter;
      EXPECT_EQ(written(r->message), cut) << e.name << " " << n;
    }
  // One for each optional IE of the examples: what stands before it is a message.
  EXPECT_EQ(shorter, 1U + 4 + 1 + 1 + 6 + 1 + 2 + 2);
}

TEST(ts33303_messages, unknown_types_are_refused) {
  std::set<unsigned> taken;
  for (unsigned type = 0; type < 256; ++type) {
    const auto e = error_of(with(octets_of("request"), 0, type));
    if (e != parse_error::unknown_type) taken.insert(type);
  }
  EXPECT_EQ(taken, (std::set<unsigned>{1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 16}));
}

/// Every value of every mandatory IE with a table.
TEST(ts33303_messages, unknown_mandatory_values_are_refused) {
  struct place {
    const char* message;
    std::size_t at;
    std::set<unsigned> good;
  };
  std::set<unsigned> algorithms;
  for (unsigned e = 0; e < 4; ++e)
    for (unsigned i = 0; i < 4; ++i) algorithms.insert(e << 4 | i);
  const std::array<place, 7> places{{{"request", 4, {1, 2, 3}},
                                     {"request", 10, {1, 2, 3, 4}},
                                     {"accept", 3, {1, 2, 3, 4}},
                                     {"reject", 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}},
                                     {"security_mode_reject", 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}},
                                     {"release", 3, {1, 2, 3}},
                                     {"command", 21, algorithms}}};
  for (const auto& p : places)
    for (unsigned v = 0; v < 256; ++v) {
      const auto e = error_of(with(octets_of(p.message), p.at, v));
      EXPECT_EQ(e, p.good.contains(v) ? std::nullopt : std::optional(parse_error::unknown_value))
          << p.message << " " << v;
    }
}

/// In the Request without an IEI, in the Command with one.
TEST(ts33303_messages, user_info_has_the_length_of_its_form) {
  const bytes mandatory_rest = [] {
    const bytes r = octets_of("request_without_kd");
    return bytes(r.begin() + 5, r.end());
  }();
  for (unsigned n = 0; n < 256; ++n) {
    bytes info(1 + n, 1);
    info[0] = static_cast<std::uint8_t>(n);
    const auto refused_unless = [](bool good) { return good ? std::nullopt : std::optional(parse_error::bad_length); };
    EXPECT_EQ(error_of(bytes{1, 0, 0} + info + mandatory_rest), refused_unless(n >= 1 && n <= 252)) << n;
    EXPECT_EQ(error_of(octets_of("command") + bytes{1} + info), refused_unless(n >= 1 && n <= 251)) << n;
  }
}

TEST(ts33303_messages, of_a_repeated_ie_the_first_counts) {
  const bytes once = octets_of("request");
  const auto r = parse(once + bytes{0x17, 9, 9, 9, 9} + bytes{0x17, 8, 8, 8, 8});
  ASSERT_TRUE(r.has_value());
  EXPECT_EQ(std::get<direct_communication_request>(r->message.body).kd_id, 0x11223344U);
  EXPECT_EQ(r->ignored_ies, 2U);
  EXPECT_EQ(error_of(once + bytes{0x17, 9, 9, 9}), parse_error::truncated);  // the repetition must be whole
}

/// By the form that their number states: one octet from 0x80 on, two octets of length from 0x70 on, else one.
TEST(ts33303_messages, unknown_ies_are_passed_over_unless_they_are_required) {
  const bytes accept = octets_of("accept"), link_local = [] {
    const bytes all = octets_of("accept_with_every_ie");
    return bytes(all.begin() + 4, all.end());
  }();
  for (unsigned iei = 0; iei < 256; ++iei) {
    if (iei == unverified::iei_link_local_ipv6) continue;
    bytes unknown{static_cast<std::uint8_t>(iei)};
    if (iei < 0x70) unknown = unknown + bytes{2, 0xaa, 0xbb};
    if (iei >= 0x70 && iei < 0x80) unknown = unknown + bytes{0, 2, 0xaa, 0xbb};
    const bytes octets = accept + unknown + link_local;
    const auto r = parse(octets);
    if (iei < unverified::comprehension_required_below) {
      ASSERT_FALSE(r.has_value());
      EXPECT_EQ(r.error(), parse_error::comprehension_required);
      continue;
    }
    ASSERT_TRUE(r.has_value()) << iei;
    EXPECT_EQ(r->ignored_ies, 1U);
    EXPECT_TRUE(std::get<direct_communication_accept>(r->message.body).link_local_ipv6.has_value()) << iei;
  }
}

TEST(ts33303_messages, trailing_octets_are_refused) {
  for (const auto& e : examples()) {
    EXPECT_EQ(error_of(e.octets + bytes{0}), parse_error::comprehension_required) << e.name;
    EXPECT_EQ(error_of(e.octets + bytes{0x55}), parse_error::truncated) << e.name;
    EXPECT_EQ(error_of(e.octets + bytes{0x55, 3, 1, 2}), parse_error::truncated) << e.name;
    EXPECT_EQ(error_of(e.octets + bytes{0x7f, 1, 0, 1, 2}), parse_error::truncated) << e.name;
  }
}

/// Another order of optional IEs means the same.
TEST(ts33303_messages, optional_ies_come_in_any_order) {
  const bytes base = octets_of("security_mode_reject"), all = octets_of("security_mode_reject_with_every_ie");
  const bytes rand(all.begin() + 4, all.begin() + 21), auts(all.begin() + 21, all.end());
  EXPECT_EQ(parse(with(base, 3, 9) + auts + rand)->message, parse(all)->message);
}

TEST(ts33303_messages, what_cannot_be_read_is_not_written) {
  const bytes too_long(252), most_lv(251), most_tlv(250), huge(65536);
  direct_communication_request request;
  request.user.value = {most_lv};
  EXPECT_FALSE(written({1, request}).empty());
  request.user.value = {too_long};
  EXPECT_TRUE(written({1, request}).empty());
  request.user = {static_cast<user_info_type>(0), {}};
  EXPECT_TRUE(written({1, request}).empty());
  security_mode_command command;
  command.chosen = {4, 1};
  EXPECT_TRUE(written({1, command}).empty());
  command.chosen = {1, 1};
  command.user = user_info{user_info_type::upper_layers, {most_tlv}};
  EXPECT_FALSE(written({1, command}).empty());
  command.user->value = {most_lv};
  EXPECT_TRUE(written({1, command}).empty());
  command.user.reset();
  command.gpi = variable_octets{huge};
  EXPECT_TRUE(written({1, command}).empty());
  command.gpi = variable_octets{bytes_view(huge).first(max_sdu_octets - 23 - 3)};
  EXPECT_EQ(written({1, command}).size(), max_sdu_octets);
  command.gpi = variable_octets{bytes_view(huge).first(max_sdu_octets - 23 - 2)};
  EXPECT_TRUE(written({1, command}).empty());
  EXPECT_TRUE(written({1, release{static_cast<release_reason>(4)}}).empty());
  EXPECT_TRUE(written({1, direct_communication_reject{static_cast<pc5s_cause>(0)}}).empty());
}

TEST(ts33303_messages, too_little_room_writes_nothing_beyond_it) {
  for (const auto& e : examples())
    for (std::size_t room = 0; room < e.octets.size(); ++room) {
      bytes out(e.octets.size(), 0xee);
      EXPECT_FALSE(write(e.message, bytes_span(out).first(room)).has_value());
      EXPECT_TRUE(
          std::all_of(out.begin() + static_cast<std::ptrdiff_t>(room), out.end(), [](auto o) { return o == 0xee; }));
    }
}

TEST(ts33303_messages, halves_of_identifiers_and_bits_of_capabilities) {
  EXPECT_EQ(kd_id_of(0x1122, 0x3344), 0x11223344U);
  EXPECT_EQ(kd_sess_id_of(0x5a, 0xa5), 0x5aa5);
  const security_capabilities c{0xa0, 0x40};
  EXPECT_TRUE(c.has(eea::none) && !c.has(eea::snow3g) && c.has(eea::aes) && !c.has(eea::zuc));
  EXPECT_TRUE(c.has(eia::snow3g) && !c.has(eia::aes) && !c.has(eia::zuc));
}

}  // namespace
}  // namespace prose::security::ts33303::test
