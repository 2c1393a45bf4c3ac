// A device with a transmit buffer that holds less than a burst: nothing underflows, and reception goes on meanwhile.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <thread>
#include <vector>

#include "phy/radio/burst_sender.h"
#include "tests/phy/air/hub_process.h"
#include "tests/phy/radio/open_radio.h"

namespace prose::phy {
namespace {

using test::config_of;
using test::hub_process;
using test::open_radio;

struct carrier_rate {
  const char* name;
  double rate_hz;  // of 25, 50 and 100 PRB
};
class radio_tx_buffer : public ::testing::TestWithParam<carrier_rate> {};

/// One thread, as in a UE: reads a subframe, hands over a burst of a subframe for later, reads on.
TEST_P(radio_tx_buffer, bursts_longer_than_32_kib_go_out_whole) {
  const hub_process hub;
  const double rate_hz = GetParam().rate_hz;
  auto mary = open_radio(config_of(hub.device("mary", "tx_buffer_bytes=32768"), rate_hz));
  auto listener_config = config_of(hub.device("john"), rate_hz);
  listener_config.transmits = false;
  auto john = open_radio(listener_config);
  ASSERT_TRUE(mary && john);
  const auto subframe = static_cast<std::size_t>(rate_hz / 1000.0);
  constexpr int n_bursts = 20;
  constexpr std::int64_t ahead_subframes = 4, every_subframes = 3;

  const std::vector<cf32> burst(subframe, cf32{0.5F, 0.0F});
  const std::int64_t start = mary->now_tick().value() + static_cast<std::int64_t>(0.5 * rate_hz);
  ASSERT_TRUE(mary->start(start));
  ASSERT_TRUE(john->start(start));
  constexpr std::int64_t n_subframes = ahead_subframes + n_bursts * every_subframes + 2;
  std::uint64_t heard = 0;
  std::jthread listener([&] {
    std::vector<cf32> in(subframe);
    for (std::int64_t k = 0; k < n_subframes; ++k) {
      ASSERT_TRUE(john->read(in));
      for (const cf32 v : in) heard += std::abs(v) > 0.1F ? 1 : 0;
    }
  });
  {
    burst_sender sender(*mary, subframe);
    std::vector<cf32> in(subframe);
    for (std::int64_t k = 0; k < n_subframes; ++k) {
      ASSERT_TRUE(sender.wait_until_begun());
      const auto s = mary->read(in);
      ASSERT_TRUE(s) << s.error().message;
      EXPECT_FALSE(s->gap_before);
      const std::int64_t at = k + ahead_subframes;
      if (k % every_subframes != 0 || k / every_subframes >= n_bursts) continue;
      const auto queued = sender.send(start + at * static_cast<std::int64_t>(subframe), burst);
      ASSERT_TRUE(queued) << queued.error().message;
    }
    ASSERT_TRUE(sender.finish());
  }
  listener.join();
  const auto c = mary->counters();
  EXPECT_EQ(c.underflows, 0U);
  EXPECT_EQ(c.lates, 0U);
  EXPECT_EQ(c.overflows, 0U);
  EXPECT_EQ(c.bursts_sent, static_cast<std::uint64_t>(n_bursts));
  EXPECT_EQ(heard, n_bursts * subframe);
}

INSTANTIATE_TEST_SUITE_P(carriers, radio_tx_buffer,
                         ::testing::Values(carrier_rate{"25_prb", 7.68e6}, carrier_rate{"50_prb", 15.36e6},
                                           carrier_rate{"100_prb", 30.72e6}),
                         [](const auto& x) { return x.param.name; });

/// Handed over a lead after what was read, and no sooner: only a reader that waits for it makes none late.
TEST(radio_tx_buffer_errors, a_burst_at_the_last_moment_is_never_late) {
  const hub_process hub("lead_us: 500");
  constexpr double rate_hz = 1.92e6;
  constexpr std::int64_t lead_samples = 960;
  const auto mary = open_radio(config_of(hub.device("mary"), rate_hz));
  ASSERT_TRUE(mary);
  const std::vector<cf32> burst(100, cf32{0.5F, 0.0F});
  burst_sender sender(*mary, burst.size());
  std::vector<cf32> in(1920);
  constexpr int n_bursts = 300;
  for (int k = 0; k < n_bursts; ++k) {
    ASSERT_TRUE(sender.wait_until_begun());
    const auto s = mary->read(in);
    ASSERT_TRUE(s) << s.error().message;
    ASSERT_TRUE(sender.send(s->first_tick + static_cast<std::int64_t>(s->n_samples) + lead_samples, burst));
  }
  ASSERT_TRUE(sender.finish());
  EXPECT_EQ(mary->counters().lates, 0U);
  EXPECT_EQ(mary->counters().bursts_sent, static_cast<std::uint64_t>(n_bursts));
}

/// The control: what the device keeps is less than a burst, so the thread that reads may not be the one that sends.
TEST(radio_tx_buffer_errors, one_thread_alone_is_held_up) {
  const hub_process hub;
  auto config = config_of(hub.device("mary", "tx_buffer_bytes=32768"), 15.36e6);
  config.transmit_timeout_s = 0.2;
  auto mary = open_radio(config);
  ASSERT_TRUE(mary);
  const std::int64_t start = mary->now_tick().value() + static_cast<std::int64_t>(0.5 * config.sample_rate_hz);
  ASSERT_TRUE(mary->start(start));
  std::vector<cf32> subframe(15360);
  ASSERT_TRUE(mary->read(subframe));
  const auto sent = mary->transmit(start + 4 * 15360, std::vector<cf32>(15360, cf32{0.5F, 0.0F}));
  ASSERT_FALSE(sent);
  EXPECT_NE(sent.error().message.find("stay full"), std::string::npos) << sent.error().message;
}

TEST(radio_tx_buffer_errors, a_failure_of_the_transmitter_reaches_the_caller) {
  auto hub = std::make_unique<hub_process>();
  auto mary = open_radio(config_of(hub->device("mary"), 1.92e6));
  ASSERT_TRUE(mary);
  burst_sender sender(*mary, 1920);
  hub->end(SIGKILL);
  const std::vector<cf32> burst(1920);
  result<void> last;
  for (int i = 0; i < 100 && last; ++i) {
    if (const auto sent = sender.send(1'000'000'000, burst); !sent) last = tl::unexpected(sent.error());
    if (last) last = sender.wait_until_begun();
  }
  ASSERT_FALSE(last);
  EXPECT_NE(last.error().message.find("has ended"), std::string::npos) << last.error().message;
}

}  // namespace
}  // namespace prose::phy
