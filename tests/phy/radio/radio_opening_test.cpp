// What opening a radio does about devices that are in use, incomplete or behind a small network.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <string>
#include <uhd/utils/log.hpp>
#include <vector>

#include "phy/radio/network_notes.h"
#include "phy/radio/uhd_errors.h"
#include "tests/phy/air/hub_process.h"
#include "tests/phy/radio/open_radio.h"

namespace prose::phy {
namespace {

using test::hub_process;
using test::open_radio;

radio_config config_of(const std::string& device) { return test::config_of(device, 1.92e6); }

TEST(radio_opening, a_device_in_use_is_tried_again_and_told_once) {
  const hub_process hub;
  auto c = config_of(hub.device("john", "claimed_ms=700"));
  std::vector<std::string> told;
  c.tell = [&](const std::string& line) { told.push_back(line); };
  ASSERT_TRUE(open_radio(c));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("in use"), std::string::npos) << told[0];
}

TEST(radio_opening, a_device_that_is_not_found_is_tried_again) {
  const hub_process hub;
  auto c = config_of(hub.device("john", "hidden_ms=700"));
  int told = 0;
  c.tell = [&](const std::string&) { ++told; };
  ASSERT_TRUE(open_radio(c));
  EXPECT_EQ(told, 1);
}

TEST(radio_opening, waiting_ends_with_the_time_and_when_asked) {
  const hub_process hub;
  for (const auto& [how, words] : {std::pair{"claimed_ms=60000", "in use by another program"},
                                   std::pair{"hidden_ms=60000", "does another program use it?"}}) {
    auto c = config_of(hub.device("peter", how));
    c.claim_timeout_s = 0.1;
    const auto refused = radio::open(c);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find(words), std::string::npos) << refused.error().message;
    c.claim_timeout_s = 3600;
    c.stops = [] { return true; };
    const auto stopped = radio::open(c);
    ASSERT_FALSE(stopped);
    EXPECT_NE(stopped.error().message.find("stopped while"), std::string::npos) << stopped.error().message;
    EXPECT_EQ(stopped.error().message.find("3600"), std::string::npos) << stopped.error().message;
  }
}

TEST(radio_opening, an_unknown_subdevice_is_told_what_there_is) {
  const hub_process hub;
  auto c = config_of(hub.device("john"));
  c.subdev = "B:1";
  const auto refused = radio::open(c);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("subdev 'B:1': this device accepts A:0"), std::string::npos)
      << refused.error().message;
}

TEST(radio_opening, the_cause_that_uhd_only_logs_is_told) {
  const hub_process hub;
  const auto refused = radio::open(config_of(hub.device("john", "broken=1")));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("cannot be initialised (UHD: VIRTUAL: the firmware does not answer)"),
            std::string::npos)
      << refused.error().message;
  auto c = config_of(hub.device("john"));
  std::mutex mutex;
  std::condition_variable came;
  std::vector<std::string> told;
  c.tell = [](const std::string& line) { ADD_FAILURE() << line; };
  c.warn = [&](const std::string& line) {
    uhd_errors().text();  // asking is allowed there
    const std::lock_guard lock(mutex);
    told.push_back(line);
    came.notify_all();
  };
  auto other = config_of(hub.device("mary"));
  other.warn = [](const std::string& line) { ADD_FAILURE() << line; };
  auto earlier = open_radio(other);
  const auto john = open_radio(c);
  other.device_args = hub.device("peter");
  auto later = open_radio(other);
  ASSERT_TRUE(earlier && john && later);
  earlier.reset();
  later.reset();  // neither ends anything of John's
  for (const auto& note : john->notes()) EXPECT_EQ(note.find("firmware"), std::string::npos) << "of another opening";
  UHD_LOG_ERROR("TEST", "something\nhappened");
  std::unique_lock lock(mutex);
  EXPECT_TRUE(came.wait_for(lock, std::chrono::minutes(1), [&] { return !told.empty(); }));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0], "UHD: TEST: something happened");
}

TEST(radio_opening, samples_without_time_stamps_are_an_error) {
  const hub_process hub;
  const auto john = open_radio(config_of(hub.device("john", "timestamps=0")));
  ASSERT_TRUE(john);
  std::vector<cf32> in(1920);
  const auto got = john->read(in);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("no time stamps"), std::string::npos) << got.error().message;
}

TEST(radio_opening, a_receiver_needs_no_transmitter) {
  const hub_process hub;
  auto c = config_of(hub.device("john", "receive_only=1"));
  const auto both = radio::open(c);
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().message.find('\n'), std::string::npos);
  c.transmits = false;
  const auto john = open_radio(c);
  ASSERT_TRUE(john);
  std::vector<cf32> in(1920);
  EXPECT_TRUE(john->read(in));
  const auto sent = john->transmit(0, std::vector<cf32>(10));
  ASSERT_FALSE(sent);
  EXPECT_NE(sent.error().message.find("reception only"), std::string::npos) << sent.error().message;
}

TEST(network_notes, name_what_is_too_small_with_its_value) {
  EXPECT_NE(buffer_note("rmem_max", 212992).find("net.core.rmem_max is 212992"), std::string::npos);
  EXPECT_EQ(buffer_note("rmem_max", 25'000'000), "");
  EXPECT_NE(mtu_note("eth0", 1500).find("MTU of eth0 is 1500"), std::string::npos);
  EXPECT_EQ(mtu_note("eth0", 9000), "");
}

TEST(network_notes, are_of_this_host) {
  long octets = 0;
  if (!(std::ifstream("/proc/sys/net/core/rmem_max") >> octets)) octets = 1L << 40;  // not told here
  // The loopback interface has an MTU of 65536; an address that nothing leads to is no reason to fail.
  for (const char* address : {"127.0.0.1", "not an address", "255.255.255.255"}) {
    bool told = false;
    for (const auto& note : network_notes(address)) {
      EXPECT_EQ(note.find("MTU of lo"), std::string::npos) << note;
      told = told || note == buffer_note("rmem_max", octets);
    }
    EXPECT_EQ(told, !buffer_note("rmem_max", octets).empty());
  }
}

}  // namespace
}  // namespace prose::phy
