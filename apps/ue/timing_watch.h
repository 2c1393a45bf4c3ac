// Follows the timing of each linked peer, and tells the user when it goes wrong.
#pragma once

#include <map>
#include <optional>

#include "apps/ue/peer_timing.h"
#include "apps/ue/ue_events.h"
#include "mac/ue.h"

namespace prose::apps {

class timing_watch {
public:
  /// `events` must outlive the object.
  explicit timing_watch(ue_events& events) : events_(events) {}
  /// How samples become microseconds, and what the hint to the user depends on.
  void set_carrier(double sample_rate_hz, phy::cyclic_prefix cp, mac::time_mode mode);
  /// Once a second. `heard`: of the link that is up; the same reading twice counts once.
  void follow(security::peer_id peer, const mac::ue::peer_hearing& heard, double t_s);
  /// The peer has no link any more.
  void forget(security::peer_id peer) { peers_.erase(peer); }
  /// This UE's own timing changed: what was read before does not compare.
  void forget_all() { peers_.clear(); }
  std::optional<peer_timing::trend> of(security::peer_id peer) const;

private:
  struct watched {
    peer_timing timing;
    security::time_ms read_at;
  };
  ue_events& events_;
  double us_per_sample_ = 0;
  phy::cyclic_prefix cp_ = phy::cyclic_prefix::normal;
  mac::time_mode mode_ = mac::time_mode::gnss;
  std::map<security::peer_id, watched> peers_;
};

}  // namespace prose::apps
