// PC3: a UE's sessions with ProSe Functions. Network threads keep what the servers permit up to date; the radio loop takes
// the outcome, which never makes it wait.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "apps/function/client.h"
#include "common/result.h"
#include "security/types.h"

namespace prose::apps {

class config_section;

struct pc3_server {
  function::client_config client;
  std::string udp_listen, udp_forward;  ///< application data of --data udp
};
struct pc3_config {
  std::string user;  ///< name to register; that of the certificate
  std::vector<pc3_server> servers;
  std::string private_key;
  std::string keylog;  ///< secrets of the sessions, in the form of SSLKEYLOGFILE; empty: none
  std::string cache;  ///< what the servers said last, mode 0600; FILE.pins: the peers' keys; FILE.pending: keys to confirm
};

/// One entry of `servers:` (name, address, port, ca, certificate, key or psk). `path`: the configuration file.
pc3_server read_pc3_server(config_section& s, const std::string& path, const std::string& user);

struct pc3_event {
  enum class kind : std::uint8_t { permitted, withdrawn, session, session_lost, refused, unwritten, unlogged, data } what = kind::refused;
  std::string peer{};
  security::public_key key{};
  std::size_t server = 0;
  std::string text{};  ///< session: key fingerprint; lost, refused, unwritten, unlogged: why
  std::vector<std::uint8_t> octets{};
};

/// Who is permitted, from several sources, and whose key is which. No I/O. A key once seen for a name is pinned: another is
/// refused until the user confirms it, also after a withdrawal, and also from another server.
class permission_book {
public:
  using key_map = std::map<std::string, security::public_key>;
  // What a lying server can make us keep. Beyond it a name is refused, or a refusal not told.
  static constexpr std::size_t max_peers_per_server = function::max_grants_per_user;
  static constexpr std::size_t max_pins = 4 * max_peers_per_server, max_told = 4 * max_peers_per_server;
  permission_book(std::string own_name, security::public_key own_key, const key_map& fixed);
  void set_pins(const key_map& pins);
  /// What one server says of one peer; no key: not permitted.
  void update(std::size_t server, const std::string& peer, std::optional<security::public_key> key);
  /// All that one server permits.
  void replace(std::size_t server, const key_map& all);
  std::vector<pc3_event> take();
  const key_map& pins() const { return pins_; }
  const key_map& pending() const { return pending_; }
  const std::map<std::size_t, key_map>& by_server() const { return by_server_; }

private:
  void settle();
  std::string own_name_;
  security::public_key own_key_;
  key_map fixed_, pins_, pending_, effective_;
  std::map<std::size_t, key_map> by_server_, said_;
  std::set<std::string> told_;
  std::vector<pc3_event> out_;
};

class pc3 {
public:
  /// `fixed`: the permission file's peers, which stay whatever a server says.
  static result<std::unique_ptr<pc3>> start(const pc3_config& config, const security::public_key& own,
                                            const permission_book::key_map& fixed);
  ~pc3();
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

/// prose-keys confirm: takes the pending key of a peer, if it is still the one that the user saw, over into the pins.
result<void> confirm_pending(const std::string& cache, const std::string& peer, const security::public_key& shown);
result<security::public_key> pending_key(const std::string& cache, const std::string& peer);
result<security::public_key> pinned_key(const std::string& cache, const std::string& peer);

}  // namespace prose::apps
