// The subframe that is being examined, and where its results go.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "phy/modem/event_sink.h"
#include "phy/modem/events.h"
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
  /// Its start is a guess; the same subframe may be examined before or after, from a start that fits better, or from no
  /// other. What is decoded counts as at any start. What is not decoded leaves no trace in what later examinations use,
  /// such as soft buffers, turns of a grant and lists of what was tried. Two things are kept until another start shows
  /// better: that a block failed (add_block()), and TM3/4's first transmission of a block.
  bool trial = false;

  float power_db = 0;           ///< of all its samples
  band_watch* watch = nullptr;  ///< null: power is not measured
  /// Given: only blocks of these group destinations are received (TM1/2), and none a second time. Null: every
  /// transmission of everybody.
  const std::function<bool(std::uint8_t)>* addressed = nullptr;

  /// What is too weak is not believed, whatever its CRC says.
  bool credible(const signal_estimate& s) const {
    return s.power_db > power_db - rounding_db && (!trial || s.snr_db > least_trial_snr_db);
  }
  /// So far below the power of the subframe there is only the rounding of the arithmetic, which may look like anything.
  /// Chosen, not derived: rounding of floats lies 144 dB below.
  static constexpr float rounding_db = 100.0F;
  /// A guessed start cuts transmissions in the wrong place, and the rest of a strong one can look like a weak one: a
  /// CRC of 16 bits lets one in 65 536 through. The searches that guess need more than this SNR themselves.
  static constexpr float least_trial_snr_db = 0.0F;

  /// Tells of a block and counts it. One that was not decoded counts once at its place, whatever the number of starts,
  /// and not if any start shows it decoded. Before that is known it is in the count. payload: of a decoded one.
  void add_block(const tb_event& e, std::span<const std::uint8_t> payload, bool tell_failed) const {
    if (!e.crc_ok) {
      if (out.add(e, {}, tell_failed)) ++statistics.tb_failed;
      return;
    }
    if (out.take_back_failed(e)) --statistics.tb_failed;
    if (out.add(e, payload)) ++statistics.tb_ok;
  }

  reception at(const signal_estimate& s) const {
    return {sample, absolute, s.snr_db, s.power_db, s.cfo_hz, s.timing_offset_samples, s.symbols};
  }
};

}  // namespace prose::phy
