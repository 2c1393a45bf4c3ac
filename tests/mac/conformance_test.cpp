// The purposes of TS 36.523-1 19.1.9 (one-to-one communication, the UE as originator) and 19.1.10 (as target), with
// this project's cryptography in place of TS 33.303's: every message on the air is taken down, opened with the exported
// keys of its link and compared. Set-up, protection, keep-alive and release, each with the message left out that the
// other end must miss.
#include <gtest/gtest.h>

#include <cstdio>

#include "mac/default_pools.h"
#include "security/export.h"
#include "security/messages.h"
#include "tests/mac/sim_air.h"

using namespace prose;
using namespace prose::mac;
using namespace prose::mac::test;
using security::message_type;

namespace {
constexpr int originator = 0, target = 1;
constexpr security::time_ms never_ms = 1'000'000'000;

/// One message of PC5-S, as somebody with the keys sees it.
struct message {
  std::int64_t at;
  int node;
  std::uint8_t lcid;
  l2_id src, dst;
  std::vector<std::uint8_t> octets;  // what lies in the PDCP PDU; of a record, opened
  message_type type() const { return static_cast<message_type>(octets.at(0)); }
  int seq() const { return octets.at(1) << 8 | octets.at(2); }
  std::vector<std::uint8_t> body() const { return {octets.begin() + 3, octets.end()}; }
};

/// Two UEs, and an ear that hears everything and has every record key of both.
class scene {
public:
  explicit scene(const security::ue_config& of_originator = {}, const security::ue_config& of_target = {},
                 const air_config& a = {}, phy::transmission_mode tm = phy::transmission_mode::tm2)
      : air(a) {
    auto c = default_ue_config(tm, 25);
    air.add("originator", c, of_originator);
    c.auto_connect = false;
    air.add("target", c, of_target);
    air.permit(node(originator), node(target));
    air.hears = [this](int from, int) { return from != mute; };
    air.on_air = [this](int from, const subframe_transmission& t) { take_down(from, t); };
  }
  sim_node& node(int i) { return air.nodes()[i]; }
  bool has_link(int i) { return node(i).sec().links().link_with(node(i).id_of(node(1 - i))).has_value(); }
  bool linked() { return has_link(originator) && has_link(target); }
  bool link_up() {
    return run_until([&] { return linked(); }, 30'000);
  }
  bool run_until(const std::function<bool()>& done, std::int64_t subframes) {
    return air.run_until([&] { return note_keys(), done(); }, subframes);
  }
  void run(std::int64_t subframes) {
    (void)run_until([] { return false; }, subframes);
  }
  /// What a node has sent of a type, in order. Records that no key opens count as `unopened`.
  std::vector<message> sent(int by, message_type type) const {
    std::vector<message> out;
    for (const auto& m : messages())
      if (m.node == by && m.type() == type) out.push_back(m);
    return out;
  }
  std::vector<message> messages(std::int64_t since = 0) const {
    std::vector<message> out;
    unopened = 0;
    for (const auto& pdu : heard_) {
      if (pdu.at < since) continue;
      auto m = pdu;
      if (pdu.lcid == lcid_pc5s_unprotected || pdu.lcid == lcid_pc5s_security_mode) {
        EXPECT_TRUE(std::equal(security::unprotected_pdcp_header.begin(), security::unprotected_pdcp_header.end(),
                               pdu.octets.begin()));
        m.octets.erase(m.octets.begin(), m.octets.begin() + security::pdcp_header_octets);
        out.push_back(m);
        continue;
      }
      bool opened = false;
      for (const auto& k : keys_)
        if (k.src == m.src && k.dst == m.dst)
          if (auto data = security::open_with(k, m.lcid, m.octets); data && !opened) {
            opened = true;
            if (m.lcid == lcid_pc5s_protected) m.octets = *data, out.push_back(m);
          }
      unopened += opened ? 0U : 1U;
    }
    return out;
  }
  /// Hands a node an altered copy of a message; true if anything at all came of it.
  bool takes(int i, const message& m, std::vector<std::uint8_t> octets) {
    std::vector<std::uint8_t> buffer(octets.size());
    security::actions caused;
    const bool ok = node(i).sec().links().receive(m.lcid, m.src, m.dst, octets, air.now, buffer, caused).has_value();
    return ok || !caused.empty() || has_link(i);
  }
  int bits_that_may_flip(int i, const message& m) {
    int n = 0;
    for (std::size_t bit = 0; bit < m.octets.size() * 8; ++bit) {
      auto octets = m.octets;
      octets[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      n += takes(i, m, octets) ? 1 : 0;
    }
    return n;
  }
  security::lost_reason reason_at(int i) {
    security::lost_reason r{};
    for (const auto& e : node(i).events)
      if (const auto* l = std::get_if<ev_link_lost>(&e)) r = l->reason;
    return r;
  }

  sim_air air;
  int mute = -1;                                   // nobody hears this node
  std::function<void(const message&)> on_message;  // as on the air
  std::vector<std::vector<std::uint8_t>> blocks;   // every transport block
  mutable std::size_t unopened = 0;                // by the last call of messages()

private:
  void take_down(int from, const subframe_transmission& t) {
    if (!t.pssch || t.pssch->config.rv != 0) return;
    blocks.push_back(*t.pssch->block);
    sl_sch_pdu p;
    if (parse(*t.pssch->block, p) != sl_sch_status::ok) return;
    const l2_id dst = p.header.version == sl_sch_version::v2x
                          ? p.header.dst
                          : p.header.dst | static_cast<l2_id>(t.pssch->config.n_x_id);
    for (const auto& s : p.all())
      rlc_[{p.header.src, dst, s.lcid}].receive(s.data, rlc_counters_, [&](std::span<const std::uint8_t> sdu) {
        heard_.push_back({air.now, from, s.lcid, p.header.src, dst, {sdu.begin(), sdu.end()}});
        if (on_message) on_message(heard_.back());
      });
  }
  void note_keys() {
    for (auto& n : air.nodes())
      for (const auto& l : n.sec().links().links(air.now))
        for (const auto& line :
             security::key_log_lines(n.sec().links(), l.link, security::export_permit::user_was_warned()))
          if (lines_.insert(line).second) keys_.push_back(*security::parse_key_log_line(line));
  }
  std::vector<message> heard_;
  std::map<std::tuple<l2_id, l2_id, std::uint8_t>, rlc_um_rx> rlc_;
  rlc_um_counters rlc_counters_;
  std::set<std::string> lines_;
  std::vector<security::logged_key> keys_;
};

bool contains(const std::vector<std::uint8_t>& where, std::span<const std::uint8_t> what) {
  return std::search(where.begin(), where.end(), what.begin(), what.end()) != where.end();
}
std::array<std::uint8_t, 4> octets_of(std::uint32_t v) {
  std::array<std::uint8_t, 4> b{};
  security::write_u32(v, b);
  return b;
}

/// Request, Command, Complete, Accept: in this order, tied by the sequence number, protected as they must be;
/// afterwards nothing without protection, in either direction.
void expect_a_protected_set_up(scene& s) {
  ASSERT_TRUE(s.link_up());
  s.run(2'000);
  const auto requests = s.sent(originator, message_type::direct_communication_request);
  const auto commands = s.sent(target, message_type::security_mode_command);
  const auto completes = s.sent(originator, message_type::security_mode_complete);
  const auto accepts = s.sent(target, message_type::direct_communication_accept);
  ASSERT_FALSE(requests.empty() || commands.empty() || completes.empty() || accepts.empty());
  EXPECT_TRUE(s.sent(target, message_type::direct_communication_request).empty());
  EXPECT_EQ(requests[0].lcid, lcid_pc5s_unprotected);
  EXPECT_EQ(commands[0].lcid, lcid_pc5s_security_mode);
  EXPECT_EQ(completes[0].lcid, lcid_pc5s_security_mode);
  EXPECT_EQ(accepts[0].lcid, lcid_pc5s_protected);
  EXPECT_TRUE(requests[0].at < commands[0].at && commands[0].at < completes[0].at && completes[0].at < accepts[0].at);
  for (const auto* m : {&commands[0], &completes[0], &accepts[0]}) EXPECT_EQ(m->seq(), requests.back().seq());
  for (const auto& m : completes) EXPECT_EQ(m.octets, completes[0].octets) << "repetitions are identical";
  // The Complete is ciphered: status 0 and the slot counter are in it, and not to be seen. In the Accept, once opened,
  // they are.
  const auto slot = s.air.slot_of(s.node(originator));
  for (std::uint32_t back = 0; back < 20; ++back) EXPECT_FALSE(contains(completes[0].octets, octets_of(slot - back)));
  bool slot_in_accept = false;
  for (std::uint32_t back = 0; back < 20; ++back) slot_in_accept |= contains(accepts[0].octets, octets_of(slot - back));
  EXPECT_TRUE(slot_in_accept);

  EXPECT_EQ(s.node(originator).sec().links().links(0)[0].own_role, security::role::initiator);
  EXPECT_EQ(s.node(target).sec().links().links(0)[0].own_role, security::role::responder);
  // From now on.
  const auto since = s.air.now;
  const std::vector<std::uint8_t> secret{'n', 'o', 't', ' ', 'f', 'o', 'r', ' ', 'M', 'a', 'r', 'y'};
  for (int i = 0; i < 20; ++i) {
    for (const int n : {originator, target})
      ASSERT_TRUE(s.node(n).mac().send(s.node(n).id_of(s.node(1 - n)), security::sdu_type::ip, secret));
    s.run(100);
  }
  s.run(30'000);  // keep-alives
  const auto later = s.messages(since);
  for (const auto& m : later) EXPECT_EQ(m.lcid, lcid_pc5s_protected) << "type " << static_cast<int>(m.type());
  EXPECT_GT(later.size(), 2U);
  EXPECT_EQ(s.unopened, 0U) << "each record is one of this link";
  EXPECT_GE(s.node(target).received[originator].size(), 15U);
  for (const auto& d : s.node(target).received[originator]) EXPECT_EQ(d, secret);
  for (const auto& b : s.blocks) EXPECT_FALSE(contains(b, secret));
}

/// Runs until `message` of `type` comes, having muted its sender from the message before on.
std::optional<message> hold_back(scene& s, message_type before, message_type wanted, int by) {
  std::optional<message> held;
  s.on_message = [&, by](const message& m) {
    if (m.lcid == lcid_pc5s_protected) return;
    const auto type = static_cast<message_type>(m.octets.at(security::pdcp_header_octets));
    if (type == before) s.mute = by;
    if (type == wanted && !held) {
      held = m;
      held->octets.erase(held->octets.begin(), held->octets.begin() + security::pdcp_header_octets);
    }
  };
  (void)s.run_until([&] { return held.has_value(); }, 30'000);
  s.on_message = nullptr;
  return held;
}
}  // namespace

// --- the UE as originator
// ---------------------------------------------------------------------------------------------------------

TEST(conformance_19_1_9, the_originator_ends_unprotected_sending) {
  scene s;
  expect_a_protected_set_up(s);
  ASSERT_EQ(s.node(originator).established[target], 1);
  for (const auto& e : s.node(originator).events)
    if (const auto* l = std::get_if<ev_link_established>(&e))
      printf("  set-up: %lld ms, %llu subframes sent by the originator, %llu octets of messages\n",
             static_cast<long long>(l->duration_ms), static_cast<unsigned long long>(l->frames),
             static_cast<unsigned long long>(l->octets));
}
TEST(conformance_19_1_9, a_command_is_readable_and_authenticated) {
  scene s;
  const auto command =
      hold_back(s, message_type::direct_communication_request, message_type::security_mode_command, target);
  ASSERT_TRUE(command);
  EXPECT_EQ(command->seq(), s.sent(originator, message_type::direct_communication_request).back().seq())
      << "unciphered";
  EXPECT_EQ(s.bits_that_may_flip(originator, *command), 0);
  EXPECT_TRUE(s.sent(originator, message_type::security_mode_complete).empty());
  s.mute = -1;
  EXPECT_TRUE(s.link_up()) << "control: the same Command, unaltered";
  EXPECT_EQ(s.sent(target, message_type::security_mode_command).back().octets, command->octets);
}
TEST(conformance_19_1_9, an_unanswered_request_is_repeated_and_given_up) {
  scene s;
  s.mute = originator;  // the target hears nothing; what it announces is heard
  s.run(60'000);
  EXPECT_GE(s.node(originator).failed[target], 2);
  // Every 400 ms for the 8 s of an attempt.
  EXPECT_GE(static_cast<int>(s.sent(originator, message_type::direct_communication_request).size()),
            s.node(originator).failed[target] * 15);
  EXPECT_EQ(s.node(originator).established[target], 0);
}
TEST(conformance_19_1_9, a_complete_is_repeated_and_accepted_again) {
  scene s;
  ASSERT_TRUE(hold_back(s, message_type::security_mode_complete, message_type::security_mode_complete, target));
  s.run(1'500);
  EXPECT_TRUE(s.has_link(target));
  EXPECT_FALSE(s.has_link(originator));
  EXPECT_GE(s.sent(originator, message_type::security_mode_complete).size(), 3U);
  s.mute = -1;
  EXPECT_TRUE(s.run_until([&] { return s.has_link(originator); }, 2'000));
  s.run(1'000);
  EXPECT_GE(s.sent(target, message_type::direct_communication_accept).size(), 2U);
  EXPECT_EQ(s.node(target).established[originator], 1);
}

// --- the UE as target
// -------------------------------------------------------------------------------------------------------------

TEST(conformance_19_1_10, the_target_ends_unprotected_sending) {
  for (const auto tm : {phy::transmission_mode::tm2, phy::transmission_mode::tm4}) {
    scene s({}, {}, {}, tm);
    expect_a_protected_set_up(s);
    ASSERT_EQ(s.node(target).established[originator], 1);
  }
}
TEST(conformance_19_1_10, altered_requests_and_completes_get_no_answer) {
  scene s;
  s.mute = originator;
  const auto request =
      hold_back(s, message_type::direct_communication_request, message_type::direct_communication_request, originator);
  ASSERT_TRUE(request);
  EXPECT_EQ(s.bits_that_may_flip(target, *request), 0);
  EXPECT_TRUE(s.messages().size() == s.sent(originator, message_type::direct_communication_request).size())
      << "silence";
  s.mute = -1;
  const auto complete =
      hold_back(s, message_type::security_mode_command, message_type::security_mode_complete, originator);
  ASSERT_TRUE(complete);
  EXPECT_EQ(s.bits_that_may_flip(target, *complete), 0);
  EXPECT_TRUE(s.sent(target, message_type::direct_communication_accept).empty());
  s.mute = -1;
  EXPECT_TRUE(s.link_up()) << "control: unaltered";
}

// --- either
// ----------------------------------------------------------------------------------------------------------------------

namespace {
class either : public testing::TestWithParam<int> {
protected:
  int own = GetParam(), other = 1 - GetParam();
};
std::string name_of_case(const testing::TestParamInfo<int>& i) {
  return i.param == originator ? "originator" : "target";
}

/// Only `talker` ever has a reason for a Keepalive.
scene scene_of_keepalives(int talker) {
  security::ue_config talks, listens;
  talks.links.keepalive_after_ms = 2'000;
  listens.links.keepalive_after_ms = never_ms;
  talks.links.lost_after_ms = listens.links.lost_after_ms = 8'000;
  return talker == originator ? scene(talks, listens) : scene(listens, talks);
}
}  // namespace

TEST_P(either, keepalive_is_answered_by_an_ack_with_its_counter) {
  auto s = scene_of_keepalives(own);
  ASSERT_TRUE(s.link_up());
  s.run(1'000);
  const auto since = s.air.now;
  s.run(30'000);  // far longer than lost_after_ms, without data
  EXPECT_TRUE(s.linked());
  EXPECT_TRUE(s.node(own).lost.empty() && s.node(other).lost.empty());
  std::vector<message> asked, answered;
  for (const auto& m : s.messages(since)) {
    EXPECT_EQ(m.type(), m.node == own ? message_type::keepalive : message_type::keepalive_ack);
    (m.node == own ? asked : answered).push_back(m);
  }
  ASSERT_GE(asked.size(), 10U);
  ASSERT_GE(answered.size(), asked.size() - 1);  // the last may still be on its way
  ASSERT_LE(answered.size(), asked.size());
  for (std::size_t i = 0; i < answered.size(); ++i) {
    EXPECT_EQ(answered[i].seq(), asked[i].seq());
    EXPECT_EQ(answered[i].body(), asked[i].body()) << "the counter";
    EXPECT_GT(answered[i].at, asked[i].at);
    EXPECT_LT(answered[i].at, asked[i].at + 1'000);
    if (i > 0) {
      EXPECT_EQ(security::read_u32(asked[i].body()), security::read_u32(asked[i - 1].body()) + 1);
    }
  }
}

TEST_P(either, an_unanswered_keepalive_ends_the_link) {
  auto s = scene_of_keepalives(own);
  ASSERT_TRUE(s.link_up());
  s.run(5'000);
  s.node(other).kill();
  const auto killed = s.air.now;
  ASSERT_TRUE(s.run_until([&] { return !s.has_link(own); }, 12'000));
  EXPECT_EQ(s.reason_at(own), security::lost_reason::silence);
  EXPECT_EQ(s.node(own).lost[other], 1);
  EXPECT_GE(s.air.now, killed + 8'000 - 2'500);
  EXPECT_LE(s.air.now, killed + 8'000 + 200);
  std::size_t unanswered = 0;
  for (const auto& m : s.messages(killed)) unanswered += m.type() == message_type::keepalive ? 1U : 0U;
  EXPECT_GE(unanswered, 4U);
  const auto gone = s.air.now;
  s.run(5'000);
  for (const auto& m : s.messages(gone + 200)) EXPECT_NE(m.lcid, lcid_pc5s_protected);
  EXPECT_EQ(s.unopened, 0U);
}

TEST_P(either, release_is_accepted_and_the_link_is_gone_at_both_ends) {
  scene s;
  ASSERT_TRUE(s.link_up());
  s.run(1'000);
  const auto since = s.air.now;
  ASSERT_TRUE(s.node(own).mac().release(s.node(own).id_of(s.node(other))));
  EXPECT_FALSE(s.has_link(own));
  ASSERT_TRUE(s.run_until([&] { return !s.has_link(other) && s.node(own).sec().links().closing() == 0; }, 900));
  EXPECT_FALSE(s.has_link(own));
  EXPECT_EQ(s.reason_at(own), security::lost_reason::released_by_us);
  EXPECT_EQ(s.reason_at(other), security::lost_reason::released_by_peer);
  EXPECT_EQ(s.node(own).lost[other], 1);
  EXPECT_EQ(s.node(other).lost[own], 1);
  const auto said = s.messages(since);
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0].node, own);
  EXPECT_EQ(said[0].type(), message_type::release);
  EXPECT_EQ(said[0].body(), (std::vector<std::uint8_t>{1})) << "no longer needed";
  EXPECT_EQ(said[1].node, other);
  EXPECT_EQ(said[1].type(), message_type::release_accept);
  EXPECT_EQ(said[1].seq(), said[0].seq());
}

TEST_P(either, release_without_an_accept_is_repeated_and_given_up) {
  scene s;
  ASSERT_TRUE(s.link_up());
  s.run(1'000);
  s.mute = own;
  ASSERT_TRUE(s.node(own).mac().release(s.node(own).id_of(s.node(other))));
  s.run(5'000);
  EXPECT_TRUE(s.has_link(other));
  const auto releases = s.sent(own, message_type::release);
  EXPECT_EQ(releases.size(), security::link_config{}.release_sends);
  for (const auto& m : releases) EXPECT_EQ(m.octets, releases[0].octets) << "one procedure, one sequence number";
  EXPECT_EQ(s.node(own).sec().links().closing(), 0U);
}

INSTANTIATE_TEST_SUITE_P(conformance_19_1_9, either, testing::Values(originator), name_of_case);
INSTANTIATE_TEST_SUITE_P(conformance_19_1_10, either, testing::Values(target), name_of_case);

namespace {
/// Of 40 releases on an air that loses half of the subframes, how many the peer learns of (rather than wait for its
/// silence timer).
int releases_heard(std::uint32_t sends) {
  int heard = 0;
  for (unsigned seed = 1; seed <= 40; ++seed) {
    security::ue_config c;
    c.links.release_sends = sends;
    air_config a;
    a.seed = seed;
    scene s(c, c, a, seed % 2 ? phy::transmission_mode::tm2 : phy::transmission_mode::tm4);
    if (!s.link_up()) continue;
    s.run(1'000);
    s.air.config().loss = 0.5;
    const int by = static_cast<int>(seed / 2 % 2);
    s.node(by).mac().release(s.node(by).id_of(s.node(1 - by)));
    if (s.run_until([&] { return s.node(1 - by).lost[by] != 0; }, 4'000) &&
        s.reason_at(1 - by) == security::lost_reason::released_by_peer)
      ++heard;
  }
  return heard;
}
}  // namespace
TEST(conformance_19_1_10, release_is_heard_with_half_of_the_subframes) {
  const int repeated = releases_heard(security::link_config{}.release_sends), once = releases_heard(1);
  printf("  of 40 releases at 50 %% loss the peer hears %d; sent once, %d\n", repeated, once);
  EXPECT_GE(repeated, 39);
  EXPECT_LE(once, 34) << "control: the loss is felt";
}
