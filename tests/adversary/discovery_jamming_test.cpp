// Row 11, discovery: energy in every discovery subframe, in a share of them, and at lower power. That nobody is found
// meanwhile cannot be helped; that nobody believes, says or sends anything because of it can.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "mac/default_pools.h"
#include "tests/adversary/emissions.h"
#include "tests/adversary/figures.h"
#include "tests/adversary/town.h"

namespace prose::adversary {
namespace {

// The ear is a receiver at Peter's antenna. The attacker stands near: 20 dB better than the others.
const char* const jammed_air =
    "default: {gain_db: -20}\nnodes:\n  \"*\": {noise_dbfs: -60}\npairs:\n  - {from: john, to: ear, blocked: true}\n"
    "  - {from: anna, to: ear, blocked: true}\n  - {from: mallory, to: ear, blocked: true}\n  - {from: mallory, to: "
    "john, gain_db: 0}\n"
    "  - {from: mallory, to: peter, gain_db: 0}\n  - {from: mallory, to: anna, gain_db: 0}\n";

constexpr double recovery_s =
    10;  ///< from the end of the jamming until permitted peers have found each other and have a link

node_config radio_of(const town& t, int tm) {
  auto c = t.radio("mallory");
  if (tm == 4) {
    c.pools = mac::default_ue_config(phy::transmission_mode::tm4, 25);
    c.decode = false;
  }
  return c;
}
ue_settings settings(int tm) {
  ue_settings s;
  s.tm = tm;
  s.link = "  keepalive_s: 1\n  lost_s: 30\n";
  return s;
}

class dice {  // a fixed sequence
public:
  std::uint32_t operator()() { return state_ ^= state_ << 13, state_ ^= state_ >> 17, state_ ^= state_ << 5; }

private:
  std::uint32_t state_ = 2463534242U;
};

/// Noise over the whole band in this share of the discovery subframes; the power is the mean of a subframe, relative to
/// full scale.
void jam_with_noise(node& m, std::uint64_t& jammed, double share = 1, float power_dbfs = 0) {
  m.on_subframe = [&m, &jammed, share, power_dbfs, next = dice()]() mutable {
    const std::int64_t sf = m.now() + 1;
    if (m.discovery_pool().n_candidates(node::absolute(sf)) == 0 || next() > share * 4294967295.0) return;
    m.jam(sf, power_dbfs);
    ++jammed;
  };
}
/// A discovery message with a right CRC and arbitrary content in every resource, 12 dB stronger than the peers'.
void jam_with_messages(node& m, std::uint64_t& jammed) {
  m.on_subframe = [&m, &jammed, next = dice()]() mutable {
    const std::int64_t sf = m.now() + 1;
    const int n = m.discovery_pool().n_candidates(node::absolute(sf));
    octets bits(phy::discovery_message_bits);
    for (int i = 0; i < n; ++i) {
      for (auto& b : bits) b = static_cast<std::uint8_t>(next() >> 20 & 1);
      m.send_raw(sf, {phy::psdch_transmission{m.discovery_pool().candidate_at(node::absolute(sf), i).config, bits},
                      phy::re_power_db(m.carrier(), m.power() - 8, 24)});
    }
    jammed += n > 0;
  };
}

void jam_every_discovery_subframe(int tm) {
  town t(jammed_air);
  for (const auto* n : {"john", "peter", "anna"}) t.make_key(n);
  t.permit("john", "peter");
  t.permit("anna", "peter");
  node m(radio_of(t, tm));
  t.listen();
  m.run(0.1);
  const auto found = [&](const std::string& a, const std::string& b) {
    return t.count(a, "peer_discovered", b) + t.count(b, "peer_discovered", a);
  };
  const auto ends = [&](const char* event) {
    return t.count("john", event) + t.count("peter", event) + (t.running("anna") ? t.count("anna", event) : 0);
  };

  t.start("peter", settings(tm));
  m.run(2);
  const auto quiet_from = m.now();
  m.run(8);
  const auto quiet = emitted(t, m, quiet_from, m.now());

  // John comes while noise covers discovery: nobody is found, nobody is spoken to.
  std::uint64_t noise = 0, messages = 0;
  jam_with_noise(m, noise);
  const auto jam_from = m.now();
  t.start("john", settings(tm));
  m.run(20);
  const auto during = emitted(t, m, jam_from, m.now());
  EXPECT_EQ(found("john", "peter"), 0U) << "control: the jammer works";
  EXPECT_EQ(t.count("john", "link_established") + t.count("peter", "link_established"), 0U);
  EXPECT_EQ(quiet.other + during.other, 0) << "nothing is sent outside discovery";
  EXPECT_EQ(quiet.a_period, during.a_period) << "as many announcements in every period as before";
  EXPECT_EQ(during.a_period.size(), 1U);
  m.on_subframe = nullptr;
  const auto ended = m.now();
  EXPECT_TRUE(m.run_until([&] { return t.linked("john", "peter"); }, 2 * recovery_s));
  const double back_noise = static_cast<double>(m.now() - ended) / 1000;

  // The link goes on while false messages fill discovery, and Anna is not found.
  m.run(1);
  const auto links = t.count("john", "link_established") + t.count("peter", "link_established");
  const double before = delivery(t, m, "before", 60);
  const auto heard = m.blocks.size();
  jam_with_messages(m, messages);
  const auto filled_from = m.now();
  t.start("anna", settings(tm));
  const double delivered = delivery(t, m, "PLAIN-TEXT-DURING", 60);
  m.run(6);
  const auto filled = emitted(t, m, filled_from, m.now());
  EXPECT_EQ(found("anna", "peter"), 0U) << "control: the jammer works";
  EXPECT_EQ(ends("link_established"), links);
  EXPECT_EQ(ends("link_lost"), 0U);
  EXPECT_GE(before, 0.9);
  EXPECT_GE(delivered, 0.85) << "data has subframes of its own";
  EXPECT_GT(filled.other, 0) << "control: what the link sends is seen at the ear";
  if (tm == 2) {  // in TM4 records of the link lie in discovery subframes too
    EXPECT_EQ(filled.a_period, quiet.a_period);
  }
  m.on_subframe = nullptr;
  const auto ended_again = m.now();
  EXPECT_TRUE(m.run_until([&] { return t.linked("anna", "peter"); }, 2 * recovery_s));
  const double back_messages = static_cast<double>(m.now() - ended_again) / 1000;
  EXPECT_LE(back_noise, recovery_s);
  EXPECT_LE(back_messages, recovery_s);
  EXPECT_EQ(ends("link_lost"), 0U);
  EXPECT_TRUE(t.running("john") && t.running("peter") && t.running("anna"));
  // Nothing of what was said or who said it was in the clear. (The receiver of this test decodes TM2.)
  if (tm == 2) {
    const std::string texts[] = {"PLAIN-TEXT-DURING", "john", "peter", "anna"};
    std::size_t shown = 0;
    for (const auto& b : m.blocks)
      for (const auto& x : texts) shown += std::search(b.tb.begin(), b.tb.end(), x.begin(), x.end()) != b.tb.end();
    EXPECT_GE(m.blocks.size() - heard, 50U) << "control: the link is heard";
    EXPECT_EQ(shown, 0U);
  }
  figure("11",
         "TM%d, every discovery subframe jammed: %llu with noise, %llu filled with false messages; nobody found in 20 "
         "s and %.0f s; Peter's announcements a period %d, "
         "%d, outside discovery 0 until he has a link; linked %.1f s and %.1f s after its end; delivery on the live "
         "link %.0f %% before, %.0f %% during; 0 links lost",
         tm, static_cast<unsigned long long>(noise), static_cast<unsigned long long>(messages),
         static_cast<double>(ended_again - filled_from) / 1000, *quiet.a_period.begin(), *during.a_period.begin(),
         back_noise, back_messages, 100 * before, 100 * delivered);
}
TEST(discovery_jammer, row_11_every_subframe_jammed_denies_only_discovery) { jam_every_discovery_subframe(2); }
TEST(discovery_jammer, row_11_every_discovery_subframe_jammed_in_tm4) { jam_every_discovery_subframe(4); }

/// Seconds until John and Peter have found each other, Peter being there already; negative: not within so many.
double seconds_to_find(double share, float power_dbfs, double patience_s) {
  town t(jammed_air);
  for (const auto* n : {"john", "peter"}) t.make_key(n);
  t.permit("john", "peter");
  auto c = t.radio("mallory");
  c.decode = false;
  node m(c);
  m.run(0.1);
  t.start("peter", settings(2));
  m.run(1);
  std::uint64_t jammed = 0;
  if (share > 0) jam_with_noise(m, jammed, share, power_dbfs);
  t.start("john", settings(2));
  const auto from = m.now();
  const bool found = m.run_until(
      [&] {
        return t.count("john", "peer_discovered", "peter") != 0 && t.count("peter", "peer_discovered", "john") != 0;
      },
      patience_s);
  return found ? static_cast<double>(m.now() - from) / 1000 : -1;
}

TEST(discovery_jammer, row_11_a_share_or_less_power_only_delays) {
  constexpr int runs = 3;
  constexpr double patience_s = 20;
  const auto series = [&](double share, float power_dbfs) {
    std::string text;
    int n = 0;
    for (int i = 0; i < runs; ++i) {
      const double s = seconds_to_find(share, power_dbfs,
                                       share == 1    ? patience_s
                                       : share > 0.8 ? 3 * patience_s
                                                     : 9 * patience_s);
      char number[16];
      std::snprintf(number, sizeof number, s < 0 ? "none" : "%.1f", s);
      if (i != 0) text += ' ';
      text += number;
      n += s >= 0;
    }
    return std::pair{text, n};
  };
  std::string shares;
  for (const double share : {0.0, 0.25, 0.5, 0.75, 0.9, 1.0}) {
    const auto [text, n] = series(share, 0);
    shares += std::to_string(std::lround(100 * share)) + " %: " + text + "; ";
    if (share < 0.8) {
      EXPECT_EQ(n, runs) << share;
    }
    if (share == 1.0) {
      EXPECT_EQ(n, 0) << "control: the jammer works";
    }
  }
  figure("11",
         "seconds until John and Peter have found each other, by the share of discovery subframes jammed: %s'none' is "
         "not within 20 s of all, 60 s of 90 %%, 180 s of less",
         shares.c_str());
  // Every subframe, weaker: per subcarrier relative to an announcement, as John and Peter hear both (her noise lies on
  // all 512, an announcement on 24).
  std::string powers;
  for (const float ratio_db : {-10.0F, -5.0F, -2.0F, 1.0F, 4.0F}) {
    const float announcement_dbfs = -12 - 20;
    const auto [text, n] = series(1, announcement_dbfs + ratio_db + 10 * std::log10(512.0F / 24));
    char number[16];
    std::snprintf(number, sizeof number, "%+.0f dB: ", static_cast<double>(ratio_db));
    powers += number + text + "; ";
    if (ratio_db < -4) {
      EXPECT_EQ(n, runs) << ratio_db;
    }
    if (ratio_db > 3) {
      EXPECT_EQ(n, 0) << ratio_db;
    }
  }
  figure("11",
         "the same by her power per subcarrier over an announcement's, every discovery subframe: %s'none' is not "
         "within %.0f s",
         powers.c_str(), patience_s);
}

}  // namespace
}  // namespace prose::adversary
