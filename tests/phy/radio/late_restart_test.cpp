// A stream that stops in the middle begins again once; a device that is gone is an error soon, and holds nobody.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/phy/air/hub_process.h"
#include "tests/phy/radio/open_radio.h"

namespace prose::phy {
namespace {

using test::hub_process;
using test::open_radio;
constexpr double rate_hz = 1.92e6;

radio_config config_of(const std::string& device) { return test::config_of(device, rate_hz); }

struct reception {
  std::uint64_t samples = 0;
  int gaps = 0;
  std::int64_t missing = 0;
  std::string error;
};

/// Reads until a span of device time has passed, or an error.
reception read_for(radio& r, double seconds) {
  reception got;
  std::vector<cf32> in(1920);
  std::int64_t first = -1;
  std::int64_t next = -1;
  do {
    const auto s = r.read(in);
    if (!s) {
      got.error = s.error().message;
      return got;
    }
    if (first < 0) first = next = s->first_tick;
    if (s->gap_before) {
      ++got.gaps;
      got.missing += s->first_tick - next;
    } else {
      EXPECT_EQ(s->first_tick, next);
    }
    next = s->first_tick + static_cast<std::int64_t>(s->n_samples);
    got.samples += s->n_samples;
  } while (static_cast<double>(next - first) < seconds * rate_hz);
  return got;
}

struct stop_in_the_middle {
  const char* name;
  const char* fault;
};
class radio_goes_on : public ::testing::TestWithParam<stop_in_the_middle> {};

TEST_P(radio_goes_on, begins_again_with_a_gap) {
  const hub_process hub(std::string("faults:\n  - ") + GetParam().fault);
  const auto john = open_radio(config_of(hub.device("john")));
  ASSERT_TRUE(john);
  const auto got = read_for(*john, 4.0);
  EXPECT_EQ(got.error, "");
  EXPECT_EQ(got.gaps, 1);
  EXPECT_GT(got.missing, 0);
  const auto c = john->counters();
  EXPECT_EQ(c.restarts, 1U);
  EXPECT_EQ(c.samples_lost, static_cast<std::uint64_t>(got.missing));
  EXPECT_EQ(c.samples_received, got.samples);
  const auto e = john->poll_event();
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind, radio_event_kind::restart);
}

INSTANTIATE_TEST_SUITE_P(
    faults, radio_goes_on,
    ::testing::Values(stop_in_the_middle{"late_command", "{node: john, kind: late_command, after_s: 0.3}"},
                      stop_in_the_middle{"cable_out_for_700_ms",
                                         "{node: john, kind: outage, after_s: 0.3, length_ms: 700}"}),
    [](const auto& x) { return x.param.name; });

TEST(radio_late_restart, resampled_reception_goes_on_too) {
  const hub_process hub("faults:\n  - {node: john, kind: late_command, after_s: 0.3}");
  auto c = config_of(hub.device("john"));
  c.device_rate_hz = 2.0e6;
  const auto john = open_radio(c);
  ASSERT_TRUE(john);
  const auto got = read_for(*john, 1.0);
  EXPECT_EQ(got.error, "");
  EXPECT_EQ(got.gaps, 1);
  EXPECT_EQ(john->counters().restarts, 1U);
}

TEST(radio_late_restart, again_and_again) {
  const hub_process hub("faults:\n  - {node: john, kind: late_command, after_s: 0.2, every_s: 0.2}");
  const auto john = open_radio(config_of(hub.device("john")));
  ASSERT_TRUE(john);
  // The stream's age counts anew after each start, so the distance of the faults grows.
  const auto got = read_for(*john, 3.0);
  EXPECT_EQ(got.error, "");
  EXPECT_GE(got.gaps, 3);
}

TEST(radio_late_restart, start_without_a_time_waits_for_a_slow_control_connection) {
  // Each call takes longer than the usual distance of the start from now.
  const hub_process hub;
  const auto john = open_radio(config_of(hub.device("john", "rpc_ms=300")));
  ASSERT_TRUE(john);
  const auto got = read_for(*john, 0.1);
  EXPECT_EQ(got.error, "");
}

TEST(radio_late_restart, start_at_a_time_that_has_passed_is_an_error) {
  const hub_process hub;
  const auto john = open_radio(config_of(hub.device("john")));
  ASSERT_TRUE(john);
  ASSERT_TRUE(john->start(john->now_tick().value() - 1000));
  const auto got = read_for(*john, 0.1);
  EXPECT_NE(got.error.find("came too late"), std::string::npos) << got.error;
}

TEST(radio_late_restart, an_outage_longer_than_the_patience_is_an_error) {
  const hub_process hub("faults:\n  - {node: john, kind: outage, after_s: 0.1, length_ms: 60000}", "1");
  const auto john = open_radio(config_of(hub.device("john")));
  ASSERT_TRUE(john);
  const auto got = read_for(*john, 10.0);
  EXPECT_NE(got.error.find("no samples"), std::string::npos) << got.error;
  EXPECT_NE(got.error.find("no answer from the device"), std::string::npos) << got.error;
}

TEST(radio_late_restart, a_clock_that_is_set_is_told_and_costs_less_than_a_block) {
  for (const double device_rate_hz : {0.0, 2.0e6})
    for (const double step_ms : {37.25, -50.5, 3'600'000.0}) {
      const hub_process hub(
          "faults:\n  - {node: john, kind: clock_step, after_s: 0.1, step_ms: " + std::to_string(step_ms) + "}");
      auto c = config_of(hub.device("john"));
      c.device_rate_hz = device_rate_hz;
      const auto john = open_radio(c);
      ASSERT_TRUE(john);
      std::vector<cf32> in(1920);
      std::int64_t leapt = 0;
      for (int i = 0; i < 300; ++i) {
        const auto s = john->read(in);
        ASSERT_TRUE(s) << s.error().message;
        leapt += s->time_jump;
        EXPECT_EQ(s->time_jump != 0, s->gap_before);
      }
      EXPECT_NEAR(static_cast<double>(leapt), step_ms * 1e-3 * rate_hz, 1.0) << step_ms << ' ' << device_rate_hz;
      EXPECT_EQ(john->counters().time_jumps, 1U);
      EXPECT_LT(john->counters().samples_lost, in.size());
    }
}

TEST(radio_late_restart, packets_of_before_a_stop_are_not_of_the_next_start) {
  const hub_process hub;
  // 2000 are more than half a second: buffers may be made so large.
  for (const auto& [device_rate_hz, packets] : {std::pair{0.0, 20}, {2.0e6, 20}, {0.0, 2000}}) {
    auto c = config_of(hub.device("john", "stale_packets=" + std::to_string(packets)));
    c.device_rate_hz = device_rate_hz;
    const auto john = open_radio(c);
    ASSERT_TRUE(john);
    std::vector<cf32> in(1920);
    for (int k = 0; k < 3; ++k) {
      const auto start = john->start();
      ASSERT_TRUE(start);
      const auto s = john->read(in);
      ASSERT_TRUE(s) << s.error().message;
      EXPECT_GE(s->first_tick, *start);
      EXPECT_EQ(read_for(*john, 0.1).gaps, 0);
      john->stop();
    }
    const auto counted = john->counters();
    EXPECT_EQ(counted.time_jumps, 0U);
    EXPECT_EQ(counted.samples_lost, 0U);
  }
}

TEST(radio_late_restart, a_rate_that_is_off_by_a_part_of_a_hertz_is_no_leap) {
  const hub_process hub;
  // The device has 1.92 MHz. In ticks of the rate that was asked for, its time stamps slip by one in two seconds.
  for (const double off_hz : {-0.5, 0.5}) {
    const double asked_hz = rate_hz + off_hz;
    const auto john = open_radio(test::config_of(hub.device("john"), asked_hz));
    ASSERT_TRUE(john);
    const auto got = read_for(*john, 9.0);
    EXPECT_EQ(got.error, "");
    const auto counted = john->counters();
    EXPECT_EQ(counted.time_jumps, 0U) << off_hz;
    const int slips = off_hz > 0 ? 4 : 0;  // a sample too many is left out, without a gap
    EXPECT_NEAR(got.gaps, slips, off_hz > 0 ? 1 : 0) << off_hz;
    EXPECT_EQ(got.missing, got.gaps) << off_hz;
    EXPECT_EQ(counted.samples_lost, static_cast<std::uint64_t>(got.missing)) << off_hz;
  }
}

TEST(radio_late_restart, a_device_that_is_gone_is_left_at_once) {
  // Closing it would take a minute.
  const hub_process hub("faults:\n  - {node: john, kind: unplug, after_s: 0.1, length_ms: 60000}", "1");
  auto john = open_radio(config_of(hub.device("john")));
  ASSERT_TRUE(john);
  const auto got = read_for(*john, 10.0);
  EXPECT_NE(got.error.find("no samples"), std::string::npos) << got.error;
  const auto began = std::chrono::steady_clock::now();
  john.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30));
}

}  // namespace
}  // namespace prose::phy
