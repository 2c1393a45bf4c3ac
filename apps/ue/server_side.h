// The servers of the running UE (PC3): their permissions become peers, their packets go to the host, the rest is
// reported.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "apps/lib/pc3/pc3.h"
#include "apps/ue/device_clock.h"
#include "apps/ue/host_data.h"
#include "apps/ue/link_events.h"
#include "apps/ue/program_config.h"
#include "apps/ue/ue_events.h"
#include "apps/ue/ue_identity.h"
#include "common/result.h"
#include "mac/ue.h"

namespace prose::apps {

class server_side {
public:
  /// All must outlive the object.
  server_side(const program_config& config, ue_identity& identity, const device_clock& clock, ue_events& events,
              host_data& data, link_events& links)
      : config_(config), identity_(identity), clock_(clock), events_(events), data_(data), links_(links) {}
  /// Starts a session with each configured server, if there is one. The permission file's peers stay whatever a server
  /// says.
  result<void> start();
  /// Null without servers.
  pc3* sessions() { return sessions_.get(); }

  /// After each step of the MAC: takes what the servers said. `out` gets what a withdrawal causes.
  void follow(security::slot_t slot, mac::ue& u, mac::step_output& out);
  void each_second();

private:
  void report_consent();
  bool handle(const pc3_event& e, mac::ue& u, mac::step_output& out);
  void permit(const pc3_event& e);
  bool withdraw(const pc3_event& e, mac::ue& u, mac::step_output& out);
  void report(const pc3_event& e);
  void report_pending(const pc3_event& e);
  const std::string& server_name(const pc3_event& e) const { return config_.pc3.servers[e.server].client.server_name; }

  const program_config& config_;
  ue_identity& identity_;
  const device_clock& clock_;
  ue_events& events_;
  host_data& data_;
  link_events& links_;
  std::unique_ptr<pc3> sessions_;
  std::uint64_t reported_dropped_ = 0;
};

}  // namespace prose::apps
