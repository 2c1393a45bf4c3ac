// The verdict on UEs of profile ts33303: it knows their messages and records, and tells what the standard's procedure
// shows from what this implementation would.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "apps/lib/verdict/standard_profile.h"
#include "security/ts33303/context.h"
#include "tests/controls/bench.h"
#include "tests/security/ts33303/direct_world.h"

namespace prose::security::ts33303::test {
namespace {

using apps::judged_profile;
using apps::verdict_outcome;
using bytes = std::vector<std::uint8_t>;

/// Mary and John: a link with data, a rekeying, a second set-up.
struct heard_town {
  three_ues w;
  apps::bench bench;

  explicit heard_town(const direct_link_config& config = {}) : w(config, config) {
    bench.options.profile = judged_profile::ts33303;
  }
  void talk(int records = 12, std::size_t octets = 60) {
    for (int i = 0; i < records; ++i) {
      ASSERT_TRUE(w.air.send(w.mary, w.john, bench.noise(octets)));
      ASSERT_TRUE(w.air.send(w.john, w.mary, bench.noise(octets)));
    }
  }
  void whole_story() {
    ASSERT_TRUE(w.air.link_up(w.mary, w.john));
    talk();
    ASSERT_TRUE(w.mary.links->rekey(*w.mary.link_with(w.john), w.air.now, w.mary.pending));
    w.air.settle();
    talk();
    w.air.pass(20'000);  // keep-alives
    ASSERT_TRUE(w.air.link_up(w.john, w.mary));
    talk();
  }
  apps::verdict judge() {
    for (const auto& f : w.air.captured) hear(f);
    w.air.captured.clear();
    return apps::judge(bench.frames, bench.options);
  }
  void hear(const frame& f) {
    bytes pdu;
    if (f.lcid == 28) pdu.assign(unprotected_pdcp_header.begin(), unprotected_pdcp_header.end());
    pdu.insert(pdu.end(), f.octets.begin(), f.octets.end());
    bench.sdu(f.src, f.dst, f.lcid, pdu);
  }
};

std::set<std::string> checks_of(const apps::verdict& v) {
  std::set<std::string> names;
  for (const auto& f : v.findings) names.insert(f.check);
  return names;
}

TEST(ts33303_verdict, only_the_standards_own_weaknesses_are_found) {
  heard_town t;
  t.whole_story();
  const auto v = t.judge();
  EXPECT_EQ(checks_of(v), (std::set<std::string>{"kd_id_in_clear", "user_info_in_clear", "l2_id_survives_rotation"}));
  for (const auto& f : v.findings) EXPECT_TRUE(f.of_standard) << f.check;
  EXPECT_TRUE(v.doubts.empty()) << v.doubts.front().check << v.doubts.front().reason;
  EXPECT_EQ(v.octets.unexplained, 0U);
  EXPECT_EQ(v.outcome, verdict_outcome::exposed);
  EXPECT_EQ(v.reason.rfind("by the standard's own procedure only", 0), 0U) << v.reason;
  EXPECT_EQ(v.requests, 2U);
  EXPECT_EQ(v.commands, 3U);  // one of a rekeying
  EXPECT_EQ(v.completes, 3U);
  EXPECT_GT(v.records, 72U);
  EXPECT_TRUE(std::ranges::any_of(v.remarks, [](const auto& r) { return r.check == "mac_i_in_clear"; }));
  EXPECT_NE(to_json(v).find("\"profile\": \"ts33303\""), std::string::npos);
}

/// No frame tells the profile: whoever judges by the other one's layouts does not understand the set-ups.
TEST(ts33303_verdict, the_default_profile_does_not_explain_these_set_ups) {
  heard_town t;
  t.whole_story();
  t.bench.options.profile = judged_profile::ltesl;
  const auto v = t.judge();
  EXPECT_NE(v.outcome, verdict_outcome::opaque);
  EXPECT_GT(v.octets.unexplained, 0U);
  EXPECT_FALSE(checks_of(v).contains("kd_id_in_clear"));
}

/// And the other way round.
TEST(ts33303_verdict, set_ups_of_the_default_profile_are_not_explained) {
  apps::bench x;
  x.options.profile = judged_profile::ts33303;
  x.link(0x1c92e5, 0xd3471a, 0x7d21);
  x.message(0x1c92e5, 0xd3471a, x.request());
  x.message(0xd3471a, 0x1c92e5, x.command());
  const auto v = apps::judge(x.frames, x.options);
  EXPECT_EQ(v.outcome, verdict_outcome::nothing_proven);
  EXPECT_EQ(v.requests + v.commands, 0U);
}

TEST(ts33303_verdict, text_in_clear_is_this_implementations_own) {
  direct_link_config clear;
  clear.algorithms.ciphering = {eea::none};
  heard_town t(clear);
  ASSERT_TRUE(t.w.air.link_up(t.w.mary, t.w.john));
  t.talk();
  const std::string text = "the quick brown fox and a lazy dog 17:4";
  ASSERT_TRUE(t.w.air.send(t.w.mary, t.w.john, {text.begin(), text.end()}));
  const auto v = t.judge();
  ASSERT_TRUE(checks_of(v).contains("ascii_run"));
  EXPECT_FALSE(v.findings.front().of_standard);  // told before those of the standard
  EXPECT_EQ(v.reason.rfind("content", 0), 0U) << v.reason;
}

TEST(ts33303_verdict, a_nonce_that_comes_again_is_found) {
  heard_town t;
  t.whole_story();
  frame again;
  for (const auto& f : t.w.air.captured)
    if (f.lcid == 28) again = f;
  auto m = parse(again.octets)->message;
  ++std::get<direct_communication_request>(m.body).kd_sess_id_msb;
  bytes octets(256);
  octets.resize(write(m, octets).value());
  again.octets = octets;
  again.src = 0x123456;
  t.w.air.captured.push_back(again);
  const auto v = t.judge();
  ASSERT_TRUE(checks_of(v).contains("nonce_reuse"));
  EXPECT_FALSE(v.findings.front().of_standard);
}

/// Whoever has heard a Request makes one of his own, and the answer tells that the peer is there.
TEST(ts33303_verdict, an_answer_to_an_altered_request_is_the_standards) {
  heard_town t;
  ASSERT_TRUE(t.w.air.link_up(t.w.mary, t.w.john));
  frame forged = t.w.air.captured.at(0);
  forged.octets[12] ^= 1;  // Nonce_1
  t.w.air.captured.push_back(forged);
  ASSERT_TRUE(t.w.john.hear(forged, t.w.air.now));
  t.w.air.settle();
  t.talk();
  const auto v = t.judge();
  const auto at = std::ranges::find_if(v.findings, [](const auto& f) { return f.check == "forged_request_answered"; });
  ASSERT_NE(at, v.findings.end());
  EXPECT_TRUE(at->of_standard);
}

}  // namespace
}  // namespace prose::security::ts33303::test
