// The ProSe Function's server: many UEs over TLS in one thread (epoll), one store.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "apps/function/store.h"
#include "apps/function/tls.h"
#include "common/result.h"
#include "security/ports.h"

namespace prose::function {

struct server_limits {
  int max_connections = 4096;
  int max_connections_per_address = 1024;
  double requests_per_second = 20;  ///< sustained, for each connection; twice as many at once
  double handshake_s = 5;           ///< from the TCP connection to the end of the TLS handshake
  double frame_s = 10;  ///< from the first octet of a request to its last, and for the client to take an answer
  double idle_s = 180;  ///< without a request, a long poll not counted
};

struct server_config {
  std::string address = "127.0.0.1";
  int port = 7999;  ///< 0: any free one
  tls_identity identity;
  std::string store_path = "function.db";
  server_limits limits;
};

/// What happened, for an audit log: never a key, a proof or the content of an answer.
struct audit_record {
  std::string account;  ///< empty before the TLS handshake is done
  std::string address;
  std::string what;
};

struct server_counters {
  std::atomic<std::uint64_t> accepted{0}, refused_connections{0}, handshakes{0}, failed_handshakes{0}, requests{0},
      bad_requests{0}, rate_limited{0}, timed_out{0}, open{0};
};

class server {
public:
  /// `random` must outlive the server.
  static result<std::unique_ptr<server>> open(const server_config& config, security::random_port& random,
                                              std::function<void(const audit_record&)> audit);
  ~server();
  int port() const;
  /// Serves until stop() or a failure of the store or of the socket.
  result<void> run();
  /// From any thread or a signal handler.
  void stop() noexcept;
  const server_counters& counters() const;

private:
  struct state;
  explicit server(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::function
