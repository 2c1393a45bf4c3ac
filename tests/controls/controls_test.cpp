// The real security sublayer's messages (and weakened ones) as captured frames, judged.
#include "tests/controls/scene.h"

namespace prose::apps {
namespace {
using namespace controls;

TEST(controls, the_product_is_opaque_with_mary_compromised) {
  scene s;
  verdict_options o;
  o.known_plaintexts = s.truth;
  o.compromised = s.key_log(s.mary);
  const auto v = judge(s.on_air().frames, o);
  EXPECT_EQ(v.outcome, verdict_outcome::opaque) << to_text(v);
  EXPECT_GE(v.records, 24U);
  EXPECT_EQ(v.links, 2U) << "records of two links, and the set-up IDs are no links";
  ASSERT_EQ(v.opened_links.size(), 2U) << "her link, one a direction";
  for (const auto& l : v.opened_links) {
    EXPECT_TRUE(l.own);
    EXPECT_EQ(l.records_opened, l.records_seen);
  }
}

TEST(controls, johns_key_log_opens_both_his_links) {
  scene s;
  verdict_options o;
  o.compromised = s.key_log(s.john);
  const auto v = judge(s.on_air().frames, o);
  EXPECT_EQ(v.opened_links.size(), 4U);
}

TEST(controls, one_key_for_all_peers_is_red_by_foreign_links) {
  scene s;
  verdict_options o;
  o.compromised = s.key_log(s.mary);
  auto with = std::const_pointer_cast<std::vector<stolen_file>>(o.compromised);
  std::vector<std::uint8_t> group(32);
  std::copy_n("Group", 5, group.begin());
  with->front().secrets.push_back({"key of all peers", group});
  const auto v = judge(s.on_air(weakness::one_key_for_all_peers).frames, o);
  EXPECT_EQ(v.outcome, verdict_outcome::exposed);
  EXPECT_TRUE(has(v, "stolen_key_opens")) << to_text(v);
}

TEST(controls, null_cipher) {
  scene s;
  const auto v = judge(s.on_air(weakness::null_cipher).frames, {});
  EXPECT_EQ(v.outcome, verdict_outcome::exposed);
  EXPECT_TRUE(has(v, "ascii_run")) << to_text(v);
}
TEST(controls, repeated_nonce) {
  scene s;
  const auto v = judge(s.on_air(weakness::repeated_nonce).frames, {});
  EXPECT_EQ(v.outcome, verdict_outcome::exposed);
  EXPECT_TRUE(has(v, "xor_of_neighbours") || has(v, "repeated_ciphertext")) << to_text(v);
}
TEST(controls, plain_identities) {
  scene s;
  const auto v = judge(s.on_air(weakness::plain_identities).frames, {});
  EXPECT_TRUE(has(v, "code_positions")) << to_text(v);
}
TEST(controls, static_token) {
  scene s;
  const auto v = judge(s.on_air(weakness::static_token).frames, {});
  EXPECT_TRUE(has(v, "request_token_reuse")) << to_text(v);
}
TEST(controls, replayable_request) {
  scene s;
  const auto v = judge(s.on_air(weakness::replayable_request).frames, {});
  EXPECT_TRUE(has(v, "replayed_request_answered")) << to_text(v);
}
TEST(controls, a_replay_that_meets_silence_is_no_finding) {
  scene s;
  auto c = s.on_air(weakness::replayable_request);
  c.frames.pop_back();
  const auto v = judge(c.frames, {});
  EXPECT_EQ(v.outcome, verdict_outcome::opaque) << to_text(v);
  EXPECT_FALSE(v.remarks.empty());
}
TEST(controls, nothing_captured_proves_nothing) { EXPECT_EQ(exit_status(judge({}, {}).outcome), 4); }

}  // namespace
}  // namespace prose::apps
