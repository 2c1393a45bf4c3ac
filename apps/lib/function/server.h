// The ProSe Function's server: many UEs over TLS in one thread (epoll), one store.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "apps/lib/function/message.h"
#include "apps/lib/function/store.h"
#include "apps/lib/function/tls.h"
#include "common/result.h"
#include "security/ports.h"

namespace prose::function {

struct server_limits {
  int max_connections = 4096;  ///< authenticated ones
  int max_half_open = 1024;    ///< not yet authenticated; one more closes the oldest of the address with the most
  int max_connections_per_address =
      1024;  ///< of both, of an IPv4 address or an IPv6 /64; one more ends its oldest half-open one
  int max_connections_per_user = 8;  ///< one more ends the oldest
  double requests_per_second = 20;   ///< sustained, for each user; twice as many at once
  double packets_per_second = 200;   ///< application data, likewise
  double handshake_s = 10;           ///< from the TCP connection to the end of the TLS handshake
  double frame_s = 10;  ///< from the first octet of a request to its last, and for the client to take an answer
  double idle_s = 180;  ///< without a request, a long poll not counted
};

/// Application data: each packet of a UE goes to `forward` as a datagram "NAME OCTETS"; a datagram "NAME OCTETS" that
/// comes to `listen` goes to that user, if connected. Or every packet goes back to its sender.
struct application_config {
  std::string listen, forward;  ///< ADDRESS:PORT; empty: nothing
  bool echo = false;
};

struct server_config {
  std::string address = "127.0.0.1";
  int port = 7999;   ///< 0: any free one
  std::string name;  ///< empty: the certificate's common name
  tls_identity identity;
  std::string kd_secret_path;              ///< of which the KDs of pairs are made; empty: none are handed out
  std::string store_path = "function.db";  ///< or postgresql://...: see store::open
  std::set<std::string> proxies;  ///< addresses of balancers: a connection from one begins with a PROXY v2 header
  server_limits limits;
  application_config application;
  std::set<std::string> denied;  ///< users whose certificates are refused although they have not expired
  /// The list anew, after reload(); nothing leaves it as it is. Called in the server's thread.
  std::function<std::optional<std::set<std::string>>()> read_denied = {};
  tls_secret_observer observe_secret = {};  ///< for tests
  std::size_t max_queued_bytes =
      2 * max_answer_bytes;   ///< with more answers waiting to be taken, requests wait; another one for tests
  int send_buffer_bytes = 0;  ///< of each connection's socket; 0: the system's; for tests
};

/// What happened, for an audit log: never a key, a proof or the content of an answer.
struct audit_record {
  std::string account;  ///< empty before the TLS handshake is done
  std::string address;
  std::string what;
};

struct server_counters {
  std::atomic<std::uint64_t> accepted{0}, refused_connections{0}, evicted{0}, handshakes{0}, failed_handshakes{0},
      requests{0}, bad_requests{0}, rate_limited{0}, timed_out{0}, open{0}, waiting{0}, data_in{0}, data_out{0},
      data_dropped{0};
};

class server {
public:
  /// `random` must outlive the server.
  static result<std::unique_ptr<server>> open(const server_config& config, security::random_port& random,
                                              std::function<void(const audit_record&)> audit);
  /// What open() would refuse of the settings and the files that they name; opens no socket.
  /// look_only() (apps/lib/common/safe_file.h) comes first.
  static result<void> check(const server_config& config);
  ~server();
  int port() const;
  /// Serves until stop() or a failure of the store or of the socket.
  result<void> run();
  /// From any thread or a signal handler.
  void stop() noexcept;
  /// Likewise. Reads the list of denied users again; their connections end.
  void reload() noexcept;
  const server_counters& counters() const;

private:
  struct state;
  explicit server(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::function
