// Tracks of the monitor whose clocks bring them together. Own transmitter.
#include "tests/phy/monitor_fixture.h"

using namespace prose::phy;

// Two references whose clocks bring their subframes together, from 25 us apart to 8 us, where one track hears both.
TEST(monitor_tracks, tracks_that_come_together_become_one) {
  rng_t rng(44);
  const auto carrier = *carrier_config::make(15, cyclic_prefix::normal, transmission_mode::tm4, 3.84e6);
  const v2x_pool_config config{.n_prb = 15, .size_subchannel = 5, .n_subchannels = 3};
  const auto pool = *v2x_pool::make(config);
  const int sps = carrier.samples_per_subframe();
  constexpr int n_subframes = 400, drift_every = 4, n_judged = 100, slss_period = 40;
  const int apart = static_cast<int>(std::lround(25e-6 * carrier.sample_rate_hz()));
  const int at_last = static_cast<int>(std::lround(8e-6 * carrier.sample_rate_hz()));
  air a(carrier, static_cast<std::size_t>((n_subframes + 1) * sps), noise_for(carrier, 20), rng);
  heard sent;
  for (int k = 0; k < n_subframes; ++k)
    for (const int which : {0, 1}) {
      const auto start =
          static_cast<std::int64_t>(k) * sps + (which == 0 ? 0 : std::max(at_last, apart - k / drift_every));
      if (k % slss_period == 1 + 2 * which) {
        bits_t bits(static_cast<std::size_t>(mib_sl_bits(carrier.tm)));
        pack({.n_prb = carrier.n_prb,
              .direct_frame_number = static_cast<std::uint16_t>(k / 10),
              .direct_subframe_number = static_cast<std::uint8_t>(k % 10)},
             bits);
        const transmission list[] = {{psbch_transmission{77 + which, bits}}};
        a.add(list, start, 0);
        continue;
      }
      const sci_format1 sci{.frequency_location = pool.frequency_location(2 * which, 1), .mcs = 5};
      bits_t bits(sci_format1_bits);
      pack(sci, config.n_subchannels, bits);
      const int prb = pool.pscch_prbs()[2 * which];
      const auto grant = *pool.pssch(sci, prb, sci_crc(bits), k % 10);
      const auto payload = random_bits(rng, grant.tbs);
      const transmission list[] = {{pscch_transmission{{prb, 0}, bits}}, {pssch_transmission{grant, payload}}};
      a.add(list, start, 0);
      if (k > slss_period) sent.tb.insert(payload);  // both are tracked
    }
  auto m = *monitor::make({.carrier = carrier, .sync = sync_mode::slss, .timing = {}, .pools = {config}});
  heard got;
  const auto samples = std::span<const cf32>(a.samples);
  const auto judged_from = static_cast<std::size_t>((n_subframes - n_judged) * sps);
  got.take(m.process(samples.first(judged_from), 0));
  const auto before = m.statistics().subframes;
  got.take(m.process(samples.subspan(judged_from), static_cast<std::int64_t>(judged_from)));
  got.take(m.finish());
  // One more or less by where the parts begin and end.
  EXPECT_LT(m.statistics().subframes - before, n_judged + 10U) << "examined";
  for (const auto& block : sent.tb) EXPECT_TRUE(got.tb.contains(block));
}
