// TS 36.321 5.14.1.1 and 5.14.1.2.2, the part of the sidelink process that transmits in TM4: the scheduler alone,
// subframe by subframe.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "mac/default_pools.h"
#include "mac/tm4_scheduler.h"
#include "mac/ue.h"
#include "security/random_streams.h"

using namespace prose;
using namespace prose::mac;

namespace {

/// No links: what the scheduler gets to send is PC5-S of one pair of identifiers, which no security sublayer has to
/// seal.
class no_links final : public security_port {
public:
  explicit no_links(std::uint64_t seed)
      : random_([&] {
          std::array<std::uint8_t, 32> octets{};
          for (std::size_t i = 0; i < 8; ++i) octets[i] = static_cast<std::uint8_t>(seed >> (8 * i));
          return security::stream_key(octets);
        }()) {}
  security::random_port& random(security::stream_purpose) override { return random_; }
  security::random_port& random(security::stream_purpose, peer_id) override { return random_; }
  bool advance(slot_t, time_ms) override { return true; }
  std::span<const security::discovery_pdu> announcements(time_ms) override { return {}; }
  std::vector<security::discovery_pdu> queries(std::span<const peer_id>, time_ms) override { return {}; }
  std::optional<security::discovery_event> discovery(std::span<const std::uint8_t, security::discovery_octets>,
                                                     time_ms) override {
    return {};
  }
  bool connect(const security::peer_heard&, time_ms, security::actions&) override { return false; }
  result<security::received_data, security::drop_reason> receive(std::uint8_t, l2_id, l2_id,
                                                                 std::span<const std::uint8_t>, time_ms,
                                                                 std::span<std::uint8_t>, security::actions&) override {
    return tl::unexpected(security::drop_reason::not_addressed);
  }
  result<security::sealed_pdu, security::drop_reason> seal(security::link_id, std::uint8_t, security::sdu_type,
                                                           std::span<const std::uint8_t>, time_ms,
                                                           std::span<std::uint8_t>) override {
    return tl::unexpected(security::drop_reason::not_addressed);
  }
  void tick(time_ms, security::actions&) override {}
  bool rekey(security::link_id, time_ms, security::actions&) override { return false; }
  bool release(security::link_id, time_ms, security::actions&) override { return false; }
  std::optional<security::link_id> link_with(peer_id) const override { return {}; }
  std::optional<security::link_info> info(security::link_id, time_ms) const override { return {}; }
  void append_own_l2_ids(time_ms, std::vector<l2_id>&) const override {}
  void append_own_l2_pairs(time_ms, std::vector<security::l2_pair>&) const override {}

private:
  security::random_stream random_;
};

struct sent {
  std::int64_t y;  ///< k of t_k^SL, continued
  phy::sci_format1 sci;
  int prb, rv;
  transport_block block;
};

/// What a process sends from its selection until it announces no further block: the initial transmissions, and the
/// retransmissions.
struct reservation {
  std::int64_t selected_at = 0;
  std::vector<sent> initial, again;
};

tm4_config one_process(int period_ms, double keep) {
  tm4_config c;
  c.reservation_period_ms = period_ms;
  c.prob_resource_keep = keep;
  c.max_processes = 1;
  return c;
}

class station {
public:
  explicit station(const tm4_config& c, std::uint64_t seed = 1,
                   const phy::v2x_pool_config& p = default_ue_config(phy::transmission_mode::tm4, 25).v2x)
      : pool(*phy::v2x_pool::make(p)), security_(seed), flows_({}, security_), scheduler(c, pool, security_) {}

  /// One subframe, in which something waits or not.
  void step(bool data) {
    const int absolute = static_cast<int>(local_ % dfn_subframes);
    y_ = index_of(local_);
    if (data && !flows_.any_waiting())
      flows_.enqueue_signalling({1, lcid_pc5s_unprotected, 0x123456, 0x654321, std::vector<std::uint8_t>(40, 1)},
                                local_);
    const auto before = scheduler.n_processes();
    const auto selections = scheduler.counters().selections;
    subframe_transmission t;
    scheduler.decide(local_, absolute, flows_, local_, t);
    if (scheduler.counters().selections != selections || scheduler.n_processes() > before) log.push_back({y_, {}, {}});
    if (t.pssch) {
      const auto& sci = std::get<phy::sci_format1>(t.pscch->sci);
      ASSERT_FALSE(log.empty());
      (sci.retransmission_index == 0 ? log.back().initial : log.back().again)
          .push_back({y_, sci, t.pscch->config.prb, t.pssch->config.rv, t.pssch->block});
    }
    if (y_ >= 0) scheduler.subframe_over(local_, absolute, false, {});
    ++local_;
  }
  void run(std::int64_t subframes, bool data = true) {
    for (std::int64_t i = 0; i < subframes; ++i) step(data);
  }
  /// Reservations that have ended.
  std::vector<reservation> until_ended(std::size_t n) {
    while (log.size() <= n) step(true);
    return {log.begin(), log.begin() + n};
  }
  std::int64_t index_of(std::int64_t local) const {
    const int k = pool.index_of(static_cast<int>(local % dfn_subframes));
    return k < 0 ? -1 : local / dfn_subframes * pool.set_size() + k;
  }
  std::int64_t y() const { return y_; }
  std::int64_t local() const { return local_; }

