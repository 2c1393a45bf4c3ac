// Whole captures as samples, from our own transmitter through the sniffer's capture to the verdict: in order, jammed,
// collided, half captured, with the wrong pool or carrier told, and two towns on one carrier of which one was told; and
// what others' transmitters sent (the shared recordings).
#include <gtest/gtest.h>

#include <filesystem>

#include "apps/sniffer/judgement.h"
#include "mac/rlc_um.h"
#include "phy/io/sigmf_reader.h"
#include "phy/types/comm_pool.h"
#include "phy/types/tbs.h"
#include "prose_test_paths.h"
#include "security/types.h"
#include "tests/phy/monitor_fixture.h"

namespace prose::apps {
namespace {

using octets = std::vector<std::uint8_t>;
constexpr int n_prb = 25, period = 40, sps = 7680;
const auto carrier = *phy::carrier_config::make(n_prb, phy::cyclic_prefix::normal, phy::transmission_mode::tm2, 7.68e6);

phy::comm_pool_config pool_config() {
  phy::comm_pool_config c{.n_prb = n_prb,
                          .sc_period_subframes = period,
                          .pscch = {13, 0, 24},
                          .subframe_bitmap = "1111111100000000000000000000000000000000"};
  c.data = phy::comm_pool_config::data_resources{{13, 0, 24}, 8, "11111111111111111111111111111111"};
  return c;
}

/// UEs that send a record a period each, in samples.
class towns {
public:
  explicit towns(int periods, unsigned seed = 18)
      : rng(seed),
        air(carrier, static_cast<std::size_t>((periods + 2) * period * sps), phy::noise_for(carrier, 20), rng),
        periods_(periods) {}

  struct ue {
    std::uint32_t src, dst;
    bool text = false;
    int shift = 0;     ///< subframes by which the pool of its town lies later than the one that is told
    int resource = 0;  ///< of PSCCH; different for UEs of one town
    double cfo_hz = 0;
    mac::rlc_um_tx rlc{};
    int sn = 0;
  };
  struct place {
    int start, n, trp;
  };
  place draw() { return {phy::pick(rng, 0, 4) * 5, 5, phy::pick(rng, 36, 105)}; }
  void send(ue& u, int at_period, const place& where) {
    const auto pool = *phy::comm_pool::make(pool_config());
    phy::sci_format0 sci;
    sci.resource_block_assignment = static_cast<std::uint16_t>(phy::riv_encode(n_prb, where.start, where.n));
    sci.time_resource_pattern = static_cast<std::uint8_t>(where.trp);
    sci.mcs = static_cast<std::uint8_t>(mcs);
    sci.group_destination_id = static_cast<std::uint8_t>(u.dst);
    phy::bits_t bits(static_cast<std::size_t>(phy::sci_format0_bits(n_prb)));
    phy::pack(sci, n_prb, bits);
    const int base = at_period * period;
    const auto start_of = [&](int subframe) { return static_cast<std::int64_t>(base + subframe + u.shift) * sps; };
    for (const int k : {0, 1}) {
      const auto p = pool.pscch_resource(u.resource, k);
      const phy::transmission list[] = {{phy::pscch_transmission{{p.prb, 0}, bits}, 0.0F}};
      air.add(list, start_of(p.subframe), u.cfo_hz);
    }
    const auto tbs = phy::pssch_transport(phy::transmission_mode::tm2, mcs, where.n)->tbs;
    const auto payload = block(u, static_cast<std::size_t>(tbs) / 8);
    for (int t = 0; t < 4; ++t) {  // the first block of the grant; its other occasions stay unused
      const int subframe = pool.pssch_subframe(where.trp, t);
      auto c = pool.pssch_at(sci, base + subframe)->config;
      c.rv = phy::rv_order[t];
      const phy::transmission list[] = {{phy::pssch_transmission{c, payload}, 0.0F}};
      air.add(list, start_of(subframe), u.cfo_hz);
    }
  }
  void all(std::vector<ue>& ues) {
    for (int p = 0; p < periods_; ++p)
      for (auto& u : ues) send(u, p, draw());
  }
  void jam(int from_subframe, int n, double snr_db) {
    std::normal_distribution<float> g(0.0F, static_cast<float>(std::pow(10.0, -snr_db / 20)));
    for (auto i = static_cast<std::size_t>(from_subframe) * sps; i < static_cast<std::size_t>(from_subframe + n) * sps;
         ++i)
      air.samples[i] += phy::cf32(g(rng), g(rng));
  }

