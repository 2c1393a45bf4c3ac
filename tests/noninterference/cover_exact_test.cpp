// What John shows under link cover is the same, subframe by subframe and in every field that is not encrypted or an
// identifier, whatever links he has. Worlds with the same randomness, one stream a purpose and peer or place; seeds are
// fixed. In the controls a check is taken out (take_out.py), and the worlds differ.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "tests/noninterference/cover_town.h"
#include "tests/noninterference/taken_out.h"

using namespace prose;
using namespace prose::noninterference;

namespace {

struct story {
  std::vector<cover_sight> sights;
  int established = 0, most_links = 0, lost = 0, data = 0, rekeyings = 0;
};

/// Two of three peers come, talk, ask for new keys, leave in different ways and come back; or nobody is ever there.
story tell(phy::transmission_mode tm, bool peers_are_there, bool covered, std::uint64_t seed) {
  cover_town_config c;
  c.tm = tm;
  c.present = peers_are_there ? 2 : 0;
  c.peers_covered = covered;
  c.exact = true;
  c.seed = seed;
  cover_town t(c);
  story s;
  const auto act = [&](auto&& what) {
    if (peers_are_there) what();
  };
  auto& john = *t.john;
  auto& first = *t.peers[0];
  auto& second = *t.peers[1];
  const auto until = [&](std::int64_t at) {
    for (; t.air.now < at; t.run(std::min<std::int64_t>(500, at - t.air.now))) {
      s.most_links = std::max(s.most_links, t.places_with_links());
      act([&] {
        (void)john.mac().send(john.id_of(first), security::sdu_type::ip, std::vector<std::uint8_t>(100, 1));
        (void)first.mac().send(first.id_of(john), security::sdu_type::ip, std::vector<std::uint8_t>(40, 2));
        if (second.on && t.air.now % 1500 == 0)
          (void)john.mac().send(john.id_of(second), security::sdu_type::non_ip, std::vector<std::uint8_t>(900, 3));
      });
    }
  };
  // Rounds begin at 10 s and every 15 s; identifiers change 6.6 s later. What happens here happens between two rounds,
  // and one peer vanishes in one.
  until(35'000);
  act([&] { (void)first.mac().rekey(first.id_of(john)); });  // John answers in cells, and shows nothing
  until(58'000);
  act([&] { second.kill(); });  // without a word
  until(95'000);
  act([&] { (void)first.mac().release(first.id_of(john)); });
  until(110'000);
  act([&] { second.restart(); });
  until(153'000);
  act([&] { (void)john.mac().release(john.id_of(second)); });
  until(165'000);
  for (const auto& [n, k] : john.established) s.established += k;
  for (const auto& [n, k] : john.lost) s.lost += k;
  for (const auto& [n, k] : john.rekeys) s.rekeyings += k;
  if (peers_are_there) s.data = static_cast<int>(first.received_sdus[0] + second.received_sdus[0]);
  s.sights = std::move(t.sights);
  return s;
}

/// Empty: none.
std::string difference(const story& a, const story& b) {
  const std::size_t n = std::min(a.sights.size(), b.sights.size());
  for (std::size_t i = 0; i < n; ++i)
    if (a.sights[i] != b.sights[i])
      return "after " + std::to_string(i) + " equal ones: " + std::to_string(a.sights[i].subframe) + ' ' +
             a.sights[i].what + "; against " + std::to_string(b.sights[i].subframe) + ' ' + b.sights[i].what;
  return a.sights.size() == b.sights.size() ? "" : "one goes on";
}

struct world_kind {
  phy::transmission_mode tm;
  bool covered;
};
class cover_exact : public testing::TestWithParam<world_kind> {};

}  // namespace

#ifndef PROSE_COVER_CONTROL

TEST_P(cover_exact, john_shows_the_same_with_and_without_links) {
  const auto with = tell(GetParam().tm, true, GetParam().covered, 3);
  const auto without = tell(GetParam().tm, false, GetParam().covered, 3);
  EXPECT_EQ(difference(with, without), "");
  std::printf("%zu transmissions equal; %d links made, %d at a time, %d lost, %d rekeyings, %d SDUs\n",
              with.sights.size(), with.established, with.most_links, with.lost, with.rekeyings, with.data);
  // That the two had something to differ in.
  EXPECT_GT(with.sights.size(), 3000U);
  EXPECT_GE(with.established, 8);
  EXPECT_EQ(with.most_links, 2);
  EXPECT_GE(with.lost, 3);
  EXPECT_GE(with.rekeyings, GetParam().covered ? 0 : 1);
  EXPECT_GE(with.data, 100);
  EXPECT_EQ(without.established, 0);
}
INSTANTIATE_TEST_SUITE_P(worlds, cover_exact,
                         testing::Values(world_kind{phy::transmission_mode::tm2, false},
                                         world_kind{phy::transmission_mode::tm2, true},
                                         world_kind{phy::transmission_mode::tm4, false}),
                         [](const auto& i) {
                           return "tm" + std::to_string(static_cast<int>(i.param.tm)) +
                                  (i.param.covered ? "_peers_covered" : "");
                         });

#else

class cover_exact_control : public testing::Test {
protected:
  ~cover_exact_control() override { taken_out = ""; }
  static void expect_found_without(const char* check) {
    taken_out = "";
    const auto none = tell(phy::transmission_mode::tm2, false, false, 3);
    taken_out = check;
    const auto d = difference(tell(phy::transmission_mode::tm2, true, false, 3), none);
    EXPECT_NE(d, "") << check;
    std::printf("without '%s': %s\n", check, d.substr(0, 250).c_str());
  }
};

TEST_F(cover_exact_control, a_lost_link_leaves_a_gap) { expect_found_without("cover: a place without a link goes on"); }
TEST_F(cover_exact_control, cells_as_long_as_their_contents) { expect_found_without("cover: cells of one size"); }
TEST_F(cover_exact_control, identifiers_that_a_peer_changes) {
  expect_found_without("cover: identifiers change in rounds only");
}
TEST_F(cover_exact_control, messages_beside_the_cells) { expect_found_without("cover: messages go into cells"); }

#endif
