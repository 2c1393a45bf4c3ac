// Several pools in one carrier: communication, discovery and SLSS from one stream of samples, every frame found, none
// invented, told in the order of their subframes whatever the lengths of the blocks.
#include "tests/harness/allocations.h"
#include "tests/phy/monitor_fixture.h"

using namespace prose::phy;

namespace {

struct scene {
  carrier_config carrier;
  std::vector<monitor_pool> pools;
  std::vector<cf32> samples;
  heard sent;
  std::int64_t first = 0;
  std::vector<int> absolute;
};

/// SLSS with the right subframe number in the MIB.
void add_slss(scene& s, air& a, int k, int absolute, double cfo) {
  mib_sl mib;
  mib.n_prb = s.carrier.n_prb;
  mib.direct_frame_number = static_cast<std::uint16_t>(absolute / 10);
  mib.direct_subframe_number = static_cast<std::uint8_t>(absolute % 10);
  bits_t bits(static_cast<std::size_t>(mib_sl_bits(s.carrier.tm)));
  pack(mib, bits);
  const transmission list[] = {{psbch_transmission{77, bits}, 0.0F}};
  a.add(list, s.first + static_cast<std::int64_t>(k) * s.carrier.samples_per_subframe(), cfo);
  s.sent.mib.insert({77, bits});
}

void add_discovery(scene& s, air& a, rng_t& rng, const discovery_pool& pool, int first_absolute, int n_subframes,
                   double cfo) {
  // Of every resource's transmissions those that the stream holds.
  for (int n = 0; n < pool.n_resources(); n += 3) {
    const auto payload = random_bits(rng, discovery_message_bits);
    int sent = 0;
    for (int t = 0; t < pool.n_transmissions(); ++t)
      for (int k = 0; k < n_subframes; ++k) {
        const auto where = pool.locate(first_absolute + k);
        if (!where || where->offset != pool.resource(n, t).subframe) continue;
        const transmission list[] = {{psdch_transmission{pool.psdch(n, t), payload}, 0.0F}};
        a.add(list, s.first + static_cast<std::int64_t>(k) * s.carrier.samples_per_subframe(), cfo);
        ++sent;
      }
    if (sent > 0) s.sent.discovery.insert(payload);
  }
}

/// TM2, 25 PRB: two communication pools whose PSCCH shares PRBs, a discovery pool that shares PRBs and subframes with
/// one of them.
scene tm2_scene(rng_t& rng) {
  scene s;
  s.carrier = *carrier_config::make(25, cyclic_prefix::normal, transmission_mode::tm2, 7.68e6);
  comm_pool_config low{.n_prb = 25, .sc_period_subframes = 40, .pscch = {8, 0, 15}, .subframe_bitmap = "0011000000"};
  low.data = comm_pool_config::data_resources{{16, 0, 15}, 8, "1111111111111111"};
  comm_pool_config high{.n_prb = 25, .sc_period_subframes = 40, .pscch = {8, 8, 23}, .subframe_bitmap = "0011000000"};
  high.data = comm_pool_config::data_resources{{16, 8, 23}, 8, "1111111111111111"};
  discovery_pool_config discovery{.n_prb = 25,
                                  .disc_period_subframes = 320,
                                  .num_retx = 1,
                                  .num_repetition = 5,
                                  .prb = {4, 16, 24},
                                  .subframe_bitmap = "0000100001000000"};
  s.pools = {low, high, discovery};
  const int n_subframes = 90;
  const int first_absolute = 640;
  s.first = pick(rng, 0, 5000);
  air a(s.carrier, static_cast<std::size_t>(s.first + n_subframes * 7680 + 3000), noise_for(s.carrier, 20), rng);
  const double cfo[3] = {real(rng, -1000, 1000), real(rng, -1000, 1000), real(rng, -1000, 1000)};
  for (const int k : {1, 41, 81}) add_slss(s, a, k, first_absolute + k, cfo[0]);
  add_discovery(s, a, rng, *discovery_pool::make(discovery), first_absolute, n_subframes, cfo[1]);
  int which = 0;
  for (const auto& c : {low, high}) {
    const auto pool = *comm_pool::make(c);
    // Neighbours overlap: PRBs 8..15 serve both; each UE keeps to its own eight.
    const int n = which == 0 ? 0 : 1;
    for (int period = 0; period < 2; ++period) {
      sci_format0 sci;
      sci.mcs = static_cast<std::uint8_t>(pick(rng, 2, 9));
      sci.group_destination_id = static_cast<std::uint8_t>(pick(rng, 0, 255));
      sci.time_resource_pattern = 106;
      sci.resource_block_assignment = static_cast<std::uint16_t>(riv_encode(25, which == 0 ? 1 : 9, 6));
      bits_t bits(static_cast<std::size_t>(sci_format0_bits(25)));
      pack(sci, 25, bits);
      s.sent.sci.insert(bits);
      for (int t = 0; t < 2; ++t) {
        const auto place = pool.pscch_resource(n, t);
        const transmission list[] = {{pscch_transmission{{place.prb, 0}, bits}, 0.0F}};
        a.add(list, s.first + (period * 40 + place.subframe) * 7680, cfo[which]);
      }
      bits_t payload;
      for (int k = period * 40; k < period * 40 + 40; ++k) {
        if (k % 40 == 1) continue;  // SLSS
        const auto occasion = pool.pssch_at(sci, first_absolute + k);
        if (!occasion) continue;
        if (occasion->transmission == 0) {
          payload = random_bits(rng, occasion->config.tbs);
          s.sent.tb.insert(payload);
        }
        const transmission list[] = {{pssch_transmission{occasion->config, payload}, 0.0F}};
        a.add(list, s.first + k * 7680, cfo[which]);
      }
    }
    ++which;
  }
  for (int k = 0; k < n_subframes + 1; ++k) s.absolute.push_back(first_absolute + k);
  s.samples = std::move(a.samples);
  return s;
}

/// TM4, 50 PRB: V2X and discovery.
scene tm4_scene(rng_t& rng) {
  scene s;
  s.carrier = *carrier_config::make(50, cyclic_prefix::normal, transmission_mode::tm4, 15.36e6);
  const v2x_pool_config v2x{.n_prb = 50, .size_subchannel = 10, .n_subchannels = 4, .start_prb = 0};
  const discovery_pool_config discovery{.n_prb = 50,
                                        .disc_period_subframes = 320,
                                        .num_retx = 0,
                                        .num_repetition = 2,
                                        .prb = {5, 40, 49},
                                        .subframe_bitmap = "0001001001001000"};
  s.pools = {v2x, discovery};
  const int n_subframes = 40;
  const int first_absolute = 320;
  s.first = pick(rng, 0, 5000);
  air a(s.carrier, static_cast<std::size_t>(s.first + n_subframes * 15360 + 3000), noise_for(s.carrier, 20), rng);
  const double cfo[2] = {real(rng, -2000, 2000), real(rng, -2000, 2000)};
  for (const int k : {2, 22}) add_slss(s, a, k, first_absolute + k, cfo[0]);
  add_discovery(s, a, rng, *discovery_pool::make(discovery), first_absolute, n_subframes, cfo[1]);
  const auto pool = *v2x_pool::make(v2x);
  for (int k = 0; k < n_subframes; k += 3) {
    if (k == 2 || k == 22) continue;
    sci_format1 sci;
    sci.mcs = static_cast<std::uint8_t>(pick(rng, 2, 11));
    sci.priority = static_cast<std::uint8_t>(pick(rng, 0, 7));
    const int first = pick(rng, 0, 2);
    sci.frequency_location = pool.frequency_location(first, 2);
    bits_t bits(sci_format1_bits);
    pack(sci, 4, bits);
    const int prb = pool.pscch_prbs()[first];
    const auto grant = *pool.pssch(sci, prb, sci_crc(bits), k % 10);
    const auto payload = random_bits(rng, grant.tbs);
    const transmission list[] = {{pscch_transmission{{prb, 3 * pick(rng, 0, 3)}, bits}, 0.0F},
                                 {pssch_transmission{grant, payload}, 0.0F}};
    a.add(list, s.first + k * 15360, cfo[0]);
    s.sent.sci.insert(bits);
    s.sent.tb.insert(payload);
  }
  for (int k = 0; k < n_subframes + 1; ++k) s.absolute.push_back(first_absolute + k);
  s.samples = std::move(a.samples);
  return s;
}

monitor_config config_of(const scene& s, sync_mode sync) {
  monitor_config c;
  c.carrier = s.carrier;
  c.sync = sync;
  c.pools = s.pools;
  if (sync == sync_mode::aligned) {
    c.timing.first_subframe_sample = s.first;
    c.timing.absolute_subframes = s.absolute;
  }
  return c;
}

/// One line an event, its place counted from the first tick.
std::vector<std::string> sequence(monitor& m, std::span<const cf32> samples, std::size_t block,
                                  std::int64_t first_tick = 0) {
  std::vector<std::string> out;
  std::int64_t last = -1;
  const auto take = [&](std::span<const monitor_event> events) {
    for (const auto& e : events)
      std::visit(
          [&](const auto& v) {
            EXPECT_GE(v.rx.sample, last);
            last = v.rx.sample;
            out.push_back(std::to_string(e.index()) + " " + std::to_string(v.rx.sample - first_tick) + " " +
                          std::string(v.bits.begin(), v.bits.end()));
          },
          e);
  };
  for (std::size_t i = 0; i < samples.size(); i += block)
    take(m.process(samples.subspan(i, std::min(block, samples.size() - i)), first_tick + static_cast<std::int64_t>(i)));
  take(m.finish());
  return out;
}
std::vector<std::string> sequence(const monitor_config& config, std::span<const cf32> samples, std::size_t block) {
  auto m = monitor::make(config);
  EXPECT_TRUE(m) << m.error().message;
  return sequence(*m, samples, block);
}

void expect_all(const scene& s, sync_mode sync, double least) {
  const auto h = listen(config_of(s, sync), s.samples);
  tally t;
  t.count(s.sent.mib, h.mib);
  t.count(s.sent.sci, h.sci);
  t.count(s.sent.tb, h.tb);
  t.count(s.sent.discovery, h.discovery);
  std::printf(
      "mode %d: %d of %d, %d invented (sent %zu MIB, %zu SCI, %zu blocks, %zu discovery; heard %zu, %zu, %zu, %zu)\n",
      static_cast<int>(sync), t.found, t.expected, t.invented, s.sent.mib.size(), s.sent.sci.size(), s.sent.tb.size(),
      s.sent.discovery.size(), h.mib.size(), h.sci.size(), h.tb.size(), h.discovery.size());
  EXPECT_GE(t.share(), least) << "mode " << static_cast<int>(sync);
  EXPECT_EQ(t.invented, 0);
  EXPECT_GT(h.mib.size() * h.sci.size() * h.tb.size() * h.discovery.size(), 0U) << "every kind must be there";
}

}  // namespace

