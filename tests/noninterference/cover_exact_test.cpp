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

/// Mary is there in both worlds; she talks, asks for new keys, releases and comes back, and vanishes. The others are
/// there in one of them, and do the same at other times.
struct marys_story {
  std::vector<cover_sight> sights;
  std::vector<std::string> told;  ///< what she was given, every 100 ms
  int blocks = 0, links = 0, others_links = 0, rekeyings = 0;
  std::uint64_t data = 0;
};

marys_story tell_of_mary(phy::transmission_mode tm, bool others_are_there, std::uint64_t seed) {
  cover_town_config c;
  c.tm = tm;
  c.mary = c.exact = true;
  c.present = others_are_there ? 3 : 1;
  c.seed = seed;
  cover_town t(c);
  marys_story s;
  auto& john = *t.john;
  const auto say = [&](mac::test::sim_node& a, mac::test::sim_node& b, std::size_t octets) {
    (void)a.mac().send(a.id_of(b), security::sdu_type::ip, std::vector<std::uint8_t>(octets, 1));
  };
  const auto until = [&](std::int64_t at) {
    for (; t.air.now < at; t.run(100)) {
      auto& mary = *t.peers[0];
      const auto j = john.index();
      s.told.push_back(std::to_string(mary.established[j]) + " links, " + std::to_string(mary.lost[j]) + " lost, " +
                       std::to_string(mary.rekeys[j]) + " rekeyings, " + std::to_string(mary.received_sdus[j]) +
                       " SDUs");
      if (t.air.now % 700 == 0) say(john, mary, 100), say(mary, john, 40);
      if (!others_are_there) continue;
      if (t.air.now % 400 == 0) say(john, *t.peers[1], 300), say(*t.peers[1], john, 200);
      if (t.peers[2]->on && t.air.now % 900 == 0) say(john, *t.peers[2], 900), say(*t.peers[2], john, 20);
    }
  };
  until(38'000);
  if (others_are_there) (void)t.peers[1]->mac().rekey(t.peers[1]->id_of(john));
  until(40'000);
  (void)t.peers[0]->mac().rekey(t.peers[0]->id_of(john));
  until(52'000);
  if (others_are_there) t.peers[2]->kill();
  for (const std::int64_t at : {66'000, 96'000, 126'000}) {
    until(at);
    (void)t.peers[0]->mac().release(t.peers[0]->id_of(john));
    until(at + 15'000);
    if (others_are_there) (void)john.mac().release(john.id_of(*t.peers[1]));
  }
  until(150'000);
  t.peers[0]->restart();
  until(185'000);
  s.blocks = t.marys_blocks;
  s.links = john.established[t.peers[0]->index()];
  s.others_links = john.established[t.peers[1]->index()] + john.established[t.peers[2]->index()];
  s.rekeyings = john.rekeys[t.peers[0]->index()];
  s.data = t.peers[0]->received_sdus[john.index()];
  s.sights = std::move(t.sights);
  return s;
}

/// Empty: none.
template <class story>
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
class cover_exact_mary : public testing::TestWithParam<phy::transmission_mode> {};

TEST_P(cover_exact_mary, sees_the_same_whatever_other_links_there_are) {
  const auto with = tell_of_mary(GetParam(), true, 4);
  const auto without = tell_of_mary(GetParam(), false, 4);
  EXPECT_EQ(difference(with, without), "");
  EXPECT_EQ(with.told, without.told);
  std::printf(
      "%zu transmissions equal, %d of them for Mary in every octet; %d links with her, %d with others, %d "
      "rekeyings, %d SDUs\n",
      with.sights.size(), with.blocks, with.links, with.others_links, with.rekeyings, static_cast<int>(with.data));
  EXPECT_GT(with.sights.size(), 3000U);
  EXPECT_GT(with.blocks, 300);
  EXPECT_GE(with.links, 6);
  EXPECT_GE(with.others_links, 8);
  EXPECT_EQ(without.others_links, 0);
  EXPECT_GE(with.rekeyings, 1);
  EXPECT_GE(with.data, 50U);
}
INSTANTIATE_TEST_SUITE_P(modes, cover_exact_mary,
                         testing::Values(phy::transmission_mode::tm2, phy::transmission_mode::tm4),
                         [](const auto& i) { return "tm" + std::to_string(static_cast<int>(i.param)); });

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

TEST_F(cover_exact_control, places_that_others_have) {
  taken_out = "";
  const auto none = tell_of_mary(phy::transmission_mode::tm2, false, 4);
  taken_out = "cover: a link's place does not depend on others";
  const auto d = difference(tell_of_mary(phy::transmission_mode::tm2, true, 4), none);
  EXPECT_NE(d, "");
  std::printf("%s\n", d.substr(0, 250).c_str());
}
TEST_F(cover_exact_control, a_lost_link_leaves_a_gap) { expect_found_without("cover: a place without a link goes on"); }
TEST_F(cover_exact_control, no_set_ups_without_a_link) { expect_found_without("cover: dummies show set-ups"); }
TEST_F(cover_exact_control, cells_as_long_as_their_contents) { expect_found_without("cover: cells of one size"); }
TEST_F(cover_exact_control, identifiers_that_a_peer_changes) {
  expect_found_without("cover: identifiers change in rounds only");
}
TEST_F(cover_exact_control, messages_beside_the_cells) { expect_found_without("cover: messages go into cells"); }

#endif
