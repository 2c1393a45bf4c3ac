// The slot mark on disk (security/slot_clock.h) of a running UE, and the silence that it causes.
#pragma once

#include <cstdint>
#include <string>

#include "apps/ue/device_clock.h"
#include "apps/ue/ue_events.h"
#include "apps/ue/ue_identity.h"

namespace prose::apps {

class mark_keeper {
public:
  /// All must outlive the keeper; `identity` may still be closed.
  mark_keeper(const std::string& file, ue_identity& identity, const device_clock& clock, ue_events& events)
      : file_(file), identity_(identity), clock_(clock), events_(events) {}
  /// After each step: writes the mark when it is due. Nothing of a slot is announced before a mark beyond it is on
  /// disk.
  void keep();
  /// Nothing is announced after this: writes the last used slot, so that a restart in the next one is not silent.
  void keep_last();
  /// Reports the start and the end of a silence.
  void report_silence();
  /// How long the mark still keeps discovery silent; 0: not silent.
  double silent_seconds() const;

private:
  security::slot_clock& slots() const { return identity_.security().discovery().clock(); }

  const std::string& file_;
  ue_identity& identity_;
  const device_clock& clock_;
  ue_events& events_;
  std::int64_t retry_at_subframe_ = 0;  // a mark that could not be written is tried again once a second
  bool failure_reported_ = false;
  bool silent_ = false;
};

}  // namespace prose::apps
