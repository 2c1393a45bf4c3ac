// Opening and configuring a device: every setting is read back, and what the device did not take is an error of one
// line.
#pragma once

#include <string>
#include <uhd/usrp/multi_usrp.hpp>
#include <vector>

#include "common/result.h"
#include "phy/radio/radio.h"

namespace prose::phy {

constexpr double tune_tolerance_hz = 100.0;  // synthesiser steps of fractional-N front ends

struct opened_device {
  uhd::usrp::multi_usrp::sptr usrp;
  double rate_hz = 0.0;  ///< as asked for; what was read back differs by 1 Hz at most
  std::string description;
  std::vector<std::string> notes;
};

result<opened_device> open_device(const radio_config& config);
/// What open_device() refuses without a look at the device.
result<void> check_settings(const radio_config& config);

/// What the carrier occupies.
double occupied_hz(const radio_config& config);

/// UHD's messages as one line.
std::string one_line(const char* text);

}  // namespace prose::phy