  phy::rng_t rng;
  phy::air air;
  int mcs = 9;

private:
  phy::bits_t block(ue& u, std::size_t n) {
    octets tb(n), pdu(5);
    security::write_pdcp_header(
        {security::sdu_type::ip, static_cast<std::uint16_t>(u.src >> 4 | 1), static_cast<std::uint16_t>(u.sn)},
        std::span(pdu).first<5>());
    const std::string words = "message " + std::to_string(u.sn++) +
                              ": meet me at the old mill at noon, and bring the maps of the northern road";
    for (std::size_t i = 0; pdu.size() < n - 12; ++i)
      pdu.push_back(u.text ? static_cast<std::uint8_t>(words[i % words.size()]) : static_cast<std::uint8_t>(rng()));
    EXPECT_TRUE(u.rlc.enqueue(pdu));
    mac::sl_sch_builder b({mac::sl_sch_version::unicast, u.src, u.dst}, tb);
    u.rlc.build(b.add(1, u.rlc.wanted_octets()));
    b.finish();
    phy::bits_t bits(8 * n);
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = (tb[i / 8] >> (7 - i % 8)) & 1U;
    return bits;
  }
  int periods_;
};

/// Samples with holes, as a radio that overflows gives them.
class heard_samples final : public phy::sample_source {
public:
  struct hole {
    std::int64_t from, to;
  };
  heard_samples(std::span<const phy::cf32> samples, std::vector<hole> holes)
      : samples_(samples), holes_(std::move(holes)) {}
  double sample_rate_hz() const override { return carrier.sample_rate_hz(); }
  int n_antennas() const override { return 1; }
  result<phy::read_status> read(std::span<const std::span<phy::cf32>> out) override {
    bool gap = false;
    for (const auto& h : holes_)
      if (at_ >= h.from && at_ < h.to) at_ = h.to, gap = true;
    std::int64_t end = std::min<std::int64_t>(at_ + static_cast<std::int64_t>(out[0].size()),
                                              static_cast<std::int64_t>(samples_.size()));
    for (const auto& h : holes_)
      if (at_ < h.from) end = std::min(end, h.from);
    phy::read_status s{};
    s.first_tick = at_;
    s.n_samples = static_cast<std::size_t>(std::max<std::int64_t>(end - at_, 0));
    s.gap_before = gap;
    std::copy_n(samples_.begin() + at_, s.n_samples, out[0].begin());
    at_ = std::max(at_, end);
    s.end = at_ >= static_cast<std::int64_t>(samples_.size());
    return s;
  }

private:
  std::span<const phy::cf32> samples_;
  std::vector<hole> holes_;
  std::int64_t at_ = 0;
};

verdict judged(capture& c) {
  analysis a({});
  event_writer events;
  const auto done = c.run(events, {{.frame = [&](const phy::monitor_event&, const captured_frame& f) {
                            a.add(f);
                            return true;
                          }}});
  EXPECT_TRUE(done);
  if (done) a.heard(hearing_of(*done));
  return a.judge();
}
struct told {
  std::optional<phy::comm_pool_config> pool = pool_config();
  bool beside = true;
  phy::transmission_mode tm = phy::transmission_mode::tm2;
};
verdict judged(const towns& t, std::vector<heard_samples::hole> holes = {}, const told& w = {}) {
  heard_samples source(t.air.samples, std::move(holes));
  scene s;
  s.n_prb = n_prb;
  s.tm = w.tm;
  if (w.pool && w.tm == phy::transmission_mode::tm2) s.pools = {*w.pool};
  capture_options o{listen_sync::gnss};
  o.search_beside = w.beside;
  std::string assumed;
  auto c = capture::make(source, "samples", s, o, assumed);
  EXPECT_TRUE(c) << c.error().message;
  const auto v = judged(*c);
  std::printf("exit %d; blocks %llu of %llu (%llu absent), %llu records, %llu of %llu resource blocks unexplained\n",
              exit_status(v.outcome), static_cast<unsigned long long>(v.heard.blocks_decoded),
              static_cast<unsigned long long>(v.heard.blocks_announced),
              static_cast<unsigned long long>(v.heard.blocks_absent), static_cast<unsigned long long>(v.records),
              static_cast<unsigned long long>(v.heard.prbs_unexplained),
              static_cast<unsigned long long>(v.heard.prbs_occupied));
  return v;
}
bool doubts(const verdict& v, const std::string& check) {
  return std::any_of(v.doubts.begin(), v.doubts.end(), [&](const auto& d) { return d.check == check; });
}
constexpr int periods = 24;
std::vector<towns::ue> john_and_peter(int shift = 0, bool text = false) {
  std::vector<towns::ue> two;
  two.push_back({shift != 0 ? 0x5d11a3U : 0x123456U, shift != 0 ? 0x7720feU : 0x9a8b7cU, text, shift, 3, 400});
  two.push_back({shift != 0 ? 0x7720feU : 0x9a8b7cU, shift != 0 ? 0x5d11a3U : 0x123456U, text, shift, 20, -700});
  return two;
}

TEST(verdict_share_air, unused_occasions_are_no_loss) {
  towns t(periods);
  auto ues = john_and_peter();
  t.all(ues);
  const auto v = judged(t);
  EXPECT_EQ(exit_status(v.outcome), 0) << to_text(v);
  EXPECT_GE(v.heard.blocks_announced, 2U * periods * 95 / 100);
  EXPECT_GT(v.heard.blocks_absent, v.heard.blocks_announced) << "most occasions of a grant were left unused";
}

TEST(verdict_share_air, jammed_proves_nothing) {
  towns t(periods);
  auto ues = john_and_peter();
  t.all(ues);
  for (int p = 0; p < periods; p += 3)
    t.jam(p * period + 8, 32, -25);  // the PSSCH of every third period, not the PSCCH
  const auto v = judged(t);
  EXPECT_EQ(exit_status(v.outcome), 4) << to_text(v);
  EXPECT_TRUE(doubts(v, "blocks_decoded"));
}

TEST(verdict_share_air, collided_proves_nothing) {
  towns t(periods);
  t.mcs = 18;  // four transmissions of a robust block survive another one in the same place
  auto ues = john_and_peter();
  ues.push_back({0x44aa01, 0x31bb77, false, 0, 40, 1500});
  for (int p = 0; p < periods; ++p) {
    const auto same = t.draw();
    for (auto& u : ues) t.send(u, p, p % 2 == 0 ? same : t.draw());
  }
  const auto v = judged(t);
  EXPECT_EQ(exit_status(v.outcome), 4) << to_text(v);
}

TEST(verdict_share_air, half_captured_proves_nothing) {
  towns t(periods);
  auto ues = john_and_peter();
  t.all(ues);
  const std::int64_t all = static_cast<std::int64_t>(periods) * period * sps;
  const auto half = judged(t, {{all / 4, all * 3 / 4}});
  EXPECT_EQ(exit_status(half.outcome), 4) << to_text(half);
  EXPECT_NEAR(half.heard.seconds_lost, 0.5 * periods * period / 1000, 0.01);
  const auto late = judged(t, {{0, all / 2}});
  EXPECT_EQ(exit_status(late.outcome), 0) << to_text(late);
}

/// With no pool told, the places of blocks are known by their DMRS only, and what is drowned shows none.
TEST(verdict_share_air, without_a_pool_jammed_or_missed_proves_nothing) {
  towns t(periods);
  auto ues = john_and_peter();
  t.all(ues);
  const told nothing{.pool = std::nullopt};
  const std::int64_t all = static_cast<std::int64_t>(periods) * period * sps;
  const auto in_order = judged(t, {}, nothing);
  EXPECT_NE(exit_status(in_order.outcome), 3) << to_text(in_order);
  EXPECT_GE(in_order.heard.blocks_announced, 2U * periods * 85 / 100);
  EXPECT_EQ(exit_status(judged(t, {{all / 4, all * 3 / 4}}, nothing).outcome), 4);
  std::vector<heard_samples::hole> holes;  // PSSCH of every third period missed, PSCCH heard
  for (int p = 0; p < periods; p += 3)
    holes.push_back({std::int64_t{p * period + 8} * sps, std::int64_t{p * period + 40} * sps});
  EXPECT_EQ(exit_status(judged(t, holes, nothing).outcome), 4);
  for (int p = 0; p < periods; p += 3) t.jam(p * period + 8, 32, -25);
  const auto v = judged(t, {}, nothing);
  EXPECT_EQ(exit_status(v.outcome), 4) << to_text(v);
  EXPECT_TRUE(doubts(v, "blocks_decoded"));
}

TEST(verdict_share_air, the_wrong_pool_told_does_not_narrow_what_is_heard) {
  towns t(periods);
  auto ues = john_and_peter(13, true);
  t.all(ues);
  const auto v = judged(t);
  EXPECT_EQ(exit_status(v.outcome), 3) << to_text(v);  // it is read where nobody said that it is
  EXPECT_EQ(exit_status(judged(t, {}, {.beside = false}).outcome), 4);
}

TEST(verdict_share_air, the_wrong_carrier_told_proves_nothing) {
  towns t(periods);
  auto ues = john_and_peter(0, true);
  t.all(ues);
  EXPECT_EQ(exit_status(judged(t, {}, {.tm = phy::transmission_mode::tm4}).outcome), 4);
}

TEST(verdict_share_air, two_towns_on_one_carrier_are_both_heard) {
  for (const bool text : {false, true}) {
    towns t(periods);
    auto first = john_and_peter(), second = john_and_peter(13, text);
    t.all(first);
    t.all(second);
    const auto v = judged(t);
    EXPECT_NE(exit_status(v.outcome), text ? 0 : 3) << to_text(v);
    EXPECT_TRUE(std::any_of(v.transmitters.begin(), v.transmitters.end(), [](const auto& x) {
      return x.who == "src 5d11a3" && x.blocks > 0;
    })) << to_json(v);
    if (text) {
      EXPECT_EQ(exit_status(v.outcome), 3) << to_text(v);
    }
    EXPECT_EQ(exit_status(judged(t, {}, {.beside = false}).outcome), 4) << "one town alone says nothing of the other";
  }
}

TEST(verdict_share_air, foreign_transmissions_are_never_opaque) {
  const std::filesystem::path shared = PROSE_SHARED_IQ;
  if (!std::filesystem::exists(shared)) GTEST_SKIP() << "the shared recordings are not here";
  std::map<int, int> outcomes;
  for (const auto& f : std::filesystem::recursive_directory_iterator(shared)) {
    if (f.path().extension() != ".sigmf-meta") continue;
    auto reader = phy::sigmf_reader::open(f.path().string());
    auto known = load_scene(std::filesystem::path(f.path()).replace_extension("").string() + ".expected.json");
    if (!reader || !known) continue;
    std::string assumed;
    capture_options o{listen_sync::aligned};
    o.search_beside = true;
    auto c = capture::make(std::make_unique<file_source>(std::move(*reader), 1), *known, o, assumed);
    ASSERT_TRUE(c) << f.path() << c.error().message;
    const auto v = judged(*c);
    ++outcomes[exit_status(v.outcome)];
    EXPECT_NE(exit_status(v.outcome), 0) << f.path() << to_text(v);
  }
  std::printf("%d recordings exposed, %d nothing proven\n", outcomes[3], outcomes[4]);
  EXPECT_GE(outcomes[3] + outcomes[4], 50);
}

}  // namespace
}  // namespace prose::apps
