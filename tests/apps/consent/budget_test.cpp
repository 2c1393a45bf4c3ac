// Grants that a peer switches off and on as fast as a server lets it.
#include <gtest/gtest.h>

#include <cstdio>
#include <ctime>
#include <string>

#include "apps/lib/pc3/permission_book.h"

namespace prose::apps {
namespace {

using kind = pc3_event::kind;

TEST(budget_consent, a_switched_grant_starts_once_in_5_s_and_ends_at_once) {
  security::public_key own{}, mary{};
  own.octets.fill(1);
  mary.octets.fill(2);
  permission_book b("john", own, {}, 86400);
  keys::consent_list list;
  list.entries["mary"] = {keys::consent_state::confirmed, mary.octets};
  permission_book::key_map names{{"mary", mary}};
  for (int i = 0; i < 999; ++i) {  // and a large list beside it, whose keys a server gave
    security::public_key k{};
    k.octets[0] = static_cast<std::uint8_t>(i);
    k.octets[1] = static_cast<std::uint8_t>(1 + i / 256);
    names[std::string("p").append(std::to_string(i))] = k;
    list.entries[std::string("p").append(std::to_string(i))] =
        i < 63 ? keys::consent{keys::consent_state::confirmed, k.octets} : keys::consent{};
  }
  b.set_consents(list);
  clock_reading now{1'800'000'000, 1'700'000'000, 0};
  b.replace(0, names, now);
  int at_first = 0;
  for (const auto& e : b.take()) at_first += e.what == kind::permitted;
  EXPECT_EQ(at_first, 64);
  int permitted = 0, withdrawn = 0;
  bool in_force = true;
  const auto began = std::clock();
  for (int i = 0; i < 400; ++i) {  // 20 a second for 20 s: the server's limit
    now.steady_ms += 50;
    b.advance(now);
    b.update(0, "mary", i % 2 == 1 ? std::optional(mary) : std::nullopt, now);
    for (const auto& e : b.take()) {
      permitted += e.what == kind::permitted;
      withdrawn += e.what == kind::withdrawn;
      in_force = e.what == kind::permitted;
      EXPECT_EQ(e.peer, "mary");
    }
    EXPECT_FALSE(i % 2 == 0 && in_force) << i;  // the end never waits
  }
  const double cpu_s = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  std::printf("FIGURE budget: 400 switches in 20 s, 1000 names: %d times permitted, %.2f s of processor\n", permitted,
              cpu_s);
  EXPECT_LE(permitted, 5);
  EXPECT_GE(permitted, 3);
  EXPECT_LE(withdrawn, permitted + 1);
  // What it ends with counts, once its turn comes.
  now.steady_ms += permission_book::permit_gap_ms;
  b.advance(now);
  const auto last = b.take();
  if (!in_force) {
    ASSERT_EQ(last.size(), 1U);
    EXPECT_EQ(last[0].what, kind::permitted);
  }
}

}  // namespace
}  // namespace prose::apps
