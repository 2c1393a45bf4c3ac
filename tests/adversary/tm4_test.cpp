// Rows 4, 10 and 11 in TM4: recorded subframes sent again as they were, false reservations of the whole band, jamming.
#include <gtest/gtest.h>

#include <algorithm>

#include "mac/default_pools.h"
#include "tests/adversary/figures.h"
#include "tests/adversary/town.h"

namespace prose::adversary {
namespace {

node_config deaf_tm4(const town& t) {
  auto c = t.radio("mallory");
  c.pools = mac::default_ue_config(phy::transmission_mode::tm4, 25);
  c.decode = false;
  return c;
}

class v2x : public ::testing::Test {
protected:
  v2x()
      : t("default: {gain_db: -20}\nnodes:\n  \"*\": {noise_dbfs: -60}\n"),
        pool(*phy::v2x_pool::make(mac::default_ue_config(phy::transmission_mode::tm4, 25).v2x)),
        m((t.make_key("john"), t.make_key("peter"), t.permit("john", "peter"), deaf_tm4(t))) {
    m.record = true;
    m.run(0.1);
    ue_settings s;
    s.tm = 4;
    s.link = "  keepalive_s: 1\n  lost_s: 30\n";
    t.start("john", s);
    t.start("peter", s);
    linked = m.run_until([&] { return t.linked("john", "peter"); }, 60);
  }
  std::vector<std::string> printed() {
    auto all = t.printed("john");
    for (auto& l : t.printed("peter")) all.push_back(std::move(l));
    std::ranges::sort(all);
    return all;
  }
  std::size_t count(const char* event) { return t.count("john", event) + t.count("peter", event); }
  std::uint64_t refused() {
    std::uint64_t n = 0;
    for (const auto* who : {"john", "peter"})
      for (const auto& [reason, k] : t.rejected(who))
        if (reason != "clock" && reason != "request not answered") n += k;
    return n;
  }
  town t;
  phy::v2x_pool pool;
  node m;
  bool linked = false;
};

TEST_F(v2x, row_4_recorded_subframes_sent_again_change_nothing) {
  ASSERT_TRUE(linked);
  EXPECT_GE(delivery(t, m, "recorded", 20), 0.8);
  m.record = false;
  // The scrambling depends on the number of the subframe modulo ten: she waits for the next one that fits.
  const auto copies = m.recorded;
  const auto lines = printed().size(), received = count("data_rx");
  const auto events = count("link_established") + count("link_lost") + count("peer_discovered");
  const auto before = refused();
  std::size_t sent = 0;
  for (int round = 0; round < 2; ++round) {
    for (const auto& [at, samples] : copies) {
      const int want = pool.n_ssf(node::absolute(at));
      if (want < 0) continue;  // SLSS and discovery
      std::int64_t sf = m.now() + 4;
      while (pool.n_ssf(node::absolute(sf)) != want) ++sf;
      m.send_samples(sf, samples, 10);
      m.run(0.001 * static_cast<double>(sf - m.now() - 2));
      ++sent;
    }
    m.run(round == 0 ? 9 : 1);
  }
  // A record that the air lost the first time is new to its receiver when her copy comes: it may be delivered, but
  // once.
  const auto now = printed();
  EXPECT_TRUE(std::ranges::adjacent_find(now) == now.end()) << "nothing is delivered twice";
  EXPECT_LE(now.size(), 20U) << "nothing but what was said";
  EXPECT_EQ(count("data_rx") - received, now.size() - lines);
  EXPECT_EQ(count("link_established") + count("link_lost") + count("peer_discovered"), events);
  EXPECT_GE(sent, 100U);
  EXPECT_GE(refused() - before, 10U) << "control: the copies are decoded and refused";
  const double after = delivery(t, m, "after", 60);
  EXPECT_GE(after, 0.8);
  figure("4",
         "TM4: %zu recorded subframes sent again as they were, twice in all: 0 lines delivered again, %zu lost before "
         "came with the copy, %llu refused by the "
         "security sublayer; delivery %.0f %% after",
         sent, now.size() - lines, static_cast<unsigned long long>(refused() - before), 100 * after);
}

TEST_F(v2x, row_11_greed_and_jamming_cost_delivery_while_they_last) {
  ASSERT_TRUE(linked);
  m.record = false;
  const double before = delivery(t, m, "before", 60);
  const auto losses = count("link_lost"), links = count("link_established");
  // All three sub-channels, highest priority, reserved every 20 ms, in one subframe of four: the blocks are garbage.
  std::uint64_t reserved = 0;
  m.on_subframe = [&] {
    const std::int64_t sf = m.now() + 1;
    const int n_ssf = pool.n_ssf(node::absolute(sf));
    if (n_ssf < 0 || pool.index_of(node::absolute(sf)) % 4 != 0) return;
    phy::sci_format1 sci;
    sci.resource_reservation = 11;  // 20 ms (TS 36.213 table 14.2.1-2)
    sci.frequency_location = pool.frequency_location(0, 3);
    sci.mcs = 5;
    octets bits(phy::sci_format1_bits);
    phy::pack(sci, pool.config().n_subchannels, bits);
    const int prb = pool.pscch_prbs()[0];
    const auto c = pool.pssch(sci, prb, phy::sci_crc(bits), n_ssf);
    if (!c) return;
    const octets garbage(static_cast<std::size_t>(c->tbs), 1);
    const float power = phy::re_power_db(m.carrier(), m.power(), static_cast<float>(c->n_prb * 12 + 24));
    m.send_raw(sf, {phy::pscch_transmission{{prb, 0}, bits}, power});
    m.send_raw(sf, {phy::pssch_transmission{*c, garbage}, power});
    ++reserved;
  };
  const double greedy = delivery(t, m, "greedy", 60);
  m.on_subframe = [&] {  // ten subframes in twenty
    if ((m.now() + 1) / 10 % 2 == 0) m.jam(m.now() + 1, 0);
  };
  const double half = delivery(t, m, "half", 20);
  m.on_subframe = [&] { m.jam(m.now() + 1, 0); };
  const double full = delivery(t, m, "full", 10);
  m.on_subframe = nullptr;
  m.run(1);
  const double after = delivery(t, m, "after", 60);
  EXPECT_GE(before, 0.8);
  EXPECT_GE(reserved, 500U);
  EXPECT_GE(greedy, 0.3);
  EXPECT_EQ(full, 0.0) << "control: the jammer works";
  EXPECT_GE(after, 0.8);
  EXPECT_EQ(count("link_lost"), losses);
  EXPECT_EQ(count("link_established"), links);
  EXPECT_TRUE(t.running("john") && t.running("peter"));
  figure("11",
         "TM4: delivery %.0f %% free, %.0f %% under %llu false reservations of the whole band (one subframe in four), "
         "%.0f %% with half of the subframes jammed, "
         "%.0f %% with all, %.0f %% after; no link lost or made, no crash",
         100 * before, 100 * greedy, static_cast<unsigned long long>(reserved), 100 * half, 100 * full, 100 * after);
}

}  // namespace
}  // namespace prose::adversary
