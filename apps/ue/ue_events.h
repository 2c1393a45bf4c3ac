// The events of a UE: stamped with device time, peers under their names.
#pragma once

#include <string>
#include <string_view>

#include "apps/lib/common/events.h"
#include "apps/ue/device_clock.h"
#include "apps/ue/peer_slots.h"
#include "common/result.h"

namespace prose::apps {

class ue_events {
public:
  /// Both must outlive the events.
  ue_events(const device_clock& clock, const peer_slots& slots) : clock_(clock), slots_(slots) {}
  result<void> open(const std::string& path);
  /// An event of now.
  event make(std::string_view what) const { return event(what, clock_.seconds()); }
  event of_peer(std::string_view what, security::peer_id peer) const;
  std::string name_of(security::peer_id peer) const { return slots_.name_of(peer); }
  void write(const json_object& e) { writer_.write(e); }
  /// False once an event could not be written.
  bool ok() const { return writer_.ok(); }
  error trouble() const { return writer_.trouble(); }

private:
  const device_clock& clock_;
  const peer_slots& slots_;
  event_writer writer_;
};

}  // namespace prose::apps
