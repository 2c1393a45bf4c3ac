// Noninterference with randomness that differs from run to run: what Mary hears of John, in two worlds, as far as test
// statistics can tell. In the first John has a link with Peter; in the second a fourth UE has it, with the same traffic
// at the same times. What the exact comparison (same randomness in both worlds) finds octet by octet is found here only
// where it moves a distribution, but nothing has to be held equal.
//
// One family of tests with one false-alarm rate (1e-6, Bonferroni). Independent units: a run on the air gives one value
// of each feature (rank sum); draws of identifiers are independent of each other (exact and chi-square tests). Every
// run has its own seed; a failing one can be repeated. The control build (CMakeLists.txt) has checks of the product
// taken out by PROSE_MUTANT in the environment; there an alarm is demanded.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mac/default_pools.h"
#include "tests/fuzz/toy_dh.h"
#include "tests/mac/sim_air.h"
#include "tests/noninterference/statistics.h"
#include "tests/security/security_world.h"

namespace prose::noninterference {
namespace {

constexpr double family_rate = 1e-6;
constexpr std::size_t family_size = 150;  // at most; a control that runs a part of the tests judges at the level of all

/// 1 in the normal run; PROSE_NONINTERFERENCE_SCALE multiplies all samples.
int scale() {
  const char* s = std::getenv("PROSE_NONINTERFERENCE_SCALE");
  return s == nullptr ? 1 : std::max(1, std::atoi(s));
}

class family {
public:
  void add(std::string name, double p) { tests_.emplace_back(p, std::move(name)); }
  static constexpr double level() { return family_rate / family_size; }
  std::size_t size() const { return tests_.size(); }
  /// The tests below the level of a single one; prints the most suspicious.
  std::vector<std::string> alarms(const char* what) {
    EXPECT_LE(tests_.size(), family_size);
    std::sort(tests_.begin(), tests_.end());
    std::vector<std::string> out;
    for (const auto& [p, name] : tests_)
      if (p < level()) out.push_back(name);
    std::printf("FIGURE noninterference, %s: %zu tests, %zu below %.1e; smallest:", what, tests_.size(), out.size(),
                level());
    for (std::size_t i = 0; i < std::min<std::size_t>(3, tests_.size()); ++i)
      std::printf(" %.1e %s%s", tests_[i].first, tests_[i].second.c_str(), i < 2 ? ";" : "");
    std::printf("\n");
    return out;
  }

private:
  std::vector<std::pair<double, std::string>> tests_;
};

// --- identifiers
// ------------------------------------------------------------------------------------------------------------------

struct drawn {
  std::uint64_t as_beside = 0;  ///< John's half is one of the two halves of the link heard beside
  std::vector<std::uint64_t> first = std::vector<std::uint64_t>(256), second = first, l2 = first, seq = first;
  int rekeyings = 0;
};

/// John and Mary renew their keys `n` times, in turn at John's and at Mary's wish; Mary notes what John drew.
drawn draw_identifiers(bool with_peter, int n, std::uint64_t seed) {
  using namespace security::test;
  using security::rekeyed;
  toy_dh toy;
  security::ue_config config;
  config.links.epochs.min_ms = config.links.epochs.max_ms = 1'000'000'000;
  ue john("john", seed * 8 + 1, config, std::nullopt, &toy), mary("mary", seed * 8 + 2, config, std::nullopt, &toy),
      peter("peter", seed * 8 + 3, config, std::nullopt, &toy),
      fourth("fourth", seed * 8 + 4, config, std::nullopt, &toy);
  ue& other = with_peter ? john : fourth;
  mary.knows(john), john.knows(mary), other.knows(peter), peter.knows(other);
  air w;
  w.ues = {&john, &mary, &peter, &fourth};
  w.set_slots();
  drawn d;
  EXPECT_TRUE(w.link_up(mary, john));
  w.pass(1000);
  EXPECT_TRUE(w.link_up(peter, other));
  for (int i = 0; i < n; ++i) {
    w.pass(5'500, 5'500);  // a link renews its keys once in 5 s at most
    for (ue* u : w.ues) u->history.clear();
    w.captured.clear(), w.captured_discovery.clear();
    const auto beside = peter.security->links().links(w.now);
    const auto link = john.security->links().link_with(john.id_of(mary)),
               hers = mary.security->links().link_with(mary.id_of(john));
    if (!link || !hers || beside.empty()) {
      ADD_FAILURE() << "a link was lost after " << i;
      break;
    }
    const bool john_asks = i % 2 == 0;
    if (john_asks)
      (void)john.security->links().rekey(*link, w.now, john.pending);
    else
      (void)mary.security->links().rekey(*hers, w.now, mary.pending);
    w.settle();
    for (int k = 0; k < 4 && mary.events<rekeyed>().empty(); ++k) w.pass(100);  // answers may leave later
    const auto events = mary.events<rekeyed>();
    if (events.empty()) continue;
    ++d.rekeyings;
    const unsigned half = john_asks ? events.back().kd_sess_id >> 8 : events.back().kd_sess_id & 255U;
    d.as_beside += half == static_cast<unsigned>(beside[0].kd_sess_id >> 8) || half == (beside[0].kd_sess_id & 255U);
    ++(john_asks ? d.first : d.second)[half];
    const auto now_used = john.security->links().info(*john.security->links().link_with(john.id_of(mary)), w.now);
    ++d.l2[now_used->own_l2 & 255];
  }
  return d;
}

void judge_identifiers(family& f) {
  const int n = 7000 * (scale() > 1 ? 15 : 1);
  const auto with = draw_identifiers(true, n, 501), without = draw_identifiers(false, n, 502);
  EXPECT_GT(with.rekeyings, n * 9 / 10);
  EXPECT_GT(without.rekeyings, n * 9 / 10);
  f.add("halves of the link beside", equal_rates(with.as_beside, without.as_beside));
  f.add("rekeyings answered",
        equal_rates(static_cast<std::uint64_t>(n - with.rekeyings), static_cast<std::uint64_t>(n - without.rekeyings)));
  f.add("first halves", same_histogram(with.first, without.first));
  f.add("second halves", same_histogram(with.second, without.second));
  f.add("layer-2 IDs", same_histogram(with.l2, without.l2));
  std::printf(
      "FIGURE noninterference: %d and %d rekeyings; John's half was one of the link beside %llu times with Peter's "
      "link, %llu without\n",
      with.rekeyings, without.rekeyings, static_cast<unsigned long long>(with.as_beside),
      static_cast<unsigned long long>(without.as_beside));
}

// --- on the air
// -------------------------------------------------------------------------------------------------------------------

using namespace mac;
using mac::test::air_config;
using mac::test::sim_air;
using mac::test::sim_node;
using features = std::map<std::string, double>;

struct kind_of_run {
  phy::transmission_mode tm;
  bool model_b;
  std::string name() const {
    return std::string("TM") + std::to_string(static_cast<int>(tm)) + (model_b ? " model B" : " model A");
  }
};

constexpr int rounds = 5;
constexpr std::int64_t share_ms = 5'000, settle_ms = 1'300;  // what TM4 senses is forgotten after 1 s
constexpr int probes_a_share = 8;

class town {
public:
  town(const kind_of_run& k, bool with_peter, std::uint64_t seed) : kind_(k), air_(air_of(seed)) {
    const auto c = config_of(k);
    const auto s = security_of(k);
    john_ = &air_.add("john", c, s), mary_ = &air_.add("mary", c, s), peter_ = &air_.add("peter", c, s),
    fourth_ = &air_.add("fourth", c, s);
    other_ = with_peter ? john_ : fourth_;
    air_.permit(*mary_, *john_);
    air_.permit(*other_, *peter_);
    air_.on_air = [this](int node, const subframe_transmission& t) { see(node, t); };
    air_.inject = [this](int node, std::vector<received_frame>& heard) { forge(node, heard); };
  }
  /// Empty where the links did not come up.
  std::optional<features> run() {
    if (!until([&] { return linked(*mary_, *john_) && linked(*other_, *peter_); }, 60'000)) return std::nullopt;
    pass(3'000);
    for (int r = 0; r < rounds; ++r) {
      share(*mary_, *john_, true, r);
      share(*peter_, *other_, false, r);
    }
    finish();
    return f_;
  }

private:
  static air_config air_of(std::uint64_t seed) {
    air_config a;
    a.seed = seed;
    return a;
  }
  static mac::ue_config config_of(const kind_of_run& k) {
    auto c = default_ue_config(k.tm, 25);
    c.discovery_tx.announce = !k.model_b;
    return c;
  }
  static security::ue_config security_of(const kind_of_run& k) {
    security::ue_config s;
    s.discovery.announce = s.discovery.monitor = !k.model_b;
    s.discovery.answer_queries = k.model_b;
    s.links.epochs.min_ms = 10'000, s.links.epochs.max_ms = 25'000;
    s.links.keepalive_after_ms = 40'000,
    s.links.lost_after_ms = 120'000;  // each share has data; a keep-alive would fall into the other's
    return s;
  }
  static bool linked(sim_node& a, sim_node& b) {
    return a.sec().links().link_with(a.id_of(b)) && b.sec().links().link_with(b.id_of(a));
  }

  /// Everybody asks for everybody permitted, every second, links or not. But Peter asks in his shares only: answers to
  /// him are of the traffic beside.
  void ask() {
    if (!kind_.model_b || air_.now < next_query_) return;
    next_query_ = air_.now + 1000;
    for (auto [u, v] : {std::pair{mary_, john_}, {john_, mary_}, {peter_, other_}, {other_, peter_}}) {
      if (u == peter_ && marys_share_) continue;
      const peer_id p = u->id_of(*v);
      u->mac().query({&p, 1});
    }
  }
  void pass(std::int64_t ms) {
    for (const auto end = air_.now + ms; air_.now < end;) {
      ask();
      air_.run(std::min<std::int64_t>(10, end - air_.now));
    }
  }
  template <class Done>
  bool until(Done&& done, std::int64_t ms) {
    for (const auto end = air_.now + ms; air_.now < end; pass(20))
      if (done()) return true;
    return done();
  }

  /// `asker` sends eight datagrams, the other end answers each; keys are renewed once, in turn at each end's wish.
  void share(sim_node& asker, sim_node& answerer, bool marys, int round) {
    const auto end = air_.now + share_ms;
    marys_share_ = marys;
    pass(settle_ms);
    observed_ = marys;
    auto& asking = round % 2 == 0 ? asker : answerer;
    auto& asked = round % 2 == 0 ? answerer : asker;
    const auto rekeyed_before = asking.rekeys[asked.index()];
    (void)asking.mac().rekey(asking.id_of(asked));
    const auto rekey_at = air_.now;
    bool answered = false;
    for (int i = 0; i < probes_a_share; ++i) {
      const auto heard = answerer.received_sdus[asker.index()], back = asker.received_sdus[answerer.index()];
      (void)asker.mac().send(asker.id_of(answerer), security::sdu_type::ip,
                             std::vector<std::uint8_t>(60 + static_cast<std::size_t>(i) * 40, std::uint8_t{7}));
      const auto sent_at = air_.now;
      bool echoed = false;
      for (const auto probe_end = air_.now + 420; air_.now < probe_end;) {
        pass(10);
        if (!echoed && answerer.received_sdus[asker.index()] > heard) {
          echoed = true;
          (void)answerer.mac().send(answerer.id_of(asker), security::sdu_type::ip,
                                    std::vector<std::uint8_t>(60, std::uint8_t{9}));
        }
        if (marys && !answered && asking.rekeys[asked.index()] > rekeyed_before) {
          answered = true;
          f_["rekeyings done"] += 1;
          rekey_ms_ += static_cast<double>(air_.now - rekey_at);
        }
        if (marys && asker.received_sdus[answerer.index()] > back && last_answer_ != sent_at) {
          last_answer_ = sent_at;
          f_["probes answered"] += 1;
          answer_ms_ += static_cast<double>(air_.now - sent_at);
        }
      }
    }
    observed_ = false;
    if (air_.now < end) pass(end - air_.now);
  }

  static l2_id src_of(const std::vector<std::uint8_t>& tb) { return l2_id{tb[1]} << 16 | l2_id{tb[2]} << 8 | tb[3]; }
  void see(int node, const subframe_transmission& t) {
    const bool tm2 = kind_.tm == phy::transmission_mode::tm2;
    if (node == peter_->index() && t.pssch) {  // what the forger needs: the pair of identifiers of the link beside
      const auto& tb = *t.pssch->block;
      beside_src_ = src_of(tb);
      beside_dst_ =
          l2_id{tb[4]} << 16 | l2_id{tb[5]} << 8 | (tm2 ? static_cast<std::uint8_t>(t.pssch->config.n_x_id) : tb[6]);
    }
    if (sl_sch_pdu pdu; node == peter_->index() && t.pssch && parse(*t.pssch->block, pdu) == sl_sch_status::ok)
      for (const auto& s : pdu.all())
        if (carries_data(s.lcid) && s.data.size() > 6 && (s.data[0] & 0xA0) == 0)
          std::copy_n(s.data.begin() + 1, 3, beside_pdcp_.begin());
    if (node == mary_->index() && t.pssch) mary_sends_ = true;
    if (node != john_->index() || !observed_) return;
    const auto count = [&](const std::string& what, double v = 1) { f_[what] += v; };
    if (t.slss) count("SLSS");
    if (t.psdch) {
      count("discovery messages");
      discovery_prb_ += t.psdch->config.prb;
      count("discovery in the lower PRBs", t.psdch->config.prb < 12);
      count("discovery in odd subframes", static_cast<double>(t.subframe & 1));
      count("discovery, " + std::to_string(t.absolute_subframe % 320 / 80) + ". quarter of a period");
      for (const auto o : t.psdch->message) ones_discovery_ += __builtin_popcount(o);
      if (t.psdch->message[0] != 0) count("discovery, type " + std::to_string(t.psdch->message[0] >> 4));
      if (!codes_.insert(t.psdch->message).second) count("discovery messages heard before");
      count("discovery, counter bits", __builtin_popcount(t.psdch->message[28]));
    }
    if (t.pscch) {
      count("SCIs");
      if (const auto* f0 = std::get_if<phy::sci_format0>(&t.pscch->sci)) {
        count("sum of T-RPT indices", f0->time_resource_pattern);
        count("sum of resource assignments", f0->resource_block_assignment);
        count("sum of MCS", f0->mcs);
      } else {
        const auto& f1 = std::get<phy::sci_format1>(t.pscch->sci);
        count("sum of frequency locations", f1.frequency_location);
        count("sum of time gaps", f1.time_gap);
        count("sum of reservations", f1.resource_reservation);
        count("sum of MCS", f1.mcs);
      }
      count("sum of PSCCH PRBs", t.pscch->config.prb);
    }
    if (t.pssch) {
      count("PSSCH");
      count("sum of PSSCH PRBs", t.pssch->config.prb_start);
      count("sum of PSSCH widths", t.pssch->config.n_prb);
      count("PSSCH in odd subframes", static_cast<double>(t.subframe & 1));
      if (t.pssch->block.get() != last_block_) {
        last_block_ = t.pssch->block.get();
        const auto& tb = *t.pssch->block;
        count("blocks");
        count("octets of blocks", static_cast<double>(tb.size()));
        if (last_at_ != 0) gaps_ += std::min<double>(static_cast<double>(t.subframe - last_at_), 1000);
        last_at_ = t.subframe;
        if (sources_.insert(src_of(tb)).second) count("sources");
        for (std::size_t i = 1; i < 4; ++i) count("ones in sources", __builtin_popcount(tb[i]));
        std::size_t i = 9;  // behind the headers in front; the last octets are the tag, or padding
        for (; i < std::min<std::size_t>(tb.size(), 60); ++i) ones_block_ += __builtin_popcount(tb[i]), ++octets_block_;
      }
    }
  }
  /// In each subframe in which Mary sends to John, her second radio makes John try chains of forged segments under the
  /// identifiers of the link beside, before hers is read: eight beginnings and eight middles, which he keeps, four
  /// ends, and small whole SDUs for what is left of a budget.
  void forge(int node, std::vector<received_frame>& heard) {
    if (node != john_->index() || !mary_sends_) return;
    mary_sends_ = false;
    if (!observed_ || beside_dst_ == 0) return;
    const bool tm2 = kind_.tm == phy::transmission_mode::tm2;
    std::vector<received_frame> with;
    forged_.resize(60);
    for (std::size_t i = 0; i < forged_.size(); ++i) {
      auto& b = forged_[i];
      b.assign(i < 20 ? 1500 : 48, 0);
      sl_sch_builder builder({tm2 ? sl_sch_version::unicast : sl_sch_version::v2x, beside_src_, beside_dst_}, b);
      const auto at = builder.add(1, builder.room());
      for (auto& o : at) o = static_cast<std::uint8_t>(forger_());
      at[0] = static_cast<std::uint8_t>(i < 8    ? 0x40
                                        : i < 16 ? 0xC0 | 1
                                        : i < 20 ? 0x80 | 2
                                                 : 3);  // RLC: framing and SN
      if (i < 8 || i >= 20)
        std::copy(beside_pdcp_.begin(), beside_pdcp_.end(),
                  at.begin() + 1);  // SDU type and KD-sess ID of the link; any SN
      builder.finish();
      with.push_back({air_.now, rx_block{b, tm2 ? std::optional<std::uint8_t>(static_cast<std::uint8_t>(beside_dst_))
                                                : std::nullopt}});
    }
    heard.insert(heard.begin(), with.begin(), with.end());
  }
  void finish() {
    const auto mean = [&](const char* name, double sum, const char* of) { f_[name] = f_[of] > 0 ? sum / f_[of] : 0; };
    mean("mean discovery PRB", discovery_prb_, "discovery messages");
    mean("ones a discovery message", ones_discovery_, "discovery messages");
    mean("mean answer time", answer_ms_, "probes answered");
    mean("mean rekeying time", rekey_ms_, "rekeyings done");
    mean("mean gap of blocks", gaps_, "blocks");
    f_["ones an octet of a block"] = octets_block_ > 0 ? ones_block_ / octets_block_ : 0;
    f_["epochs"] = mary_->epochs[john_->index()];
    f_["links lost by Mary"] = mary_->lost[john_->index()];
    f_["links Mary had"] = mary_->established[john_->index()];
  }

  kind_of_run kind_;
  sim_air air_;
  sim_node *john_ = nullptr, *mary_ = nullptr, *peter_ = nullptr, *fourth_ = nullptr, *other_ = nullptr;
  bool observed_ = false, mary_sends_ = false, marys_share_ = false;
  std::int64_t next_query_ = 0, last_answer_ = -1, last_at_ = 0;
  l2_id beside_src_ = 0, beside_dst_ = 0;
  std::array<std::uint8_t, 3> beside_pdcp_{};
  std::mt19937_64 forger_{17};
  std::vector<std::vector<std::uint8_t>> forged_;
  std::set<std::array<std::uint8_t, 29>> codes_;
  std::set<l2_id> sources_;
  const void* last_block_ = nullptr;
  features f_;
  double discovery_prb_ = 0, ones_discovery_ = 0, answer_ms_ = 0, rekey_ms_ = 0, gaps_ = 0, ones_block_ = 0,
         octets_block_ = 0;
};

void judge_air(family& f, const kind_of_run& k) {
  const int runs = 26 * scale();
  std::array<std::vector<features>, 2> worlds;
  std::array<double, 2> seen{};
  for (int i = 0; i < runs; ++i)
    for (const bool with : {true, false}) {
      const auto seed = 10'000 + static_cast<std::uint64_t>(i) * 2 + with;
      const auto r = town(k, with, seed).run();
      if (!r) continue;
      worlds[with].push_back(*r);
      for (const char* what : {"SLSS", "discovery messages", "SCIs", "PSSCH"})
        if (const auto at = r->find(what); at != r->end()) seen[with] += at->second;
    }
  EXPECT_GT(worlds[0].size(), static_cast<std::size_t>(runs) * 9 / 10);
  EXPECT_GT(worlds[1].size(), static_cast<std::size_t>(runs) * 9 / 10);
  f.add(k.name() + ": links come up", equal_rates(static_cast<std::uint64_t>(runs) - worlds[0].size(),
                                                  static_cast<std::uint64_t>(runs) - worlds[1].size()));
  std::set<std::string> names;
  for (const auto& w : worlds)
    for (const auto& r : w)
      for (const auto& [name, v] : r) names.insert(name);
  for (const auto& name : names) {
    std::array<std::vector<double>, 2> v;
    for (int w = 0; w < 2; ++w)
      for (const auto& r : worlds[w]) v[w].push_back(r.contains(name) ? r.at(name) : 0);
    f.add(k.name() + ": " + name, rank_sum(v[1], v[0]));
  }
  std::printf(
      "FIGURE noninterference: %s, %zu and %zu runs, %.0f and %.0f transmissions of John's judged, %zu features\n",
      k.name().c_str(), worlds[1].size(), worlds[0].size(), seen[1], seen[0], names.size());
}

const std::array kinds{kind_of_run{phy::transmission_mode::tm2, false}, kind_of_run{phy::transmission_mode::tm4, true}};

}  // namespace

#ifdef PROSE_NONINTERFERENCE_CONTROL

// The name of the check is the environment's PROSE_MUTANT; which part of the tests sees it, and by what, is said here.
TEST(noninterference_control, a_check_taken_out_is_found) {
  const char* out = std::getenv("PROSE_MUTANT");
  ASSERT_NE(out, nullptr) << "PROSE_MUTANT is not set";
  struct control {
    std::string check, found_by;
    bool on_air;
  };
  const std::array controls{
      control{"KD-sess ID: halves of other links are not avoided", "halves of the link beside", false},
      control{"each link has trials of its own", "probes answered", true}};
  for (const auto& c : controls) {
    if (c.check != out) continue;
    family f;
    if (c.on_air)
      judge_air(f, kinds[0]);
    else
      judge_identifiers(f);
    const auto alarms = f.alarms(out);
    EXPECT_TRUE(
        std::any_of(alarms.begin(), alarms.end(), [&](const std::string& a) { return a.ends_with(c.found_by); }))
        << "not found by: " << c.found_by;
    return;
  }
  FAIL() << "no control of this name: " << out;
}

#else

TEST(noninterference_statistical, worlds_are_not_told_apart) {
  family f;
  judge_identifiers(f);
  for (const auto& k : kinds) judge_air(f, k);
  for (const auto& name : f.alarms("the product")) ADD_FAILURE() << "tells the worlds apart: " << name;
}

// --- what the statistics are worth
// ------------------------------------------------------------------------------------------------

TEST(noninterference_statistics, known_values) {
  EXPECT_NEAR(normal_two_sided(1.959964), 0.05, 1e-6);
  EXPECT_NEAR(normal_two_sided(5.0) / 5.733e-7, 1, 1e-3);
  EXPECT_NEAR(chi_square_tail(3.841459, 1), 0.05, 1e-6);
  EXPECT_NEAR(chi_square_tail(18.307038, 10), 0.05, 1e-6);
  EXPECT_NEAR(chi_square_tail(310.457388, 255), 0.01, 1e-6);
  EXPECT_NEAR(equal_rates(0, 10), 2.0 / 1024, 1e-9);
  EXPECT_NEAR(equal_rates(3, 3), 1, 1e-9);
  EXPECT_NEAR(rank_sum({1, 2, 3, 4}, {5, 6, 7, 8}), normal_two_sided(-8 / std::sqrt(12.0)), 1e-12);
  EXPECT_EQ(rank_sum({1, 1}, {1, 1}), 1);
}

TEST(noninterference_statistics, alarm_no_more_often_than_they_say) {
  // 20 000 pairs of equal samples, tests at 1 in 1000: 20 alarms each in the mean; 45 would be five standard
  // deviations.
  std::mt19937_64 rng(3);
  std::array<int, 3> alarms{};
  for (int i = 0; i < 20'000; ++i) {
    std::vector<double> a(26), b(26);
    for (auto* v : {&a, &b})
      for (auto& x : *v) x = static_cast<double>(rng() % 30);
    alarms[0] += rank_sum(a, b) < 1e-3;
    std::poisson_distribution<int> events(30);
    alarms[1] += equal_rates(static_cast<std::uint64_t>(events(rng)), static_cast<std::uint64_t>(events(rng))) < 1e-3;
    std::vector<std::uint64_t> h(16), g(16);
    for (auto* v : {&h, &g})
      for (int k = 0; k < 600; ++k) ++(*v)[rng() % 16];
    alarms[2] += same_histogram(h, g) < 1e-3;
  }
  for (const int n : alarms) EXPECT_LE(n, 45);
  std::printf("FIGURE noninterference: 20 alarms expected of equal samples; rank sum %d, rates %d, histograms %d\n",
              alarms[0], alarms[1], alarms[2]);
}

#endif

}  // namespace prose::noninterference
