// Application data of the running UE: packets between the data port and the links or servers, with what is counted and
// reported of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "apps/lib/common/metrics.h"
#include "apps/lib/pc3/pc3.h"
#include "apps/ue/data_port.h"
#include "apps/ue/peer_addresses.h"
#include "apps/ue/peer_slots.h"
#include "apps/ue/program_config.h"
#include "apps/ue/ue_events.h"
#include "apps/ue/ue_identity.h"
#include "apps/ue/ue_status.h"
#include "common/result.h"
#include "mac/ue.h"

namespace prose::apps {

class host_data {
public:
  /// All must outlive the object; `identity` is opened before open().
  host_data(const program_config& config, ue_identity& identity, peer_slots& slots, ue_events& events)
      : config_(config), identity_(identity), slots_(slots), events_(events), addresses_(config, slots, events) {}
  /// Opens the data port with the slots that there are.
  result<void> open();
  /// The same without the port: what its files say. look_only() comes first.
  result<void> check();
  /// The addresses of all permitted peers, as events.
  void report_addresses();

  /// Takes packets of the host, at most a few a call. `servers` may be null if no slot is a server's.
  void poll(mac::ue& u, pc3* servers);
  /// To the host.
  void deliver(security::peer_id peer, std::span<const std::uint8_t> data);
  void deliver_from_server(std::size_t server, std::span<const std::uint8_t> data);

  /// A peer is permitted while the UE runs. Reported: the permission, then its addresses or why it has none.
  void permit(const std::string& name, security::peer_id peer);
  void withdraw(security::peer_id peer);

  /// Reports packets that were held back, the state of the data port, and lines or packets that go nowhere. `expired`:
  /// SDUs so far that waited for a link in vain (mac::tx_counters).
  void each_second(std::uint64_t expired);
  /// As reported last.
  const port_trouble& trouble() const { return trouble_; }
  void add_metrics(metrics_page& page) const;
  /// Addresses, traffic and drops of a permitted peer.
  void add_status(security::peer_id peer, peer_status& s) const;

private:
  struct traffic {
    std::uint64_t rx_octets = 0, tx_octets = 0;
  };
  bool is_linked(security::peer_id peer) const;
  bool has_linked_peer() const;
  bool waits_for_link() const;
  data_peer configured(const std::string& name) const;
  result<data_peer> make_entry(std::size_t slot);
  result<std::vector<data_peer>> make_entries();
  result<void> open_port(std::vector<data_peer> list);
  result<void> assign(std::size_t slot, security::peer_id peer);
  bool pass_on(const outgoing_packet& packet, mac::ue& u, pc3* servers);
  void send_to_server(std::size_t slot, std::size_t server, std::span<const std::uint8_t> packet, pc3& servers);
  void count_dropped(std::size_t slot, const char* why);
  void report_filtered();
  void report_filtered(std::size_t slot, bool in, packet_check why, std::uint64_t count, std::uint64_t& reported);
  void report_trouble();
  void report_waiting();
  void report_expired(std::uint64_t expired);
  result<void> check_endpoints() const;
  void add_filtered(metrics_page& page) const;

  const program_config& config_;
  ue_identity& identity_;
  peer_slots& slots_;
  ue_events& events_;
  peer_addresses addresses_;
  std::unique_ptr<data_port> port_;
  port_trouble trouble_;                          // as reported last
  std::vector<link_drops> reported_filtered_;     // by slot
  std::map<std::size_t, std::uint64_t> dropped_;  // by slot: packets of the host that were not taken
  std::map<security::peer_id, traffic> traffic_;
  std::vector<std::uint8_t> packet_ = std::vector<std::uint8_t>(max_data_packet_bytes);
  std::set<security::peer_id> without_link_;  // who was told to have none while there are packets for them
  bool waiting_told_ = false;                 // that standard input waits for the first link
  std::uint64_t expired_ = 0;                 // as reported last
  std::optional<outgoing_packet> held_;       // of standard input: read into packet_, for a peer whose queue was full
};

}  // namespace prose::apps
