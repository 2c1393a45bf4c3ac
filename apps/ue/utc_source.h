// Where a UE's slot counter comes from, which values are refused, and how the silence up to a mark is reported.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"
#include "security/slot_clock.h"

namespace prose::apps {

struct utc_settings {
  double epoch_s = 1.7e9;     ///< UTC at device time 0
  bool from_host = false;     ///< the host's clock at the start instead
  bool trust_device = false;  ///< device and epoch_s may differ from the host's clock by more than a day
  bool emulated = false;      ///< type=virtual: its time is the emulated air's, not compared with the host's clock
};

/// UTC at device time 0, seconds. Refused: a counter of seconds beyond 32 bits, now or `duration_s` later, and more
/// than a day between the device and the host's clock.
result<double> utc_at_zero(const utc_settings& s, double device_s, double host_utc_s, double duration_s = 0);

/// UHD device arguments of the emulated air.
bool is_emulated(const std::string& device_args);

/// 2026-11-28T06:00:00Z
std::string utc_text(double utc_s);

/// Why a UE is silent, and what to do; `mark`: the last slot that an earlier run may have used, `now`: the slot
/// counter.
std::string silence_text(security::slot_t mark, security::slot_t now, const std::string& file);

}  // namespace prose::apps