  const phy::v2x_pool pool;
  std::vector<reservation> log;

private:
  no_links security_;
  tx_flows flows_;
  std::int64_t local_ = 0, y_ = -1;

public:
  tm4_scheduler scheduler;
};

double chi_square(const std::map<int, int>& seen, int lowest, int highest, double n) {
  const double expected = n / (highest - lowest + 1);
  double sum = 0;
  for (int v = lowest; v <= highest; ++v) {
    const auto at = seen.find(v);
    sum += std::pow((at == seen.end() ? 0 : at->second) - expected, 2) / expected;
  }
  return sum;
}

}  // namespace

// SL_RESOURCE_RESELECTION_COUNTER: "randomly select, with equal probability, an integer value in the interval [5, 15]"
// for periods of 100 ms and more, [10, 30] for 50, [25, 75] for 20. With probResourceKeep 0 it is the number of blocks
// between two selections.
class reselection_counter : public testing::TestWithParam<std::array<int, 3>> {};
TEST_P(reselection_counter, is_drawn_evenly_and_counts_blocks) {
  const auto [period, lowest, highest] = GetParam();
  station s(one_process(period, 0), static_cast<std::uint64_t>(period));
  constexpr std::size_t n = 1500;
  std::map<int, int> seen;
  for (const auto& r : s.until_ended(n)) {
    const int blocks = static_cast<int>(r.initial.size());
    ASSERT_GE(blocks, lowest);
    ASSERT_LE(blocks, highest);
    ++seen[blocks];
    for (std::size_t i = 0; i < r.initial.size(); ++i) {
      // All but the last one reserve the next, and it comes there.
      ASSERT_EQ(r.initial[i].sci.resource_reservation == 0, i + 1 == r.initial.size())
          << "block " << i << " of " << blocks;
      ASSERT_EQ(r.initial[i].y, r.initial[0].y + static_cast<std::int64_t>(i) * period);
      ASSERT_EQ(r.initial[i].prb, r.initial[0].prb);
    }
  }
  EXPECT_EQ(s.scheduler.counters().reselections, n) << "probResourceKeep 0 never keeps";
  EXPECT_EQ(s.scheduler.counters().unused, 0U);
  const double freedom = highest - lowest, x = chi_square(seen, lowest, highest, n);
  printf("  %d ms: chi^2 %.1f for %.0f degrees of freedom\n", period, x, freedom);
  EXPECT_LT(std::abs(x - freedom), 4 * std::sqrt(2 * freedom));
}
INSTANTIATE_TEST_SUITE_P(periods, reselection_counter,
                         testing::Values(std::array{20, 25, 75}, std::array{50, 10, 30}, std::array{100, 5, 15},
                                         std::array{300, 5, 15}, std::array{1000, 5, 15}),
                         [](const auto& i) { return std::to_string(i.param[0]) + "_ms"; });

// "... when SL_RESOURCE_RESELECTION_COUNTER was equal to 1 the MAC entity randomly selected, with equal probability, a
// value in the interval [0, 1] which is above the probability configured by upper layers in probResourceKeep": then the
// grant is cleared; else it goes on with a new counter.
TEST(tm4_scheduler, keeps_its_resources_as_often_as_prob_resource_keep_says) {
  for (const double keep : {0.2, 0.4, 0.6, 0.8}) {
    station s(one_process(100, keep));
    constexpr std::size_t n = 1000;
    double blocks = 0;
    std::size_t kept = 0;
    for (const auto& r : s.until_ended(n)) {
      ASSERT_GE(r.initial.size(), 5U);
      blocks += static_cast<double>(r.initial.size());
      kept += r.initial.size() > 15;  // at least one more counter
      for (std::size_t i = 1; i < r.initial.size(); ++i) ASSERT_EQ(r.initial[i].y - r.initial[i - 1].y, 100);
    }
    // A counter has a mean of 10 and a variance of 10; the number of counters is geometric.
    const double mean = blocks / n, expected = 10 / (1 - keep);
    const double deviation = std::sqrt((10 / (1 - keep) + 100 * keep / std::pow(1 - keep, 2)) / n);
    printf("  probResourceKeep %.1f: %.1f blocks a selection, %.1f expected +- %.1f; kept: %.3f to %.3f\n", keep, mean,
           expected, deviation, static_cast<double>(kept) / n, 1 - 10 / mean);
    EXPECT_LT(std::abs(mean - expected), 4 * deviation);
    EXPECT_LE(static_cast<double>(kept) / n, keep + 4 * std::sqrt(keep * (1 - keep) / n));
  }
}

