// Restricted discovery of TS 33.303 6.1 as far as it is known: octets, order of the steps, what is refused and what is
// not.
#include "security/ts33303/discovery.h"

#include <gtest/gtest.h>

#include <numeric>

#include "common/hex.h"
#include "tests/security/security_world.h"

namespace prose::security::ts33303 {
namespace {

template <class Key>
Key key(std::uint8_t octet) {
  return Key::make([octet](auto out) { std::ranges::fill(out, octet); });
}

constexpr unsigned dusk = 1, duik = 2, duck = 4, all_keys = 7;
code_security keys_with(unsigned which, std::uint8_t change = 0) {
  code_security s;
  if ((which & dusk) != 0) s.dusk = key<scrambling_key>(0x11 ^ change);
  if ((which & duik) != 0) s.duik = key<discovery_integrity_key>(0x22 ^ change);
  if ((which & duck) != 0) s.duck = key<discovery_confidentiality_key>(0x33 ^ change);
  std::fill(s.encrypted_bits.begin() + 11, s.encrypted_bits.end(), std::uint8_t{0xff});
  return s;
}

restricted_code peters_code() {
  restricted_code c{};
  std::iota(c.begin(), c.end(), std::uint8_t{1});
  return c;
}
code_filter filter_of(const restricted_code& code) {
  code_filter f{code, {}};
  f.mask.fill(0xff);
  return f;
}

class ts33303_discovery : public testing::Test {
protected:
  discovery_pdu sent(std::uint32_t counter, unsigned keys = all_keys) {
    return protect_discovery(discovery_type::announcement, peters_code(), keys_with(keys), counter, random_);
  }
  static result<opened_discovery, drop_reason> heard(bytes_view pdu, std::uint32_t own, unsigned keys = all_keys) {
    return open_discovery(pdu, keys_with(keys), filter_of(peters_code()), own);
  }
  test::seeded_random random_{1};
};

/// Computed with Python's hmac, from the steps as unverified.h and discovery.cpp have them. It says nothing of the
/// standard.
TEST_F(ts33303_discovery, regression_octets_computed_separately) {
  const std::tuple<discovery_type, std::uint32_t, const char*> rows[] = {
      {discovery_type::announcement, 0x65012345, "8184c2e4c12a126ca1f2f48ce4b07fb9a16b3f6bf5f053eaa7c9987545"},
      {discovery_type::response, 0xffffffff, "82a72a5b1c38bcaae86962c18b6badfa16228968966e6af54956eef3ff"},
      {discovery_type::query, 0, "86f8e3a95e85f65bc3cc913fb5321b1e9253025e76083a8fcd2a92e000"}};
  for (const auto& [type, counter, octets] : rows) {
    const auto pdu = protect_discovery(type, peters_code(), keys_with(all_keys), counter, random_);
    EXPECT_EQ(to_hex(pdu), octets);
    const auto o = heard(pdu, counter);
    ASSERT_TRUE(o.has_value());
    EXPECT_EQ(o->type, type);
    EXPECT_EQ(o->code, peters_code());
    EXPECT_EQ(o->counter, counter);
    EXPECT_TRUE(o->mic_verified);
  }
}

TEST_F(ts33303_discovery, each_key_is_optional) {
  for (unsigned which = 0; which <= all_keys; ++which) {
    const auto o = heard(sent(1000, which), 1000, which);
    ASSERT_TRUE(o.has_value()) << which;
    EXPECT_EQ(o->code, peters_code());
    EXPECT_EQ(o->mic_verified, (which & duik) != 0);
    EXPECT_EQ(sent(1000, which) == sent(1000, which), (which & duik) != 0) << "without a DUIK the MIC is random";
  }
}

TEST_F(ts33303_discovery, duck_hides_the_marked_bits_only) {
  const auto with = sent(1000, duik | duck), without = sent(1000, duik);
  EXPECT_TRUE(std::equal(with.begin(), with.begin() + 12, without.begin()));
  EXPECT_FALSE(std::equal(with.begin() + 12, with.begin() + 24, without.begin() + 12));
  EXPECT_TRUE(std::equal(with.begin() + 24, with.end(), without.begin() + 24));
}

TEST_F(ts33303_discovery, every_flipped_bit_is_refused) {
  const auto pdu = sent(1000);
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * pdu.size(); ++bit) {
    auto altered = pdu;
    altered[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    refused += !heard(altered, 1000).has_value();
  }
  EXPECT_EQ(refused, 8 * 29);
}

TEST_F(ts33303_discovery, the_counter_is_completed_and_bounded_at_its_wraps_too) {
  for (const std::uint32_t counter : {1000U, 1023U, 1024U, 0U, 5U, 0xfffffffeU}) {
    const auto pdu = sent(counter);
    for (int off = -200; off <= 200; ++off) {
      const auto o = heard(pdu, counter + static_cast<std::uint32_t>(off));
      EXPECT_EQ(o.has_value(), std::abs(off) <= unverified::max_offset_s) << counter << " " << off;
      if (o) {
        EXPECT_EQ(o->counter, counter);
      }
    }
  }
  EXPECT_EQ(heard(sent(1000), 1033).error(), drop_reason::stale);
}

TEST_F(ts33303_discovery, other_lengths_types_codes_and_keys_are_refused) {
  const auto pdu = sent(1000);
  for (std::size_t n = 0; n < pdu.size(); ++n)
    EXPECT_EQ(heard(bytes_view(pdu).first(n), 1000).error(), drop_reason::malformed);
  std::vector<std::uint8_t> longer(pdu.begin(), pdu.end());
  longer.push_back(0);
  EXPECT_EQ(heard(longer, 1000).error(), drop_reason::malformed);
  for (unsigned type = 0; type < 256; ++type) {
    if (type == 0x81 || type == 0x82 || type == 0x86) continue;
    auto other = pdu;
    other[0] = static_cast<std::uint8_t>(type);
    EXPECT_EQ(heard(other, 1000).error(), drop_reason::malformed) << type;
  }
  auto other_code = peters_code();
  other_code[0] ^= 1;
  EXPECT_EQ(open_discovery(pdu, keys_with(all_keys), filter_of(other_code), 1000).error(), drop_reason::not_addressed);
  EXPECT_EQ(open_discovery(pdu, keys_with(all_keys, 1), filter_of(peters_code()), 1000).error(),
            drop_reason::not_addressed);
  code_security other_duik = keys_with(dusk | duck);
  other_duik.duik = key<discovery_integrity_key>(0x23);
  EXPECT_EQ(open_discovery(pdu, other_duik, filter_of(peters_code()), 1000).error(), drop_reason::bad_token);
}

TEST_F(ts33303_discovery, a_filter_looks_at_hidden_and_open_bits) {
  const auto pdu = sent(1000);
  for (const std::size_t octet : {std::size_t{0}, std::size_t{22}}) {
    code_filter f;
    f.mask[octet] = 0xf0;
    f.value[octet] = peters_code()[octet];
    EXPECT_TRUE(open_discovery(pdu, keys_with(all_keys), f, 1000).has_value());
    f.value[octet] ^= 0x0f;
    EXPECT_TRUE(open_discovery(pdu, keys_with(all_keys), f, 1000).has_value());
    f.value[octet] ^= 0x10;
    EXPECT_EQ(open_discovery(pdu, keys_with(all_keys), f, 1000).error(), drop_reason::not_addressed);
  }
}

}  // namespace
}  // namespace prose::security::ts33303
