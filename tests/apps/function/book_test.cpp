// Whose key is whose, whatever a server says.
#include <gtest/gtest.h>

#include "apps/ue/pc3.h"

namespace prose::apps {
namespace {

security::public_key key(std::uint8_t n) {
  security::public_key k{};
  k.octets.fill(n);
  return k;
}
using kind = pc3_event::kind;

std::string told(permission_book& b) {
  std::string out;
  for (const auto& e : b.take()) {
    out += e.what == kind::permitted ? "+" : e.what == kind::withdrawn ? "-" : "!";
    out += e.peer + std::to_string(e.key.octets[0]) + (e.text.empty() ? "" : "(" + e.text + ")") + " ";
  }
  return out;
}

TEST(permission_book, a_changed_key_is_refused_until_it_is_confirmed) {
  permission_book b("mary", key(1), {});
  b.update(0, "john", key(2));
  EXPECT_EQ(told(b), "+john2 ");
  b.update(0, "john", key(9));  // the lying server swaps it
  EXPECT_EQ(told(b), "!john9(changed key) ");
  EXPECT_EQ(b.pending().at("john"), key(9));
  b.update(0, "john", key(9));
  EXPECT_EQ(told(b), "");
  b.set_pins({{"john", key(9)}});
  EXPECT_EQ(told(b), "-john2 +john9 ");
  EXPECT_TRUE(b.pending().empty());
}

TEST(permission_book, withdrawing_and_granting_again_does_not_launder_a_swapped_key) {
  permission_book b("mary", key(1), {});
  b.update(0, "john", key(2));
  b.update(0, "john", std::nullopt);
  EXPECT_EQ(told(b), "+john2 -john2 ");
  b.update(0, "john", key(9));
  EXPECT_EQ(told(b), "!john9(changed key) ");
  b.update(0, "john", key(2));
  EXPECT_EQ(told(b), "+john2 ");
}

TEST(permission_book, duplicate_names_and_keys_and_ones_own_get_nowhere) {
  permission_book b("mary", key(1), {{"peter", key(3)}});
  b.update(0, "mary", key(5));
  b.update(0, "eve", key(1));
  b.update(0, "bad name", key(6));
  b.update(0, "paul", key(3));    // Peter's key under another name
  b.update(0, "peter", key(9));   // another key for a peer of the permission file
  const auto all = told(b);
  EXPECT_EQ(all.find('+'), std::string::npos) << all;
  EXPECT_EQ(all.find('-'), std::string::npos) << all;
  EXPECT_NE(all.find("!paul3(key of another peer)"), std::string::npos) << all;
  EXPECT_NE(all.find("!peter9(changed key)"), std::string::npos) << all;
}

TEST(permission_book, a_second_server_can_neither_swap_a_key_nor_withdraw_for_the_first) {
  permission_book b("mary", key(1), {});
  b.update(0, "john", key(2));
  b.update(1, "john", key(9));
  EXPECT_EQ(told(b), "+john2 !john9(changed key) ");
  b.replace(1, {});
  EXPECT_EQ(told(b), "");
  b.replace(0, {});
  EXPECT_EQ(told(b), "-john2 ");
}

TEST(permission_book, the_file_stays_whatever_a_server_says) {
  permission_book b("mary", key(1), {{"peter", key(3)}});
  b.update(0, "peter", key(3));
  b.update(0, "peter", std::nullopt);
  EXPECT_EQ(told(b), "");
}

TEST(permission_book, a_server_that_names_peers_without_end_is_bounded) {
  constexpr int n = 3 * permission_book::max_pins;
  const auto numbered = [](int i) {
    auto k = key(7);
    k.octets[0] = static_cast<std::uint8_t>(i);
    k.octets[1] = static_cast<std::uint8_t>(i >> 8);
    return k;
  };
  permission_book b("mary", key(1), {});
  b.update(1, "john", key(2));
  permission_book::key_map all;
  for (int i = 0; i < n; ++i) all["p" + std::to_string(i)] = numbered(i);
  b.replace(0, all);
  EXPECT_EQ(b.pins().size(), permission_book::max_pins);
  EXPECT_LE(b.take().size(), permission_book::max_pins + permission_book::max_told);
  b.update(0, "one-more", key(9));
  EXPECT_EQ(told(b), "");
  b.update(1, "john", std::nullopt);  // the others' peers go on as before
  EXPECT_EQ(told(b), "-john2 ");
}

}  // namespace
}  // namespace prose::apps
