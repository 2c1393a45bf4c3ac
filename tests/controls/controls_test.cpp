// The real security sublayer's messages (and weakened ones) as captured frames, judged. Frames are built here, no radio is involved.
#include <gtest/gtest.h>

#include <algorithm>

#include "apps/verdict/verdict.h"
#include "mac/rlc_um.h"
#include "tests/security/weak_variants.h"

namespace prose::apps {
namespace {
using namespace security::test;
using security::export_permit;

class capture {
 public:
  void sl_sch(const frame& f, double t) {
    std::vector<std::uint8_t> sdu;
    if (f.lcid == 28 || f.lcid == 29) sdu.assign(security::unprotected_pdcp_header.begin(), security::unprotected_pdcp_header.end());
    sdu.insert(sdu.end(), f.octets.begin(), f.octets.end());
    mac::rlc_um_tx rlc;
    ASSERT_TRUE(rlc.enqueue(sdu));
    captured_frame c = base(frame_kind::sl_sch, t);
    c.octets.resize(sdu.size() + 20);
    mac::sl_sch_builder b({mac::sl_sch_version::v2x, f.src, f.dst}, c.octets);
    auto room = b.add(f.lcid, rlc.wanted_octets());
    rlc.build(room);
    b.finish();
    frames.push_back(c);
  }
  void discovery(const security::discovery_pdu& d, double t) {
    captured_frame c = base(frame_kind::discovery, t);
    c.octets.assign(d.begin(), d.end());
    frames.push_back(c);
  }
  std::vector<captured_frame> frames;

 private:
  captured_frame base(frame_kind k, double t) {
    captured_frame c;
    c.number = frames.size();
    c.kind = k;
    c.time_s = t;
    return c;
  }
};

struct scene {
  scene() {
    john.knows(peter), peter.knows(john), john.knows(mary), mary.knows(john);
    world.ues = {&john, &peter, &mary};
    world.set_slots();
    john_mary = *world.link_up(john, mary);
    world.pass(1000);
    john_peter = *world.link_up(john, peter);
    for (int i = 0; i < 12; ++i) {
      const std::string text = "message number " + std::to_string(i) + ": meet me at the old mill at noon";
      const std::vector<std::uint8_t> data(text.begin(), text.end());
      (void)(i % 2 == 0 ? world.send(john, john_peter.first, data) : world.send(peter, john_peter.second, data));
      (void)(i % 2 == 0 ? world.send(john, john_mary.first, data) : world.send(mary, john_mary.second, data));
      truth.push_back(data);
      truth.push_back(data);
    }
  }
  std::shared_ptr<std::vector<stolen_file>> key_log(ue& u) {
    std::string text;
    for (const auto& [id, live] : {std::pair{john_mary, &mary}, std::pair{john_peter, &peter}}) {
      const bool johns = &u == &john;
      if (!johns && live != &u) continue;
      for (const auto& l : security::key_log_lines(u.security->links(), johns ? id.first : id.second, export_permit::user_was_warned()))
        text += l + "\n";
    }
    auto parsed = parse_stolen_state(text, u.name + ".keylog");
    if (!parsed) throw std::runtime_error(parsed.error().message);
    auto out = std::make_shared<std::vector<stolen_file>>();
    out->push_back(std::move(*parsed));
    return out;
  }
  /// What is on the air, weakened or not.
  capture on_air(std::optional<weakness> w = {}) {
    evidence e;
    e.frames = world.captured;
    e.truth = truth;
    e.publics = {john.security->peers().own_public()};
    e.discovery = world.captured_discovery;
    if (w) e = weaken(std::move(e), *w);
    capture c;
    for (std::size_t i = 0; i < e.discovery.size(); ++i) c.discovery(e.discovery[i], static_cast<double>(i) / 48);
    for (std::size_t i = 0; i < e.frames.size(); ++i) c.sl_sch(e.frames[i], 0.1 * static_cast<double>(i));
    if (w == weakness::replayable_request) {
      const auto request = std::find_if(e.frames.begin(), e.frames.end(), [](const auto& f) { return f.lcid == 28; });
      const auto command = std::find_if(request, e.frames.end(), [](const auto& f) { return f.lcid == 29; });
      c.sl_sch(*request, 3600);  // an hour later, and it is answered
      c.sl_sch(*command, 3600.2);
    }
    return c;
  }
  ue john{"john", 41}, peter{"peter", 42}, mary{"mary", 43};
  air world;
  std::pair<security::link_id, security::link_id> john_mary, john_peter;
  std::vector<std::vector<std::uint8_t>> truth;
};

bool has(const verdict& v, const std::string& check) {
  return std::any_of(v.findings.begin(), v.findings.end(), [&](const auto& f) { return f.check == check && !f.frames.empty(); });
}

TEST(controls, the_product_is_opaque_with_mary_compromised_and_her_key_log_opens_only_hers) {
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

TEST(controls, one_key_for_all_peers_is_red_because_a_stolen_key_opens_foreign_links) {
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
TEST(controls, nothing_captured_proves_nothing) {
  EXPECT_EQ(exit_status(judge({}, {}).outcome), 4);
}

}  // namespace
}  // namespace prose::apps
