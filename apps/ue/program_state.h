// What a running UE holds, and its steps: program.cpp has those towards the radio, program_host.cpp those towards keys,
// user and host.
#pragma once

#include <unistd.h>

#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "apps/lib/keys/system_random.h"
#include "apps/lib/pc3/pc3.h"
#include "apps/ue/data_port.h"
#include "apps/ue/frame_modem.h"
#include "apps/ue/host_addresses.h"
#include "apps/ue/metrics.h"
#include "apps/ue/program.h"
#include "apps/ue/work_thread.h"
#include "mac/security_adapter.h"
#include "phy/radio/radio.h"
#include "phy/sync/slss_search.h"
#include "security/crypto/x25519.h"

namespace prose::apps {

struct ue_program::state {
  program_config config;
  keys::system_random random;
  security::crypto::mbedtls_x25519 dh{random};
  work_thread work;
  std::unique_ptr<security::ue_security> sec;
  std::unique_ptr<mac::security_adapter> port;
  std::unique_ptr<mac::ue> u;
  std::unique_ptr<frame_modem> modem;
  std::unique_ptr<phy::radio> radio;
  std::optional<phy::slss_search> search;
  std::unique_ptr<data_port> data;
  std::optional<ipv4_table> drawn_ipv4;   // of the TUN interface
  std::vector<link_addresses> addresses;  // by index of the data port; none: a server, or never permitted
  std::vector<link_drops> told_drops;     // likewise
  static constexpr int max_server_events_per_subframe = 8;
  std::unique_ptr<pc3> servers;
  std::uint64_t server_data_dropped = 0;  // as told last
  port_trouble data_trouble;              // likewise
  std::unique_ptr<metrics_server> metrics;
  event_writer events, tx_log;

  std::vector<security::peer_id> peers;             // by index of the data port; 0: not permitted now, or a server
  std::vector<std::string> slot_names;              // likewise
  std::map<std::size_t, std::size_t> server_slots;  // index of the data port -> server
  std::map<security::peer_id, std::string> names;
  std::map<security::peer_id, std::size_t> index;
  std::set<security::peer_id> present;
  std::map<security::peer_id, std::vector<std::int64_t>>
      replaced;  // local subframes in which a new set-up took a live link's place
  struct traffic {
    std::uint64_t rx_octets = 0, tx_octets = 0, rx_sdus = 0, tx_sdus = 0;
  };
  std::map<security::peer_id, traffic> counts;
  std::set<std::string> logged_keys;
  int keylog_fd = -1;

  int spsf = 0;
  double rate = 0;
  double origin = 0;                           // tick of local subframe 0
  std::vector<std::vector<phy::cf32>> stream;  // per antenna, from stream_start
  std::int64_t stream_start = 0;
  std::int64_t subframe = 0;  // the next one to look at
  std::vector<phy::cf32> burst;
  std::vector<std::uint8_t> packet = std::vector<std::uint8_t>(max_data_packet_bytes);
  std::optional<outgoing_packet> held;  // of standard input: read into `packet`, for a peer whose queue was full
  static constexpr int max_host_packets_per_subframe = 64;  // a host that floods must not cost the subframe its time
  std::map<std::size_t, std::uint64_t> host_dropped;        // by index of the data port
  mac::step_output out;
  double epoch_s = 0;
  std::uint64_t lates = 0;
  phy::radio_counters reported{};
  std::array<std::uint64_t, static_cast<std::size_t>(security::drop_reason::count_)> rejected{};
  std::uint64_t misfits = 0;  // as told last
  std::int64_t next_second = 0;
  double pending_shift = 0;
  std::int64_t mark_again_at = 0;  // subframe: a mark that could not be written is tried once a second
  bool mark_unwritten = false;     // told
  bool silent = false;             // told

  ~state() {
    if (keylog_fd >= 0) ::close(keylog_fd);
  }

  double device_time() const { return rate <= 0 ? 0.0 : (origin + static_cast<double>(subframe) * spsf) / rate; }
  std::string name_of(security::peer_id p) const {
    const auto n = names.find(p);
    return n == names.end() ? "?" : n->second;
  }
  event make_event(std::string_view what) const { return event(what, device_time()); }
  event peer_event(std::string_view what, security::peer_id p) const {
    auto e = make_event(what);
    e.add("peer", name_of(p));
    return e;
  }
  void add_link(event& e, const security::link_info& i) const;
  void log_keys(security::link_id link);

  result<void> open_keys();
  result<void> open_data();
  void keep_mark();
  void keep_last_mark();
  void tell_silence();
  result<void> give_addresses(data_peer& d, const security::peer& p);
  void tell_addresses(std::size_t slot);
  result<void> write_hosts_file();
  void replace_hosts_file();
  void tell_drops();
  void look_at_data_port();
  void watch_identity(security::peer_id peer);
  void tell(const mac::ue_event& e);
  void drop(std::size_t slot, const char* why);
  void poll_data();
  void follow_servers();
  void each_second();
  result<void> run();
  void process(std::int64_t n);
  std::vector<mac::received_frame> search_slss(std::int64_t n);
  std::vector<std::span<const phy::cf32>> window(std::int64_t first, std::size_t length,
                                                 std::vector<std::vector<phy::cf32>>& copy) const;
  result<void> transmit();
  void log_sent(const mac::subframe_transmission& t);
};

}  // namespace prose::apps
