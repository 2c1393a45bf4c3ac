// PDCP PDUs under a security context: what is covered, ciphered and refused. Agreement with itself and with the layout
// as it is read here; nobody else's PDUs were at hand.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "security/ts33303/context.h"

namespace prose::security::ts33303 {
namespace {

using bytes = std::vector<std::uint8_t>;
constexpr std::uint16_t id = 0x5aa5;
constexpr std::array<std::uint8_t, 4> channels{1, 10, 29, 30};

kd_sess_key kd_sess() {
  return kd_sess_key::make([](auto out) { std::fill(out.begin(), out.end(), std::uint8_t{7}); });
}
security_context context(side own, eea e = eea::aes, eia i = eia::aes, bool mac_on_data = true) {
  return *security_context::make({id, own, e, i, mac_on_data}, kd_sess());
}
sdu_type type_on(std::uint8_t lcid) { return carries_data(lcid) ? sdu_type::ip : sdu_type::pc5s; }

bytes sealed(security_context& from, std::uint8_t lcid, const bytes& sdu) {
  bytes out(sdu.size() + pdcp_header_octets + mac_octets);
  const auto n = from.protect(lcid, type_on(lcid), sdu, out);
  out.resize(n.value_or(0));
  return out;
}
/// The SDU, or why not.
result<bytes, drop_reason> read(security_context& by, std::uint8_t lcid, const bytes& pdu) {
  bytes out(pdu.size());
  const auto r = by.open(lcid, pdu, out);
  if (!r) return tl::unexpected(r.error());
  return bytes(r->sdu.begin(), r->sdu.end());
}
drop_reason refusal(security_context& by, std::uint8_t lcid, const bytes& pdu) {
  const auto r = read(by, lcid, pdu);
  EXPECT_FALSE(r.has_value());
  return r ? drop_reason::nothing_new : r.error();
}

const bytes text{0x0c, 1, 2, 3, 4, 5, 6, 7, 8, 9};

TEST(ts33303_context, both_ends_understand_each_other_with_every_algorithm) {
  for (const auto e : {eea::none, eea::snow3g, eea::aes, eea::zuc})
    for (const auto i : {eia::snow3g, eia::aes, eia::zuc}) {
      auto a = context(side::requesting, e, i), b = context(side::commanding, e, i);
      for (const auto lcid : channels) {
        EXPECT_EQ(read(b, lcid, sealed(a, lcid, text)), text);
        EXPECT_EQ(read(a, lcid, sealed(b, lcid, text)), text);
      }
    }
}

/// Header, ciphered data, MAC-I over header and plain data in clear, put together here from the algorithms.
TEST(ts33303_context, layout_of_a_pdu) {
  auto a = context(side::commanding);
  const bytes pdu = sealed(a, 3, text);
  ASSERT_EQ(pdu.size(), 5 + text.size() + 4);
  EXPECT_EQ(bytes(pdu.begin(), pdu.begin() + 5), (bytes{0x00, 0x5a, 0xa5, 0x00, 0x01}));
  const stream_inputs in{0x5aa50001, 3, true};
  bytes plain(pdu.begin(), pdu.begin() + 5), ciphered(text.size());
  plain.insert(plain.end(), text.begin(), text.end());
  const auto mac = integrity(eia::aes, derive_pik(kd_sess(), eia::aes)).mac(in, plain, 8 * plain.size());
  ciphering(eea::aes, derive_pek(kd_sess(), eea::aes)).apply(in, text, 8 * text.size(), ciphered);
  EXPECT_EQ(bytes(pdu.begin() + 5, pdu.end() - 4), ciphered);
  EXPECT_EQ(bytes(pdu.end() - 4, pdu.end()), bytes(mac.begin(), mac.end()));
}

TEST(ts33303_context, the_command_alone_is_in_clear) {
  auto commanding = context(side::commanding), requesting = context(side::requesting);
  const auto in_clear = [&](security_context& c, std::uint8_t lcid) {
    const bytes pdu = sealed(c, lcid, text);
    return std::equal(text.begin(), text.end(), pdu.begin() + 5);
  };
  EXPECT_TRUE(in_clear(commanding, 29));
  EXPECT_FALSE(in_clear(requesting, 29));
  for (const std::uint8_t lcid : {1, 10, 30}) EXPECT_FALSE(in_clear(commanding, lcid) || in_clear(requesting, lcid));
}

TEST(ts33303_context, no_flipped_bit_passes_and_none_spoils_the_genuine_one) {
  for (const auto lcid : channels) {
    auto a = context(side::requesting), b = context(side::commanding);
    const bytes pdu = sealed(a, lcid, text);
    for (std::size_t bit = 0; bit < 8 * pdu.size(); ++bit) {
      bytes bad = pdu;
      bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      EXPECT_FALSE(read(b, lcid, bad).has_value()) << bit;
    }
    EXPECT_EQ(read(b, lcid, pdu), text);
  }
}

TEST(ts33303_context, what_is_replayed_reflected_cut_or_moved_is_refused) {
  auto a = context(side::requesting), b = context(side::commanding);
  for (const auto lcid : channels) {
    const bytes pdu = sealed(a, lcid, text);
    EXPECT_EQ(refusal(a, lcid, pdu), drop_reason::bad_record);  // one's own
    for (const auto to : channels) {
      if (to == lcid) continue;
      EXPECT_EQ(refusal(b, to, pdu),
                carries_data(to) == carries_data(lcid) ? drop_reason::bad_record : drop_reason::wrong_channel);
    }
    EXPECT_EQ(read(b, lcid, pdu), text);
    EXPECT_EQ(refusal(b, lcid, pdu), drop_reason::replayed);
    for (std::size_t n = 0; n < pdu.size(); ++n)
      EXPECT_FALSE(read(b, lcid, bytes(pdu.begin(), pdu.begin() + static_cast<std::ptrdiff_t>(n))));
  }
}

TEST(ts33303_context, a_refused_pdu_leaves_no_plain_text) {
  auto a = context(side::requesting), b = context(side::commanding);
  bytes pdu = sealed(a, 1, text);
  pdu.back() ^= 1;
  bytes out(pdu.size(), 0xee);
  EXPECT_FALSE(b.open(1, pdu, out).has_value());
  EXPECT_EQ(bytes(out.begin(), out.end() - 4), bytes(pdu.size() - 4, 0));
}

TEST(ts33303_context, a_context_has_an_id_and_keeps_to_it) {
  EXPECT_FALSE(security_context::make({0, side::requesting}, kd_sess()).has_value());
  auto a = *security_context::make({id + 1, side::requesting}, kd_sess());
  auto b = context(side::commanding);
  EXPECT_EQ(refusal(b, 1, sealed(a, 1, text)), drop_reason::unknown_link);
}

TEST(ts33303_context, channels_carry_what_they_are_for) {
  auto a = context(side::requesting);
  bytes out(100);
  for (unsigned lcid = 0; lcid < 32; ++lcid) {
    const bool data = lcid >= 1 && lcid <= 10, signalling = lcid == 29 || lcid == 30;
    const auto one = static_cast<std::uint8_t>(lcid);
    EXPECT_EQ(a.protect(one, sdu_type::ip, text, out).has_value(), data) << lcid;
    EXPECT_EQ(a.protect(one, sdu_type::pc5s, text, out).has_value(), signalling) << lcid;
  }
  EXPECT_FALSE(a.protect(1, sdu_type::ip, {}, out).has_value());
  EXPECT_FALSE(a.protect(1, sdu_type::ip, text, bytes_span(out).first(text.size() + 8)).has_value());
  const bytes large(max_sdu_octets + 1);
  bytes room(9000);
  EXPECT_FALSE(a.protect(1, sdu_type::ip, large, room).has_value());
  EXPECT_EQ(a.protect(1, sdu_type::ip, bytes_view(large).first(max_sdu_octets), room), max_sdu_octets + 9);
}

/// One number for all channels, each once, until there are none left: then nothing is sent any more.
TEST(ts33303_context, count_never_comes_twice) {
  auto a = context(side::requesting, eea::none, eia::aes);
  std::vector<bool> seen(65536);
  EXPECT_EQ(a.pdus_left(), 65535U);
  bytes out(10);
  const bytes one{1};
  for (std::size_t n = 0; n < 65535; ++n) {
    const auto lcid = channels[n % channels.size()];
    ASSERT_TRUE(a.protect(lcid, type_on(lcid), one, out).has_value());
    const std::size_t sn = static_cast<std::size_t>(out[3]) << 8 | out[4];
    ASSERT_FALSE(seen[sn]) << sn;
    seen[sn] = true;
  }
  EXPECT_FALSE(seen[0]);
  EXPECT_EQ(a.pdus_left(), 0U);
  for (const auto lcid : channels)
    EXPECT_EQ(a.protect(lcid, type_on(lcid), one, out), tl::make_unexpected(drop_reason::exhausted));
}

/// What the standard's format permits: bits can then be flipped, and PDUs repeated, by anyone.
TEST(ts33303_context, data_without_a_mac_can_be_altered_by_anyone) {
  auto a = context(side::requesting, eea::zuc, eia::zuc, false),
       b = context(side::commanding, eea::zuc, eia::zuc, false);
  bytes pdu = sealed(a, 1, text);
  EXPECT_EQ(pdu.size(), 5 + text.size());
  pdu[5] ^= 0x80;
  bytes altered = text;
  altered[0] ^= 0x80;
  EXPECT_EQ(read(b, 1, pdu), altered);
  EXPECT_EQ(read(b, 1, pdu), altered);
  bytes signalling = sealed(a, 30, text);
  signalling[5] ^= 0x80;
  EXPECT_EQ(refusal(b, 30, signalling), drop_reason::bad_record);
}

}  // namespace
}  // namespace prose::security::ts33303
