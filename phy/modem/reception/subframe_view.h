// The subframe that is being examined, and what its examination leaves behind.
#pragma once

#include <cstdint>
#include <functional>

#include "phy/modem/event_sink.h"
#include "phy/modem/monitor.h"
#include "phy/modem/subframe_receiver.h"

namespace prose::phy {

class band_watch;

struct subframe_view {
  subframe_receiver& rx;
  event_sink& out;
  monitor_statistics& statistics;
  std::int64_t sample = 0;  ///< tick of its first sample
  std::int64_t index = 0;   ///< subframes since the start of the stream, for spans of time
  int absolute = -1;        ///< 0..10239, -1 where it is not known
  bool report_failed_tbs = false;
  bool trial = false;  ///< its start is a guess: what only looks like a transmission must leave no trace

  float power_db = 0;           ///< of all its samples
  band_watch* watch = nullptr;  ///< null: nobody asks what carries power
  /// A receiver that takes blocks of these group destinations only (TM1/2), and no block a second time; null: all of
  /// everybody, each transmission.
  const std::function<bool(std::uint8_t)>* addressed = nullptr;

  /// Far below the strongest signal of the subframe there is only the rounding of the arithmetic, which may look like
  /// anything.
  bool credible(const signal_estimate& s) const {
    return s.power_db > power_db - 100.0F && (!trial || s.snr_db > least_trial_snr_db);
  }
  /// A guessed start cuts transmissions in the wrong place, and what is left of a strong one can pass for a weak one by
  /// chance: a CRC of 16 bits lets one in 65 536 through. The searches that guess need more than this themselves.
  static constexpr float least_trial_snr_db = 0.0F;

  reception at(const signal_estimate& s) const {
    return {sample, absolute, s.snr_db, s.power_db, s.cfo_hz, s.timing_offset_samples, s.symbols};
  }
};

}  // namespace prose::phy
