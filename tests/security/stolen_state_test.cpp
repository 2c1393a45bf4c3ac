// Mary's whole state against everything that John and Peter sent: every key, every derivation, every message.
#include <gtest/gtest.h>

#include "tests/security/stolen_scene.h"
#include "tests/security/weak_variants.h"

namespace prose::security::test {
namespace {

TEST(stolen_state, every_key_on_every_message_finds_nothing) {
  scene s;
  const evidence e = s.run();
  ASSERT_GE(e.truth.size(), 20U);
  ASSERT_GE(s.epochs_before_rekeying, 3U) << "ratchets deeper than two";
  ASSERT_GE(e.stolen.size(), 45U);
  const findings f = search(e);
  RecordProperty("keys_tried", static_cast<int>(f.keys_tried));
  RecordProperty("trials", static_cast<int>(f.trials));
  std::printf("%zu keys, %zu trials, %zu records, %zu handshake chains\n", f.keys_tried, f.trials, f.records_seen,
              f.handshake_chains);
  for (const auto& [kind, n] : f.by) std::printf("  %s: %zu\n", kind.c_str(), n);
  EXPECT_GT(f.keys_tried, 50'000U);
  EXPECT_GT(f.handshake_chains, 500'000U);
  EXPECT_FALSE(f.reduced);
  EXPECT_GE(f.records_seen, e.truth.size());
  EXPECT_EQ(f.opened, 0U);
  EXPECT_EQ(f.readable, 0U);
  EXPECT_EQ(f.keystream_reused, 0U);
  EXPECT_EQ(f.recognised, 0U);
  EXPECT_EQ(f.linked, 0U);
  EXPECT_EQ(f.forged, 0U);
  EXPECT_EQ(f.replays_answered, 0U);
}

TEST(stolen_state, is_all_of_it_whatever_is_under_way) {
  scene s;
  const evidence e = s.run();
  const auto has = [](const std::vector<stolen_secret>& state, const char* what) {
    return std::any_of(state.begin(), state.end(),
                       [&](const auto& x) { return x.name.find(what) != std::string::npos; });
  };
  for (const char* what :
       {"static private key", "john psk", "john shared secret", "john ours announce", "john theirs command token",
        "dummy 1 query", "attempt ephemeral private key", "attempt chaining key", "attempt payload key",
        "attempt transcript", "link epoch 0 tx key", "link epoch 1 rx iv", "link root", "link binding",
        "rekeying ephemeral private key", "rekeying chaining key"})
    EXPECT_TRUE(has(e.stolen, what)) << what;
  for (const char* what :
       {"staged epoch 0 tx key", "staged root", "staged binding"})  // John has answered Mary's rekeying
    EXPECT_TRUE(has(scene::state_of(s.john), what)) << what;
  for (const char* what : {"pending link root", "complete"}) EXPECT_TRUE(has(scene::state_of(s.peter), what)) << what;
}

TEST(stolen_state, whole_state_of_john_opens_recognises_and_forges) {
  scene s;
  evidence e = s.run();
  e.stolen = scene::state_of(s.john);
  const findings f = search(e);
  EXPECT_GT(f.opened, 0U);
  EXPECT_GT(f.recognised, 0U);
  EXPECT_GT(f.forged, 0U);
}

void expect_the_past_closed(scene& s, evidence& e) {
  std::size_t seen = 0;
  std::erase_if(e.frames, [&](const frame& f) { return channel_index(f.lcid) && ++seen > s.records_of_first_link; });
  e.reacts_now = nullptr;
  e.reacts_later = nullptr;
  e.believes = nullptr;
  e.discovery.clear();
  const findings f = search(e);
  EXPECT_EQ(f.records_seen, s.records_of_first_link);
  // Of set-ups towards John the request opens to his static key, of those under way what his ephemeral gives; no record
  // does.
  for (const auto& [kind, n] : f.by) EXPECT_EQ(kind.find("record"), std::string::npos) << kind << ": " << n;
  EXPECT_EQ(f.found("opened complete"), 0U);
}

/// A second after another link took its place everything of the first is wiped.
TEST(stolen_state, johns_state_after_the_rekeying_opens_no_old_record) {
  scene s;
  evidence e = s.run();
  e.stolen = scene::state_of(s.john);
  std::erase_if(e.stolen, [](const auto& x) { return !x.name.starts_with("pe") && x.name != "static private key"; });
  std::erase_if(e.stolen, [](const auto& x) { return x.name.starts_with("peer 2"); });  // Peter is peer 1
  expect_the_past_closed(s, e);
}
TEST(stolen_state, whole_state_after_the_rekeying_opens_no_old_record) {
  scene s;
  evidence e = s.run();
  e.stolen = scene::state_of(s.john);
  expect_the_past_closed(s, e);
}

/// What each weak variant must be broken by. The thief needs no more than her key file (and the group key where there
/// is one).
class weak_variant : public ::testing::TestWithParam<weakness> {
protected:
  void expect_broken(const findings& f, const evidence& e) {
    EXPECT_FALSE(f.nothing_found());
    switch (GetParam()) {
      case weakness::one_key_for_all_peers:
        EXPECT_EQ(f.found("opened record by its key"), e.truth.size());
        break;
      case weakness::null_cipher:
        EXPECT_EQ(f.readable, e.truth.size());
        break;
      case weakness::repeated_nonce:
        EXPECT_GT(f.keystream_reused, 0U);
        break;
      case weakness::plain_identities:
        EXPECT_GT(f.found("recognised identity in the clear"), 0U);
        break;
      case weakness::static_token:
        EXPECT_GT(f.linked, 0U);
        break;
      case weakness::replayable_request:
        EXPECT_GT(f.replays_answered, 0U);
        break;
    }
  }
};

TEST_P(weak_variant, is_broken_by_the_same_search) {
  scene s;
  evidence e = s.run();
  std::erase_if(e.stolen, [](const auto& x) { return x.name != "static private key"; });
  const evidence weak = weaken(std::move(e), GetParam());
  expect_broken(search(weak), weak);
}
TEST_P(weak_variant, whole_state_is_broken_by_the_same_search) {
  scene s;
  const evidence weak = weaken(s.run(), GetParam());
  expect_broken(search(weak), weak);
}
TEST(weak_variant_control, her_key_file_alone_breaks_nothing_of_the_product) {
  scene s;
  evidence e = s.run();
  std::erase_if(e.stolen, [](const auto& x) { return x.name != "static private key"; });
  EXPECT_TRUE(search(e).nothing_found());
}
INSTANTIATE_TEST_SUITE_P(controls, weak_variant, ::testing::ValuesIn(all_weaknesses),
                         [](const auto& w) { return name_of(w.param); });

}  // namespace
}  // namespace prose::security::test
