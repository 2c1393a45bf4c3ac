// KDs by peer: each its own, found for who it belongs to only.
#include "security/ts33303/kd_table.h"

#include <gtest/gtest.h>

#include "common/hex.h"

namespace prose::security::ts33303 {
namespace {

static_assert(!std::is_copy_constructible_v<shared_kd> && !std::is_copy_constructible_v<kd_table>);
static_assert(!std::is_copy_assignable_v<shared_kd> && !std::is_copy_assignable_v<kd_table>);

kd_key key(std::uint8_t first, std::uint8_t last = 0) {
  return kd_key::make([&](auto out) {
    std::fill(out.begin(), out.end(), std::uint8_t{0x5a});
    out.front() = first;
    out.back() = last;
  });
}
using peers = std::map<std::string, shared_kd, std::less<>>;
peers of(std::initializer_list<std::tuple<const char*, std::uint32_t, std::uint8_t, std::uint8_t>> list) {
  peers out;
  for (const auto& [name, id, first, last] : list) out.emplace(name, shared_kd{id, key(first, last)});
  return out;
}

TEST(ts33303_kd_table, each_peer_has_its_own) {
  const auto table = kd_table::make(of({{"john", 1, 1, 0}, {"mary", 2, 2, 0}, {"peter", 3, 1, 1}}));
  ASSERT_TRUE(table.has_value());
  ASSERT_NE(table->of_peer("john"), nullptr);
  EXPECT_EQ(to_hex(table->of_peer("john")->kd.expose()), to_hex(key(1).expose()));
  EXPECT_EQ(to_hex(table->of_peer("peter")->kd.expose()), to_hex(key(1, 1).expose()));
  EXPECT_TRUE(kd_table::make({}).has_value());
}

TEST(ts33303_kd_table, unknown_peers_and_ids_of_others_are_refused) {
  const auto table = kd_table::make(of({{"john", 1, 1, 0}, {"mary", 2, 2, 0}}));
  ASSERT_TRUE(table.has_value());
  for (const auto* name : {"", "Mary", "mar", "mary ", "peter"}) {
    EXPECT_EQ(table->of_peer(name), nullptr) << name;
    EXPECT_EQ(table->of_request(name, 2), nullptr) << name;
  }
  EXPECT_EQ(table->of_request("mary", 2), table->of_peer("mary"));
  EXPECT_EQ(table->of_request("mary", 1), nullptr);  // John's
  EXPECT_EQ(table->of_request("mary", 3), nullptr);
}

/// Wherever the two stand among others. The error names both peers and no octet of the key.
TEST(ts33303_kd_table, the_same_kd_for_two_peers_is_refused) {
  for (const auto& [one, other] : {std::pair{"adam", "zoe"}, {"john", "mary"}, {"mary", "zoe"}}) {
    peers all = of({{"adam", 1, 1, 0}, {"john", 2, 2, 0}, {"mary", 3, 3, 0}, {"zoe", 4, 4, 0}});
    all.at(other).kd = key(all.at(one).kd.expose()[0]);
    const auto table = kd_table::make(std::move(all));
    ASSERT_FALSE(table.has_value());
    EXPECT_EQ(table.error().message,
              std::string("peers '") + one + "' and '" + other + "' have the same KD; each peer needs a KD of its own");
  }
}

TEST(ts33303_kd_table, a_kd_that_was_never_set_is_refused) {
  peers all = of({{"john", 1, 1, 0}, {"mary", 2, 2, 0}});
  all.at("mary").kd = kd_key::make([](auto out) { std::fill(out.begin(), out.end(), std::uint8_t{0}); });
  const auto table = kd_table::make(std::move(all));
  ASSERT_FALSE(table.has_value());
  EXPECT_EQ(table.error().message, "peer 'mary' has a KD of zeros");
}

TEST(ts33303_kd_table, the_same_kd_id_for_two_peers_is_refused) {
  const auto table = kd_table::make(of({{"john", 7, 1, 0}, {"mary", 8, 2, 0}, {"peter", 7, 3, 0}}));
  ASSERT_FALSE(table.has_value());
  EXPECT_EQ(table.error().message, "peers 'john' and 'peter' have the same KD ID; each KD needs an ID of its own");
}

}  // namespace
}  // namespace prose::security::ts33303
