// The monitor on noise alone and on hostile samples.
#include <limits>

#include "tests/phy/monitor_fixture.h"

using namespace prose::phy;

// Noise says nothing: no MIB, no block, no discovery message in any mode. SCIs have 16 bits of CRC; a few in 10^7
// candidates pass.
TEST(monitor_noise, invents_nothing) {
  rng_t rng(10);
  const int n_subframes = rounds(1500);
  for (const auto mode : {sync_mode::aligned, sync_mode::slss, sync_mode::blind})
    for (const auto tm : {transmission_mode::tm2, transmission_mode::tm4}) {
      monitor_config config;
      config.carrier = *carrier_config::make(6, cyclic_prefix::normal, tm, 1.92e6);
      config.sync = mode;
      auto m = monitor::make(config);
      ASSERT_TRUE(m);
      std::size_t n_events = 0;
      for (int i = 0; i < n_subframes; i += 10)
        n_events += m->process(noise(rng, 19200), static_cast<std::int64_t>(i) * 1920).size();
      n_events += m->finish().size();
      EXPECT_EQ(m->statistics().mib + m->statistics().tb_ok + m->statistics().discovery, 0U);
      EXPECT_EQ(n_events, 0U) << "mode " << static_cast<int>(mode) << " TM" << static_cast<int>(tm);
    }
}

TEST(monitor_hostile, samples_of_every_kind) {
  rng_t rng(11);
  for (const auto mode : {sync_mode::aligned, sync_mode::slss, sync_mode::blind}) {
    for (const int kind : {0, 1, 2, 3, 4, 5, 6, 7}) {
      monitor_config config;
      config.carrier = *carrier_config::make(25, cyclic_prefix::normal,
                                             kind % 2 == 0 ? transmission_mode::tm4 : transmission_mode::tm2, 7.68e6);
      config.sync = mode;
      config.timing.first_subframe_sample = kind == 5 ? -12345 : 777;
      auto m = monitor::make(config);
      ASSERT_TRUE(m);
      std::int64_t tick = kind == 4 ? -1000000 : 0;
      std::size_t n_events = 0;
      for (int block = 0; block < 12; ++block) {
        auto x = noise(rng, static_cast<std::size_t>(pick(rng, 1, 40000)));
        for (std::size_t i = 0; i < x.size(); ++i) {
          if (kind == 0 && i % 7 == 0) x[i] = {std::numeric_limits<float>::quiet_NaN(), 0};
          if (kind == 1) x[i] = i % 3 == 0 ? cf32(std::numeric_limits<float>::infinity(), 1) : cf32(3e38F, -3e38F);
          if (kind == 2) x[i] = {};
          if (kind == 3) x[i] *= static_cast<float>(i % 1000);
          if (kind == 4) x[i] *= 1e-30F;
          if (kind >= 6) x[i] = {1.0F, 0.0F};  // a bare carrier
        }
        n_events += m->process(x, tick).size();
        tick += static_cast<std::int64_t>(x.size()) +
                (block % 3 == 2 ? pick(rng, -3000, 100000) : 0);  // gaps, even backwards
      }
      n_events += m->finish().size();
      EXPECT_EQ(n_events, 0U) << "mode " << static_cast<int>(mode) << " kind " << kind;
      if (kind < 2) {
        EXPECT_GT(m->statistics().non_finite_samples, 0U);
      }
      EXPECT_GT(m->statistics().gaps, 0U);
    }
  }
}
