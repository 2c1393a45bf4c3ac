// The second that a device gets at a PPS, with hosts that are early or late, a GPSDO that reports late, and devices
// that fail. Simulated time.
#include "phy/radio/pps_time.h"

#include <gtest/gtest.h>

#include <cmath>

namespace prose::phy {
namespace {

struct bench {
  double utc = 1'700'000'000.37;
  double host_error_s = 0, gps_report_delay_s = 0.12;
  std::int64_t device_offset = -1'699'999'000;  // device seconds = UTC + this, at pulses
  std::optional<std::int64_t> pending;
  std::int64_t pending_at = 0;
  bool has_pps = true, takes_time = true;
  int sets = 0;
  std::vector<std::string> notes;

  std::int64_t pulse() const { return static_cast<std::int64_t>(std::floor(utc)); }
  pps_device device(bool gpsdo) {
    pps_device d;
    d.last_pps = [this]() -> device_second {
      if (!has_pps) return {};
      if (pending && pulse() >= pending_at) {
        if (takes_time) device_offset = *pending - pending_at;
        pending.reset();
      }
      return {pulse() + device_offset, 0};
    };
    d.set_at_next_pps = [this](std::int64_t s) { pending = s, pending_at = pulse() + 1, ++sets; };
    d.host_s = [this] { return utc + host_error_s; };
    d.sleep = [this](std::chrono::milliseconds ms) { utc += static_cast<double>(ms.count()) / 1000; };
    if (gpsdo) d.gps_second = [this] { return static_cast<std::int64_t>(std::floor(utc - gps_report_delay_s)); };
    return d;
  }
};

TEST(pps_time, a_host_that_is_early_or_late_means_the_second_of_the_pulse) {
  for (const double error : {-0.4, -0.1, -0.02, -0.005, -0.001, 0.0, 0.001, 0.005, 0.1, 0.4})
    for (double start = 0; start < 1; start += 0.0131) {
      bench b;
      b.utc = 1'700'000'000 + start;
      b.host_error_s = error;
      ASSERT_TRUE(set_pps_time(b.device(false), 3, b.notes)) << error;
      (void)b.device(false).last_pps();
      EXPECT_EQ(b.device_offset, 0) << "host " << error << " s off, from " << start;
      EXPECT_EQ(b.sets, 1);
      EXPECT_EQ(b.notes.size(), std::abs(error) > 0.3 ? 1U : 0U) << error;
    }
}

TEST(pps_time, a_gpsdo_that_reports_late_is_read_until_it_agrees) {
  for (const double delay : {0.0, 0.1, 0.25, 0.29, 0.35, 0.4, 0.45, 0.6})
    for (double start = 0; start < 1; start += 0.0131) {
      bench b;
      b.utc = 1'700'000'000 + start;
      b.gps_report_delay_s = delay;
      ASSERT_TRUE(set_pps_time(b.device(true), 3, b.notes)) << delay;
      EXPECT_EQ(b.device_offset, 0) << "reported " << delay << " s late, from " << start;
    }
  bench kept;
  kept.device_offset = 0;
  ASSERT_TRUE(set_pps_time(kept.device(true), 3, kept.notes));
  EXPECT_EQ(kept.sets, 0) << "time kept since an earlier session is left alone";
  bench one_off;
  one_off.device_offset = 1;
  ASSERT_TRUE(set_pps_time(one_off.device(true), 3, one_off.notes));
  EXPECT_EQ(one_off.device_offset, 0);
}

TEST(pps_time, no_pulse_or_a_time_not_taken_is_refused) {
  for (const bool gpsdo : {false, true}) {
    bench silent;
    silent.has_pps = false;
    const auto a = set_pps_time(silent.device(gpsdo), 3, silent.notes);
    ASSERT_FALSE(a);
    EXPECT_EQ(a.error().message, "no PPS for 3 s");
    bench deaf;
    deaf.takes_time = false;
    deaf.device_offset = 1;  // one second off is not near enough
    const auto c = set_pps_time(deaf.device(gpsdo), 3, deaf.notes);
    ASSERT_FALSE(c);
    EXPECT_EQ(c.error().message, "the device did not take the time at the PPS");
  }
}

}  // namespace
}  // namespace prose::phy
