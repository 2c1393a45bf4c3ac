// A radio of a test.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "phy/radio/radio.h"

namespace prose::test {

inline phy::radio_config config_of(const std::string& device, double rate_hz) {
  phy::radio_config c;
  c.device_args = device;
  c.sample_rate_hz = rate_hz;
  return c;
}

inline std::unique_ptr<phy::radio> open_radio(const phy::radio_config& c) {
  auto r = phy::radio::open(c);
  EXPECT_TRUE(r) << (r ? "" : r.error().message);
  return r ? std::move(*r) : nullptr;
}

}  // namespace prose::test