// sl-ReselectAfter: "the number of consecutive unused transmission opportunities on resources indicated in the
// configured sidelink grant".
TEST(tm4_scheduler, gives_resources_up_as_sl_reselect_after_says) {
  for (int after = 1; after <= 9; ++after) {
    auto c = one_process(100, 1);
    c.reselect_after = after;
    station s(c);
    while (s.log.empty() || s.log.back().initial.size() < 3) s.step(true);
    // One opportunity less than that, and then something to send: the reservation goes on, and the count starts anew.
    for (int round = 0; round < 2; ++round) {
      const auto missed = s.scheduler.counters().unused;
      const auto last = s.log.back().initial.back().y;
      while (s.scheduler.counters().unused - missed < static_cast<unsigned>(after - 1) && s.y() < last + 100 * after)
        s.step(false);
      while (!s.log.back().initial.empty() && s.log.back().initial.back().y == last && s.y() < last + 100 * after)
        s.step(true);
      ASSERT_FALSE(s.log.back().initial.empty());
      ASSERT_EQ(s.log.back().initial.back().y, last + 100 * after);
    }
    EXPECT_EQ(s.log.size(), 1U) << after;
    while (s.scheduler.n_processes() != 0 && s.local() < 100'000) s.step(false);
    EXPECT_EQ(s.y(), s.log[0].initial.back().y + 100 * after) << after;
    // What comes then is selected anew.
    s.run(200);
    EXPECT_EQ(s.log.size(), 2U) << after;
  }
}

// "... neither transmission nor retransmission has been performed by the MAC entity on any resource indicated in the
// configured sidelink grant during the last second", whatever sl-ReselectAfter is.
TEST(tm4_scheduler, gives_resources_up_after_a_second_unused) {
  for (const int period : {200, 300, 500, 1000}) {
    auto c = one_process(period, 1);
    c.reselect_after = 9;
    station s(c);
    while (s.log.empty() || s.log.back().initial.size() < 3) s.step(true);
    while (s.scheduler.n_processes() != 0 && s.local() < 100'000) s.step(false);
    EXPECT_EQ(s.y(), s.log[0].initial.back().y + (999 + period) / period * period) << period;
  }
}

// Resources lie in the selection window; the retransmission is announced by SF_gap (TS 36.213 14.1.1.7: within 15
// subframes of the pool) and announces in turn where the initial transmission was.
TEST(tm4_scheduler, both_transmissions_of_a_block_announce_each_other) {
  station s(one_process(100, 0));
  std::set<std::int64_t> gaps, starts;
  for (const auto& r : s.until_ended(1000)) {
    ASSERT_EQ(r.initial.size(), r.again.size());
    starts.insert(r.initial[0].y - r.selected_at);
    ASSERT_GE(r.initial[0].y - r.selected_at, 1);
    ASSERT_LE(r.again[0].y - r.selected_at, 100);
    for (std::size_t i = 0; i < r.initial.size(); ++i) {
      const auto &a = r.initial[i], &b = r.again[i];
      ASSERT_EQ(a.block, b.block);
      ASSERT_EQ(a.rv, 0);
      ASSERT_EQ(b.rv, 2);
      ASSERT_EQ(b.sci.retransmission_index, 1);
      const auto gap = b.y - a.y;
      ASSERT_GE(gap, 1);
      ASSERT_LE(gap, 15);
      gaps.insert(gap);
      const auto from_a = s.pool.allocation_of(a.sci, a.prb), from_b = s.pool.allocation_of(b.sci, b.prb);
      ASSERT_TRUE(from_a && from_b && from_a->has_other && from_b->has_other);
      ASSERT_EQ(from_a->other_distance, gap);
      ASSERT_EQ(from_b->other_distance, -gap);
      ASSERT_EQ(from_a->other_first_subchannel, from_b->first_subchannel);
      ASSERT_EQ(from_b->other_first_subchannel, from_a->first_subchannel);
      ASSERT_EQ(from_a->n_subchannels, from_b->n_subchannels);
    }
  }
  EXPECT_EQ(gaps.size(), 15U) << "all of 1..15 occur";
  EXPECT_GE(starts.size(), 90U) << "the whole window is used";

  auto once = one_process(100, 0);
  once.retransmit = false;
  station t(once);
  for (const auto& r : t.until_ended(20)) {
    EXPECT_TRUE(r.again.empty());
    for (const auto& a : r.initial) EXPECT_EQ(a.sci.time_gap, 0);
  }
}

// Some formats leave bits of the block open (phy/types/open_bits.h): never sent once, but with two transmissions they
// do no harm. One sub-channel of 18 PRB has 16 for PSSCH, which is such a format with MCS 18.
TEST(tm4_scheduler, formats_that_need_two_transmissions) {
  auto pool = default_ue_config(phy::transmission_mode::tm4, 50).v2x;
  pool.size_subchannel = 18;
  pool.n_subchannels = 1;
  for (const int mcs : {17, 18})
    for (const bool twice : {false, true}) {
      auto c = one_process(100, 0);
      c.mcs = mcs;
      c.retransmit = twice;
      station s(c, 1, pool);
      ASSERT_EQ(s.pool.pssch_prbs(0, 1)->length, 16);
      s.run(5000);
      std::size_t sent = 0;
      for (const auto& r : s.log)
        for (const auto& a : r.initial) {
          ++sent;
          EXPECT_TRUE(mcs == 17 || a.sci.time_gap != 0);
        }
      EXPECT_EQ(sent > 0, mcs == 17 || twice) << "MCS " << mcs << ", " << sent << " blocks";
    }
}

// Others take all but subframes 0, 5 and 6 of each ten, and a second transmission must come within 2: beside subframe 0
// there is no place for one.
TEST(tm4_scheduler, a_format_that_needs_two_is_not_sent_without_a_second_place) {
  auto pool = default_ue_config(phy::transmission_mode::tm4, 50).v2x;
  pool.size_subchannel = 18;
  pool.n_subchannels = 1;
  for (const int mcs : {17, 18}) {
    auto c = one_process(20, 0);
    c.max_processes = 8;
    c.mcs = mcs;
    station s(c, 1, pool);
    for (std::int64_t local = 0; local < 30'000; ++local) {
      if (const auto y = s.index_of(local); y >= 0 && y % 10 != 0 && y % 10 != 5 && y % 10 != 6)
        s.scheduler.heard_sci(
            local, static_cast<int>(local % dfn_subframes),
            {.priority = 0, .resource_reservation = 1, .frequency_location = s.pool.frequency_location(0, 1), .mcs = 5},
            s.pool.pscch_prbs()[0], -60);
      s.step(local > 3000);
    }
    std::size_t once = 0, twice = 0;
    for (const auto& r : s.log)
      for (const auto& a : r.initial) ++(a.sci.time_gap == 0 ? once : twice);
    EXPECT_GT(twice, 0U) << mcs;
    EXPECT_EQ(once > 0, mcs == 17) << mcs << ": " << once << " sent once";
  }
}

namespace {
/// Transmissions of a station per subframe mod 100 while others are heard who reserve 40 of 100 subframes: 20 by their
/// initial transmissions, and 20 by retransmissions that only SF_gap tells of.
std::array<int, 100> beside_others(double rsrp_dbm, int period_ms) {
  station s(one_process(period_ms, 0));
  std::array<int, 100> used{};
  const auto widest = s.pool.frequency_location(0, s.pool.config().n_subchannels);
  for (std::int64_t local = 0; local < 300'000; ++local) {
    if (const auto y = s.index_of(local); y >= 0 && y % 100 % 4 == 0 && y % 100 < 80)
      s.scheduler.heard_sci(
          local, static_cast<int>(local % dfn_subframes),
          {.priority = 3, .resource_reservation = 1, .frequency_location = widest, .time_gap = 2, .mcs = 5},
          s.pool.pscch_prbs()[0], rsrp_dbm);
    s.step(local > 3000);
  }
  for (const auto& r : s.log) {
    for (const auto& t : r.initial) ++used[t.y % 100];
    for (const auto& t : r.again) ++used[t.y % 100];
  }
  EXPECT_EQ(s.scheduler.counters().raised_thresholds, 0U);
  return used;
}
}  // namespace

TEST(tm4_scheduler, keeps_off_what_others_have_reserved_above_the_threshold) {
  for (const int period : {20, 100, 500}) {
    const auto loud = beside_others(-60, period), faint = beside_others(-111, period);
    int on_loud = 0, on_faint = 0, beside_loud = 0;
    for (std::size_t i = 0; i < 100; ++i) {
      const bool reserved = i < 80 && i % 2 == 0;
      on_loud += reserved ? loud[i] : 0;
      on_faint += reserved ? faint[i] : 0;
      beside_loud += reserved ? 0 : loud[i];
    }
    printf("  %d ms: %d transmissions on reserved subframes, %d beside them; %d on those of UEs below the threshold\n",
           period, on_loud, beside_loud, on_faint);
    EXPECT_EQ(on_loud, 0);
    EXPECT_GT(beside_loud, 300);
    EXPECT_GT(on_faint, 100) << "control";
  }
}
