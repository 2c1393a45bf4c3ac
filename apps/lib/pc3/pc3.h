// PC3: a UE's sessions with ProSe Functions. Network threads follow what the servers permit; the radio loop takes the
// outcome and never waits for it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/lib/function/client.h"
#include "apps/lib/pc3/permission_book.h"
#include "common/result.h"
#include "security/types.h"

namespace prose::apps {

class config_section;

struct pc3_server {
  function::client_config client;
  std::string udp_listen, udp_forward;  ///< application data of --data udp
};
struct pc3_config {
  static constexpr double default_valid_h = 24, max_valid_h = 30 * 24;
  std::string user;  ///< name to register; that of the certificate
  std::vector<pc3_server> servers;
  std::string private_key;
  std::string keylog;   ///< secrets of the sessions, in the form of SSLKEYLOGFILE; empty: none
  std::string consent;  ///< the consent list; empty: that of private_key. FILE.pending: keys to confirm
  std::string cache;  ///< what the servers said last, each in CACHE.SERVER.said, mode 0600; empty: nothing is kept over
                      ///< a restart
  double valid_h = default_valid_h;  ///< hours for which a server's statement is valid

  std::string consent_path() const { return consent.empty() ? keys::default_consent_path(private_key) : consent; }
};

/// One entry of `servers:` (name, address, port, addresses, ca, certificate, key or psk). What it does not say is as in
/// `otherwise`.
pc3_server read_pc3_server(config_section& s, const std::string& user, const pc3_server& otherwise = {});

class pc3 {
public:
  /// `fixed`: the permission file's peers, which stay permitted whatever a server says.
  static result<std::unique_ptr<pc3>> start(const pc3_config& config, const security::public_key& own,
                                            const permission_book::key_map& fixed);
  /// What start() reads, without a session and a key log.
  static result<void> check(const pc3_config& config);
  ~pc3();
  /// The slot clock, from the radio loop. Before the first call only the file's peers are permitted.
  void set_slot(security::slot_t slot);
  /// The next event, if one is there; waits for no file and no server.
  std::optional<pc3_event> poll();
  /// Queues a packet for a server; false: queue full.
  bool send(std::size_t server, std::span<const std::uint8_t> octets);
  /// Packets of servers that came faster than poll() took them.
  std::uint64_t data_dropped() const;

private:
  struct state;
  explicit pc3(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

/// Keys that servers gave for granted names and that nobody has accepted yet, as the running UE last wrote them.
result<permission_book::key_map> pending_keys(const std::string& consent_path);
/// Peers that a version 0.1 kept as permitted in CACHE: those that a server permits, with their pinned keys.
result<permission_book::key_map> cached_peers(const std::string& cache);

}  // namespace prose::apps