TEST(monitor_pools, communication_discovery_and_slss_in_one_tm2_carrier) {
  rng_t rng(21);
  const auto s = tm2_scene(rng);
  for (const auto sync : {sync_mode::aligned, sync_mode::slss, sync_mode::blind})
    expect_all(s, sync, sync == sync_mode::aligned ? 1.0 : 0.97);
}

TEST(monitor_pools, v2x_discovery_and_slss_in_one_tm4_carrier) {
  rng_t rng(22);
  const auto s = tm4_scene(rng);
  for (const auto sync : {sync_mode::aligned, sync_mode::slss, sync_mode::blind})
    expect_all(s, sync, sync == sync_mode::aligned ? 1.0 : 0.9);
}

TEST(monitor_pools, each_pool_by_itself_hears_its_own) {
  rng_t rng(23);
  const auto s = tm4_scene(rng);
  auto config = config_of(s, sync_mode::aligned);
  config.pools = {s.pools[0]};
  auto h = listen(config, s.samples);
  EXPECT_EQ(h.sci, s.sent.sci);
  EXPECT_TRUE(h.discovery.empty());
  config.pools = {s.pools[1]};
  h = listen(config, s.samples);
  EXPECT_EQ(h.discovery, s.sent.discovery);
  EXPECT_TRUE(h.sci.empty());
}

