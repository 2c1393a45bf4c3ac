// Radio profiles: the files of configs/ load, and mistakes are one line with file, line and what is accepted.
#include "apps/lib/common/radio_profile.h"
#include "prose_test_paths.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace prose::apps {
namespace {

TEST(radio_profile, the_profiles_of_the_project_load) {
  for (const auto& [name, device, clock] : {std::tuple{"b210", "type=b200", 30.72e6},
                                            {"x310", "type=x300", 184.32e6},
                                            {"n310", "type=n3xx", 122.88e6},
                                            {"virtual", "type=virtual", 0.0}}) {
    phy::radio_config c;
    c.master_clock_hz = -1;
    const auto ok = load_radio_profile(std::string(PROSE_SOURCE_DIR "/configs/radio_") + name + ".yaml", c);
    ASSERT_TRUE(ok) << ok.error().message;
    EXPECT_EQ(c.device_args.rfind(device, 0), 0U) << c.device_args;
    EXPECT_EQ(c.master_clock_hz, clock);
    EXPECT_EQ(c.sample_rate_hz, 15.36e6);
    if (clock > 0) {
      EXPECT_EQ(c.rx_antenna, "RX2");
      const double divisor = clock / c.sample_rate_hz;
      EXPECT_EQ(divisor, static_cast<int>(divisor)) << name << ": the rate is no divisor of the clock";
      EXPECT_LE(c.tx_gain_db, 20) << "the transmit gain is low on purpose";
    }
  }
}

// The error's text, empty for none.
std::string error_of(const std::string& yaml, phy::radio_config* out = nullptr) {
  const std::string path = testing::TempDir() + "/profile" + std::to_string(getpid()) + ".yaml";
  std::ofstream(path) << yaml;
  phy::radio_config c;
  const auto ok = load_radio_profile(path, c);
  std::remove(path.c_str());
  if (out != nullptr) *out = c;
  if (ok) return "";
  EXPECT_EQ(ok.error().message.find('\n'), std::string::npos);
  EXPECT_EQ(ok.error().message.rfind(path + ":", 0), 0U) << ok.error().message;
  return ok.error().message.substr(path.size());
}

TEST(radio_profile, what_is_absent_stays) {
  phy::radio_config c;
  EXPECT_EQ(error_of("rx_gain_db: 12\nrx_antennas: 2\n", &c), "");
  EXPECT_EQ(c.rx_gain_db, 12);
  EXPECT_EQ(c.n_rx_antennas, 2);
  EXPECT_EQ(c.device_args, phy::radio_config{}.device_args);
  EXPECT_EQ(error_of(""), "");
}

TEST(radio_profile, mistakes_name_line_and_what_is_accepted) {
  for (const auto& [yaml, complaint] :
       {std::pair{"device_args: a\nclock_source: sundial\n",
                  ":2: clock_source: 'sundial' is not known; accepted: internal, external, gpsdo"},
        {"clock_source: gpsdo\ntime_source: external\n",
         ":2: time_source: 'external' with clock_source 'gpsdo'; accepted: the same"},
        {"\nsample_rate_hz: fast\n", ":2: sample_rate_hz: 'fast' is not a number of 10000 to 250000000"},
        {"sample_rate_hz: -1\n", ":1: sample_rate_hz"},
        {"tx_gain_db: .nan\n", ":1: tx_gain_db"},
        {"rx_antennas: 9\n", ":1: rx_antennas: '9' is not a whole number of 1 to 4"},
        {"realtime_priority: perhaps\n", "neither true nor false"},
        {"rate: 1\n",
         ":1: 'rate' is not a known key; accepted: bandwidth_hz, center_freq_hz, clock_source, device_args"},
        {"rx_gain_db: 1\nrx_gain_db: 2\n", ":2: rx_gain_db is given twice"},
        {"device_args: {type: b200}\n", ":1: device_args: accepted: text"},
        {"a: [1\nb", "not YAML"},
        {"- 1\n", "must be a map"}})
    EXPECT_NE(error_of(yaml).find(complaint), std::string::npos) << yaml << " gave " << error_of(yaml);
  phy::radio_config c;
  const auto ok = load_radio_profile("/nowhere/profile.yaml", c);
  ASSERT_FALSE(ok);
  EXPECT_EQ(ok.error().message.rfind("/nowhere/profile.yaml", 0), 0U);
}

TEST(radio_profile, limits_are_a_file_beside_it) {
  phy::radio_config c;
  const std::string limits = testing::TempDir() + "/limits" + std::to_string(getpid()) + ".yaml";
  const auto limits_error = [&](const std::string& yaml) {
    std::ofstream(limits) << yaml;
    const auto error = error_of("tx_limits: " + limits.substr(limits.rfind('/') + 1) + "\n", &c);
    std::remove(limits.c_str());
    return error;
  };
  const std::string band = "bands: [{name: x, from_hz: 2.4e9, to_hz: 2.5e9";
  EXPECT_EQ(limits_error(band + "}]\n"), "");
  ASSERT_EQ(c.limits.bands.size(), 1U);
  EXPECT_EQ(c.limits.bands[0].name, "x");
  EXPECT_EQ(c.limits.file.substr(c.limits.file.rfind('/')), limits.substr(limits.rfind('/')));
  for (const auto& [yaml, complaint] :
       {std::pair{std::string("bands: []\n"), "accepted: a list of one or more"},
        {std::string(), "bands"},
        {band + ", colour: 1}]\n", "'colour' is not a known key"},
        {band + ", max_duty_cycle: 2}]\n", "max_duty_cycle"},
        {std::string("bands: [{name: x, from_hz: 3e9, to_hz: 2e9}]\n"), "more than from_hz"},
        {std::string("bands: [{name: x, from_hz: 3e9}]\n"), "to_hz"}})
    EXPECT_NE(limits_error(yaml).find(complaint), std::string::npos) << yaml << " gave " << limits_error(yaml);
  EXPECT_NE(error_of("tx_limits: not_there.yaml\n").find("not_there.yaml"), std::string::npos);
  EXPECT_EQ(error_of("tx_limits: " PROSE_SOURCE_DIR "/configs/limits_eu.yaml\npower_dbm_at_gain_0: -70\n", &c), "");
  EXPECT_EQ(c.limits.bands.size(), 3U);
  EXPECT_EQ(c.limits.power_dbm_at_gain_0, -70);
}

TEST(radio_profile, a_wrong_profile_changes_nothing) {
  phy::radio_config c;
  EXPECT_NE(error_of("rx_gain_db: 30\ncolour: blue\n", &c), "");
  EXPECT_EQ(c.rx_gain_db, 0);
}

}  // namespace
}  // namespace prose::apps
