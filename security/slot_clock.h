// The slot counter t and the mark that keeps it from being used twice.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "security/types.h"

namespace prose::security {

/// t comes from GNSS, the operator or a server, never from SLSS (the DFN carries no UTC and is not
/// authenticated). A mark ahead of t is kept on disk by the caller: nothing of a slot up to the mark found at boot is
/// announced, asked or answered, because the time before the boot may have used it; and no slot is used beyond the mark
/// that is on disk now.
class slot_clock {
public:
  static constexpr slot_t mark_ahead_slots = 30;
  static constexpr slot_t largest_step_slots = 60;
  static constexpr time_ms slot_ms = 1000;

  enum class step_result : std::uint8_t { advanced, unchanged, refused_back, refused_jump };

  /// stored_mark: what the file says; empty on the very first boot.
  explicit slot_clock(std::optional<slot_t> stored_mark = std::nullopt)
      : boot_mark_(stored_mark), stored_mark_(stored_mark) {}

  /// The first t after boot is taken as it is. Later t never goes back, and never leaps without the operator's word. A
  /// step is a leap if it exceeds the time since the last advance (`now`: a monotonic clock) by more than
  /// largest_step_slots; so a clock that was wrong for long and is right again has not leapt.
  step_result set(slot_t t, time_ms now, bool operator_confirmed = false) {
    if (t_) {
      if (t == *t_) return step_result::unchanged;
      if (t < *t_) return step_result::refused_back;
      const std::int64_t gone_by_slots = std::max<time_ms>(now - set_at_, 0) / slot_ms;
      if (std::int64_t{t} - *t_ > gone_by_slots + largest_step_slots && !operator_confirmed)
        return step_result::refused_jump;
    }
    t_ = t;
    set_at_ = now;
    return step_result::advanced;
  }

  std::optional<slot_t> now() const { return t_; }
  std::optional<slot_t> boot_mark() const { return boot_mark_; }
  /// Slots up to this one are never acted on.
  bool after_boot_mark(slot_t t) const { return !boot_mark_ || t > *boot_mark_; }
  bool may_emit() const { return t_ && after_boot_mark(*t_) && stored_mark_ && *t_ <= *stored_mark_; }

  /// A value to write to disk (and then to report with mark_stored), or empty while the stored one is far enough ahead.
  std::optional<slot_t> mark_to_store() const {
    if (!t_) return std::nullopt;
    const slot_t wanted = *t_ > UINT32_MAX - mark_ahead_slots ? UINT32_MAX : *t_ + mark_ahead_slots;
    if (stored_mark_ && *stored_mark_ >= *t_ && *stored_mark_ - *t_ >= mark_ahead_slots / 2) return std::nullopt;
    if (stored_mark_ && wanted <= *stored_mark_) return std::nullopt;
    return wanted;
  }
  void mark_stored(slot_t mark) {
    if (!stored_mark_ || mark > *stored_mark_) stored_mark_ = mark;
  }

private:
  std::optional<slot_t> boot_mark_;
  std::optional<slot_t> stored_mark_;
  std::optional<slot_t> t_;
  time_ms set_at_ = 0;  // when t_ was taken
};

}  // namespace prose::security