TEST(monitor_pools, lengths_of_blocks_change_nothing) {
  rng_t rng(24);
  for (const auto& s : {tm2_scene(rng), tm4_scene(rng)})
    for (const auto sync : {sync_mode::aligned, sync_mode::slss, sync_mode::blind}) {
      const auto config = config_of(s, sync);
      const auto want = sequence(config, s.samples, static_cast<std::size_t>(s.carrier.samples_per_subframe()));
      EXPECT_GT(want.size(), 10U);
      for (const std::size_t block : {std::size_t{997}, std::size_t{40'001}, s.samples.size()})
        EXPECT_EQ(sequence(config, s.samples, block), want)
            << "mode " << static_cast<int>(sync) << ", blocks of " << block;
      // A PSCCH in both pools is one SCI.
      auto sorted = want;
      std::sort(sorted.begin(), sorted.end());
      EXPECT_EQ(std::adjacent_find(sorted.begin(), sorted.end()), sorted.end());
    }
}

// What comes after a restart is what a new monitor gives, and nothing is allocated for it.
TEST(monitor_pools, a_restarted_monitor_is_a_new_one) {
  rng_t rng(25);
  for (const auto& s : {tm2_scene(rng), tm4_scene(rng)})
    for (const auto sync : {sync_mode::aligned, sync_mode::slss, sync_mode::blind}) {
      const auto n = s.samples.size();
      auto config = config_of(s, sync);
      config.unannounced = config.search_beside = true;
      auto m = monitor::make(config);
      ASSERT_TRUE(m);
      const auto first = sequence(*m, s.samples, n);
      EXPECT_GT(first.size(), 10U);
      const long before = prose::test::allocations;
      m->restart(s.first + static_cast<std::int64_t>(n));
      EXPECT_EQ(prose::test::allocations, before);
      EXPECT_EQ(sequence(*m, s.samples, n, static_cast<std::int64_t>(n)), first) << "mode " << static_cast<int>(sync);
    }
}

TEST(monitor_pools, what_does_not_fit_is_refused) {
  monitor_config c;
  c.carrier = *carrier_config::make(25, cyclic_prefix::normal, transmission_mode::tm2, 7.68e6);
  c.pools = {v2x_pool_config{}};
  EXPECT_FALSE(monitor::make(c));
  c.pools.assign(max_monitor_pools + 1, comm_pool_config{.known = false});
  EXPECT_FALSE(monitor::make(c));
  c.pools = {discovery_pool_config{}, comm_pool_config{.known = false}};
  EXPECT_FALSE(monitor::make(c)) << "a discovery pool without a bitmap";
}
