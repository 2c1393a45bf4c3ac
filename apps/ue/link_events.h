// What happens on the links of the running UE, as events, log lines and the key log.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "apps/lib/common/file_descriptor.h"
#include "apps/ue/device_clock.h"
#include "apps/ue/host_data.h"
#include "apps/ue/peer_slots.h"
#include "apps/ue/ue_events.h"
#include "apps/ue/ue_identity.h"
#include "common/result.h"
#include "mac/ue.h"

namespace prose::apps {

class link_events {
public:
  /// All must outlive the object.
  link_events(const ue_identity& identity, const peer_slots& slots, const device_clock& clock, ue_events& events,
              host_data& data)
      : identity_(identity), slots_(slots), clock_(clock), events_(events), data_(data) {}
  /// From here on record keys of every link are written to the file; the user is warned.
  result<void> open_key_log(const std::string& path);

  /// Reports one event of the MAC; data goes to the host.
  void report(const mac::ue_event& e);
  /// The peer is no longer permitted; it is reported as discovered again if it comes back.
  void forget(security::peer_id peer) { times_.erase(peer); }
  /// When what is shown of a peer happened (device_clock::milliseconds()).
  struct peer_times {
    std::optional<security::time_ms> heard_ms;  ///< discovered, and not lost since
    security::time_ms established_ms = 0, epoch_ms = 0;
  };
  peer_times times_of(security::peer_id peer) const;
  /// Reports what the security sublayer rejected. `misfits`: records so far that failed because a piece between others
  /// was lost or forged (rlc_um_counters).
  void report_rejected(std::uint64_t misfits);

private:
  void on(const mac::ev_data& e);
  void on(const mac::ev_peer_discovered& e);
  void on(const mac::ev_link_established& e);
  void on(const mac::ev_rekeyed& e);
  void on(const mac::ev_epoch& e);
  void on(const mac::ev_link_lost& e);
  void on(const mac::ev_attempt_failed& e);
  void on(const mac::ev_sync& e);
  void on(const mac::ev_clock_refused& e);
  void log_keys(security::link_id link);
  void watch_identity(security::peer_id peer);

  const ue_identity& identity_;
  const peer_slots& slots_;
  const device_clock& clock_;
  ue_events& events_;
  host_data& data_;
  file_descriptor key_log_;
  std::set<std::string> logged_keys_;
  std::map<security::peer_id, peer_times> times_;
  // Local subframes in which a new set-up took a live link's place.
  std::map<security::peer_id, std::vector<std::int64_t>> replaced_;
  std::array<std::uint64_t, security::n_drop_reasons> rejected_{};  // as reported last
  std::uint64_t misfits_ = 0;                                       // likewise
};

}  // namespace prose::apps
