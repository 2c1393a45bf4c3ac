// When an emulated air starts, so that a UE on it never meets a time it has used before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/result.h"

namespace prose::apps {

/// UTC of the air's device time 0: the UEs' epoch_s by default.
inline constexpr std::int64_t air_epoch_s = 1'700'000'000;

/// The end of an air's last run, as device time in seconds, in $XDG_STATE_HOME/prose/air (by default
/// ~/.local/state/prose/air). It matters where an air ran faster than the host's clock, or that clock was set back.
class air_history {
public:
  /// `host_utc_s`: now. Ends that lie behind it are forgotten: the host's clock is later anyway.
  air_history(const std::string& air, std::int64_t host_utc_s);
  /// Device time at which this run has to start: the host's, not before the last run's end. Whole seconds.
  std::int64_t start_s() const { return start_s_; }
  /// Called now and then with the device time: notes an end that lies ahead of the host's clock, a minute in advance,
  /// so that a killed air leaves one too.
  result<void> at(std::int64_t device_s, std::int64_t host_utc_s);
  /// The run ended.
  result<void> end(std::int64_t device_s, std::int64_t host_utc_s);

private:
  result<void> note(std::int64_t end_s);
  std::string file_;  // empty: no place for it
  std::int64_t start_s_ = 0;
  std::optional<std::int64_t> noted_;
};

}  // namespace prose::apps
