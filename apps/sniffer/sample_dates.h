// When samples were received, in UTC, for records that carry dates.
#pragma once

#include <optional>
#include <string>

#include "apps/lib/listen/settings.h"
#include "phy/io/sigmf_reader.h"
#include "phy/radio/radio.h"

namespace prose::apps {

/// "2026-11-28T06:00:00.25Z" in seconds since 1970. Nothing: no such text; a time without Z or offset counts as UTC.
std::optional<double> utc_from(const std::string& iso8601);
/// UTC at device time 0: what --epoch says, else what the recording says of its first sample with a date
/// (core:datetime), else the host's clock while the radio gives samples. 0: nobody knows. One of `recording` and
/// `radio` may be null.
double utc_at_device_zero(const sniffer_settings& s, const phy::sigmf_reader* recording, const phy::radio* radio);

}  // namespace prose::apps
