// What a regulator allows in a band: where, how strong, and for which share of the time.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace prose::phy {

struct band_limit {
  std::string name;
  double from_hz = 0.0;  ///< the whole carrier lies between these
  double to_hz = 0.0;
  double max_power_dbm = std::numeric_limits<double>::infinity();
  double max_duty_cycle = 1.0;  ///< share of any window_s during which there is a burst
  double window_s = 3600.0;
};

struct transmit_limits {
  std::vector<band_limit> bands;  ///< empty: nothing is refused
  std::string file;               ///< that the bands came from; for messages
  /// Measured by the operator, the antenna's gain included: power of a full-scale signal with tx_gain_db 0.
  std::optional<double> power_dbm_at_gain_0;

  /// The band of a carrier that may be sent, or why it may not. Nothing where there are no bands.
  result<std::optional<band_limit>> band_for(double center_freq_hz, double occupied_hz, double tx_gain_db) const;
};

/// Counts the air time of a band. A window is 60 slots; a burst is counted in all windows that touch one of its slots,
/// so a little less than the limit is used. Copies without allocation. A new object knows of no earlier burst;
/// time that leaps ahead without follow_leap() looks like silence.
class duty_meter {
public:
  duty_meter(double max_duty_cycle, double window_s, double rate_hz);
  /// Whether the samples [start_tick, start_tick + n) may be sent too; counts them if so. What starts before a burst
  /// that was counted counts as if it started with that one's last slot; by more than a window, time has leapt back and
  /// goes on from there.
  bool take(std::int64_t start_tick, std::int64_t n);
  /// The clock was set: what had been tick t is t + by_ticks from now on.
  void follow_leap(std::int64_t by_ticks);

private:
  static constexpr std::int64_t n_slots = 60;
  bool add(std::int64_t start_tick, std::int64_t n);
  void move_to(std::int64_t slot);

  std::int64_t slot_ticks_, budget_ticks_;
  std::array<std::int64_t, n_slots + 1> used_{};  // slot k in used_[k % size]; the oldest is only partly in the window
  std::int64_t total_ = 0;
  std::optional<std::int64_t> newest_;
  std::int64_t leap_ticks_ = 0;
};

}  // namespace prose::phy
