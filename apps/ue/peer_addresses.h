// The addresses of the running UE's peers, by slot: given, reported, and named in the hosts file.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "apps/ue/host_addresses.h"
#include "apps/ue/peer_slots.h"
#include "apps/ue/program_config.h"
#include "apps/ue/ue_events.h"
#include "common/result.h"
#include "security/identity.h"
#include "security/ports.h"

namespace prose::apps {

class peer_addresses {
public:
  /// All must outlive the object.
  peer_addresses(const program_config& config, const peer_slots& slots, ue_events& events)
      : config_(config), slots_(slots), events_(events) {}
  /// Opens the table of drawn IPv4 addresses if there is one.
  result<void> open(security::random_port& random);
  /// Addresses of the link with `peer`, with what the configuration says of it. An IPv4 pair may be drawn.
  result<link_addresses> addresses_for(const security::peer& peer, const data_peer& configured);
  const link_addresses& of(std::size_t slot) const { return addresses_[slot]; }
  void set(std::size_t slot, const link_addresses& addresses);
  /// Reports what applications find a peer by. Without a TUN interface nothing uses it: it is reported for information.
  void report(std::size_t slot);
  result<void> write_hosts_file() const;
  /// The same, but an error is only logged.
  void replace_hosts_file() const;

private:
  bool has_interface() const { return config_.data == "tun"; }

  const program_config& config_;
  const peer_slots& slots_;
  ue_events& events_;
  std::optional<ipv4_table> drawn_ipv4_;
  std::vector<link_addresses> addresses_;  // by slot; none: a server, or a peer that was never permitted
};

}  // namespace prose::apps
