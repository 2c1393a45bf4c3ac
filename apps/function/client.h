// A UE's connection to a ProSe Function: calls that block with a time limit, and long polls.
#pragma once

#include <memory>
#include <string>

#include "apps/function/message.h"
#include "apps/function/tls.h"
#include "common/result.h"
#include "security/keys.h"
#include "security/ports.h"

namespace prose::function {

struct client_config {
  std::string address = "127.0.0.1";  ///< IPv4 or IPv6
  int port = 7999;
  std::string server_name;  ///< must be in the server's certificate
  tls_identity identity;
  double timeout_s = 5;  ///< of each step; a long poll has its wait on top
};

/// One thread. Every error ends the connection; connect anew.
class client {
public:
  static result<std::unique_ptr<client>> connect(const client_config& config);
  ~client();

  result<void> register_key(security::dh_port& dh, const security::static_private_key& own, const std::string& name,
                            bool replace = false);
  result<void> grant(const std::string& peer);
  result<void> withdraw(const std::string& peer);
  result<list_answer> list();
  /// Changes after `since`; waits up to wait_s for one.
  result<std::vector<change>> changes(std::int64_t since, int wait_s);
  /// Ends a call that waits in another thread: it fails at once.
  void interrupt() noexcept;

  /// Differs for every session and every server (tls_connection::session_fingerprint).
  std::string key_fingerprint() const;
  const std::string& server_name() const;

private:
  struct state;
  explicit client(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::function
