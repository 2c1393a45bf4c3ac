// A UE's connection to a ProSe Function: calls that block with a time limit, long polls, and application data.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/lib/function/address.h"
#include "apps/lib/function/message.h"
#include "apps/lib/function/tls.h"
#include "common/result.h"
#include "security/keys.h"
#include "security/ports.h"

namespace prose::function {

struct client_config {
  std::string address = "127.0.0.1";  ///< IPv4 or IPv6
  int port = 7999;
  std::vector<std::string> addresses = {};  ///< further ones of the same server: ADDRESS, or ADDRESS:PORT
  std::string server_name;                  ///< must be in the server's certificate
  tls_identity identity;
  double timeout_s = 10;  ///< of each step; a long poll has its wait on top. Several addresses share that of connecting
  tls_secret_observer observe_secret = {};  ///< for a key log that the user asked for
};

/// Where a further address of a server leads; `port` is that of the first one.
std::optional<socket_address> parse_server_address(const std::string& text, int port);

/// One thread, but for nudge() and interrupt(). Every error ends the connection, except that the server refused a
/// request (refused()); connect anew.
class client {
public:
  /// Tries the addresses in turn, until one answers as this server.
  static result<std::unique_ptr<client>> connect(const client_config& config);
  ~client();

  result<void> register_key(security::dh_port& dh, const security::static_private_key& own, const std::string& name,
                            bool replace = false);
  result<void> grant(const std::string& peer);
  result<void> withdraw(const std::string& peer);
  result<list_answer> list();
  /// The KD of profile ts33303 with a peer, while both have granted.
  result<kd_answer> kd(const std::string& peer);
  /// Changes after `since`; waits up to wait_s for one.
  result<std::vector<change>> changes(std::int64_t since, int wait_s);
  /// Whether the last error was the server's refusal; the connection then stays open.
  bool refused() const;

  /// As changes(), but a refusal makes it ask again a second later, and it returns no value also when data
  /// arrived or when nudged; the poll stays open at the server and the next call continues it.
  result<std::optional<std::vector<change>>> wait(std::int64_t since, int wait_s);
  /// A packet: the server does not answer, and drops what exceeds its limit of packets per second.
  result<void> send_data(std::span<const std::uint8_t> octets);
  /// What the server sent, oldest first.
  std::optional<std::vector<std::uint8_t>> take_data();

  /// From any thread: a wait() ends.
  void nudge() noexcept;
  /// From any thread: every call fails at once from now on.
  void interrupt() noexcept;

  /// Differs for every session and every server (tls_connection::session_fingerprint).
  std::string key_fingerprint() const;
  std::string suite() const;
  const std::string& server_name() const;

private:
  struct state;
  static result<std::unique_ptr<client>> connect_to(const client_config& config, const std::string& address,
                                                    double seconds);
  explicit client(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::function
