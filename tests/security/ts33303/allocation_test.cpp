// What runs for each message allocates nothing: the operator new of this program counts. mbedTLS's AES has no memory of
// its own beyond its context.
#include <gtest/gtest.h>

#include <vector>

#include "security/ts33303/context.h"
#include "tests/harness/allocations.h"
#include "tests/security/ts33303/messages_fixture.h"

namespace prose::security::ts33303 {
namespace {

using prose::test::allocations;
const std::array<std::uint8_t, 16> key{1, 2, 3};

TEST(ts33303_allocation, algorithms_allocate_for_a_key_only) {
  std::vector<std::uint8_t> text(1500, 1);
  for (const auto a : {eea::none, eea::snow3g, eea::aes, eea::zuc}) {
    const long unkeyed = allocations;
    const ciphering c(a, encryption_key{key});
    const long before = allocations;
    EXPECT_GT(before, unkeyed);  // the counter counts
    c.apply({1, 2, true}, text, 8 * text.size(), text);
    EXPECT_EQ(allocations, before);
  }
  for (const auto a : {eia::snow3g, eia::aes, eia::zuc}) {
    const integrity i(a, integrity_key{key});
    const long before = allocations;
    EXPECT_TRUE(i.verify({1, 2, true}, text, 8 * text.size(), i.mac({1, 2, true}, text, 8 * text.size())));
    EXPECT_EQ(allocations, before);
  }
}

/// What is taken, replayed and forged, on channels of each kind.
TEST(ts33303_allocation, pdus_are_protected_and_opened_in_place) {
  const auto kd_sess = kd_sess_key::make([](auto out) { std::ranges::copy(key, out.begin()); });
  const std::vector<std::uint8_t> text(1500, 1);
  std::vector<std::uint8_t> pdu(text.size() + pdcp_header_octets + mac_octets), out(pdu.size());
  for (const auto e : {eea::none, eea::snow3g, eea::aes, eea::zuc})
    for (const auto i : {eia::snow3g, eia::aes, eia::zuc}) {
      const long unkeyed = allocations;
      auto from = *security_context::make({1, side::requesting, e, i}, kd_sess);
      auto to = *security_context::make({1, side::commanding, e, i}, kd_sess);
      const long before = allocations;
      EXPECT_GT(before, unkeyed);  // the counter counts
      for (const std::uint8_t lcid : {1, 29, 30}) {
        const auto type = carries_data(lcid) ? sdu_type::ip : sdu_type::pc5s;
        EXPECT_EQ(from.protect(lcid, type, text, pdu), pdu.size());
        pdu.back() ^= 1;
        EXPECT_FALSE(to.open(lcid, pdu, out).has_value());
        pdu.back() ^= 1;
        EXPECT_TRUE(to.open(lcid, pdu, out).has_value());
        EXPECT_FALSE(to.open(lcid, pdu, out).has_value());
      }
      EXPECT_EQ(allocations, before);
    }
}

TEST(ts33303_allocation, messages_are_read_and_written_in_place) {
  std::vector<std::uint8_t> out(max_sdu_octets);
  for (const auto& e : test::examples()) {
    const long before = allocations;
    const auto read = parse(e.octets);
    EXPECT_TRUE(read && write(read->message, out) == e.octets.size());
    EXPECT_EQ(allocations, before);
  }
}

}  // namespace
}  // namespace prose::security::ts33303
