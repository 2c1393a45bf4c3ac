// The radio's settings as every program reads them: a profile of its own (configs/radio_*.yaml), or a map of another
// configuration.
#pragma once

#include <string>

#include "apps/lib/common/config.h"
#include "phy/radio/radio.h"

namespace prose::apps {

/// The keys of a radio: clock_source, time_source, subdev, rx_antenna, tx_antenna, master_clock_hz, sample_rate_hz,
/// device_rate_hz, center_freq_hz, rx_gain_db, tx_gain_db, bandwidth_hz, rx_antennas, turnaround_s, realtime_priority.
/// What the map does not say stays as it was. The caller may ask the same map for keys of its own, and calls check() of
/// the file.
void read_radio_keys(config_section& map, phy::radio_config& radio);

/// While a device is in use, open() logs that it waits, and Ctrl-C ends the waiting. Errors that UHD logs later are
/// logged as warnings.
void wait_as_a_program(phy::radio_config& radio);

/// A whole file of them, with device_args too (--radio FILE.yaml). Errors are one line, "FILE:LINE: key: what is wrong;
/// accepted: ...". What the file does not say stays as it was, so load it (find_option(argc, argv, "--radio")) before
/// the command line is parsed.
result<void> load_radio_profile(const std::string& path, phy::radio_config& radio);

}  // namespace prose::apps
