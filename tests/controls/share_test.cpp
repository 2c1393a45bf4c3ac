// What was not heard is not vouched for: shares of blocks, of discovery messages and of time, untried keys, thin
// evidence, pools that nobody checked.
#include <gtest/gtest.h>

#include <algorithm>

#include "apps/lib/keys/key_file.h"
#include "tests/controls/block_bench.h"
#include "tests/security/security_world.h"

namespace prose::apps {
namespace {

bool doubts(const verdict& v, const std::string& check) {
  return std::any_of(v.doubts.begin(), v.doubts.end(), [&](const auto& d) { return d.check == check; });
}
const bounded_figure& figure(const verdict& v, const std::string& name) {
  return *std::find_if(v.figures.begin(), v.figures.end(), [&](const auto& f) { return f.name == name; });
}

TEST(verdict_share, of_blocks_below_nine_tenths_proves_nothing) {
  for (const int lost : {0, 4, 5, 20'000}) {
    block_bench x;
    x.good(40);
    for (int i = 0; i < lost; ++i) x.lost();
    const auto v = judge(x.frames, {});
    EXPECT_EQ(exit_status(v.outcome), lost <= 4 ? 0 : 4) << lost;  // 40 of 44: 90.9 %; 40 of 45: 88.9 %
    EXPECT_EQ(doubts(v, "blocks_decoded"), lost > 4);
    EXPECT_NEAR(figure(v, "blocks_decoded").value, 40.0 / (40 + lost), 1e-9);
    EXPECT_EQ(figure(v, "blocks_decoded").bound, 0.9);
  }
}

TEST(verdict_share, of_discovery_below_nine_tenths_proves_nothing) {
  for (const int lost : {4, 5}) {
    block_bench x;
    x.good(40);
    for (int i = 0; i < 40; ++i) x.discovery(0);
    for (int i = 0; i < lost; ++i) x.lost_discovery();
    const auto v = judge(x.frames, {});
    EXPECT_EQ(exit_status(v.outcome), lost == 4 ? 0 : 4);
    EXPECT_EQ(doubts(v, "discovery_decoded"), lost == 5);
  }
}

TEST(verdict_share, counts_what_was_announced_and_the_time_missed) {
  block_bench x;
  x.good(40);
  const auto with = [&](hearing h) {
    analysis a({});
    for (const auto& f : x.frames) a.add(f);
    a.heard(h);
    return a.judge();
  };
  hearing h{.blocks_announced = 100,
            .blocks_decoded = 95,
            .blocks_absent = 5000,
            .discovery_occupied = 50,
            .discovery_decoded = 48,
            .seconds = 100};
  EXPECT_EQ(exit_status(with(h).outcome), 0);
  h.seconds_lost = 5;  // 0.95 * 0.95 is still enough
  EXPECT_EQ(exit_status(with(h).outcome), 0);
  h.seconds_lost = 6;  // 0.95 * 0.94 is not
  EXPECT_TRUE(doubts(with(h), "blocks_decoded"));
  EXPECT_EQ(exit_status(with(h).outcome), 4);
  h.seconds_lost = 0;
  h.blocks_decoded = 89;
  EXPECT_EQ(exit_status(with(h).outcome), 4);
  h.blocks_decoded = 95;
  h.pools_told = true;
  EXPECT_TRUE(doubts(with(h), "pools_told"));
  EXPECT_EQ(exit_status(with(h).outcome), 4);
  h.searched_beside = true;
  EXPECT_EQ(exit_status(with(h).outcome), 0);
}

TEST(verdict_share, of_sdus_that_lost_blocks_cut_counts_as_not_decoded) {
  for (const int every : {20, 3}) {
    block_bench x;
    x.good(40);
    for (int i = 0; i < 60; ++i) x.cut_in_two(block_bench::a, block_bench::b, 100 + i, x.noise(120), i % every == 0);
    const auto v = judge(x.frames, {});
    EXPECT_EQ(exit_status(v.outcome), every == 20 ? 0 : 4) << to_text(v);
    EXPECT_GT(v.octets.cut, 0U);
  }
}

TEST(verdict_share, of_too_few_records_or_octets_proves_nothing) {
  block_bench none;
  EXPECT_EQ(exit_status(judge(none.frames, {}).outcome), 4);
  block_bench few;
  few.good(7);
  EXPECT_TRUE(doubts(judge(few.frames, {}), "evidence"));
  block_bench enough;
  enough.good(8);
  EXPECT_EQ(exit_status(judge(enough.frames, {}).outcome), 0);
}

TEST(verdict_share, three_wins_over_four) {
  block_bench x;
  x.good(40);
  for (int i = 0; i < 40; ++i) x.block(0x35a7c1, block_bench::b, 1, x.pdcp(0, 0x1234, i, x.text(i)));
  for (int i = 0; i < 1000; ++i) x.lost();
  const auto v = judge(x.frames, {});
  EXPECT_EQ(exit_status(v.outcome), 3);
  EXPECT_TRUE(doubts(v, "blocks_decoded"));
}

/// A key that was stolen, and codes on the air that it would recognise if the time of the capture were known.
TEST(verdict_share, of_keys_that_were_not_tried_proves_nothing) {
  security::test::seeded_random random{99};
  security::crypto::mbedtls_x25519 dh{random};
  const security::ports p{random, dh};
  const auto john = security::key_pair::generate(p), peter = security::key_pair::generate(p);
  const auto shared = *dh.agree(peter.private_key, john.public_part);
  security::pre_shared_key no_psk =
      security::pre_shared_key::make([](auto out) { std::fill(out.begin(), out.end(), std::uint8_t{0}); });
  const auto keys = security::derive_direction(no_psk, shared, peter.public_part, john.public_part);
  const auto base64 = [](const auto& octets) { return keys::to_base64(octets); };
  const auto state = [&](bool with_permit) {
    auto all = std::make_shared<std::vector<stolen_file>>();
    all->push_back(std::move(*parse_stolen_state(base64(peter.private_key.expose()) + "\n", "peter.key")));
    if (with_permit)
      all->push_back(std::move(*parse_stolen_state("john " + base64(john.public_part.octets) + "\n", "peter.permit")));
    return all;
  };
  block_bench x;
  x.good(40);
  for (int i = 0; i < 20; ++i) {
    x.discovery(0);
    const auto made = security::make_discovery(security::discovery_type::announcement, keys,
                                               static_cast<security::slot_t>(1'700'000'000 + i / 8));
    x.frames.back().octets.assign(made.begin(), made.end());
  }
  const auto with = [&](std::optional<std::pair<security::slot_t, security::slot_t>> slots) {
    x.options.compromised = state(true);
    x.options.slots = slots;
    return judge(x.frames, x.options);
  };
  const auto unknown = with(std::nullopt);
  EXPECT_EQ(exit_status(unknown.outcome), 4) << to_text(unknown);
  EXPECT_TRUE(doubts(unknown, "keys_untried"));
  const auto wrong = with(std::pair{security::slot_t{1'600'000'000}, security::slot_t{1'600'000'100}});
  EXPECT_EQ(exit_status(wrong.outcome), 4) << "tried at another time: " << to_text(wrong);
  const auto right = with(std::pair{security::slot_t{1'700'000'000}, security::slot_t{1'700'000'100}});
  EXPECT_EQ(exit_status(right.outcome), 0) << to_text(right);
}

}  // namespace
}  // namespace prose::apps
