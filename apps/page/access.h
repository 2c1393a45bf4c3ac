// Who may see and do what: a token in the address is exchanged for a cookie, once; requests must name this server as
// their host, and actions must come from its own page.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace prose::page {

class access {
public:
  static constexpr std::size_t most_sessions = 16;  ///< the oldest is forgotten

  /// `draw` gives a new secret of at least 128 bits, as text of letters and digits.
  explicit access(std::function<std::string()> draw) : draw_(std::move(draw)) {}
  /// The address that is listened on; a wildcard is named by any address, never by a name but localhost.
  void listens_on(const std::string& host, int port);
  /// Makes a token; one that was not used is no longer valid.
  std::string new_token();
  /// The cookie's value for a right token, which is used up. Empty: it is wrong.
  std::string exchange(std::string_view token);
  /// cookies: the value of the header Cookie.
  bool has_session(std::string_view cookies) const;
  bool right_host(std::string_view host) const;
  /// Of a request that came with this Host, which is right.
  static bool right_origin(std::string_view origin, std::string_view host);

private:
  std::function<std::string()> draw_;
  mutable std::mutex mutex_;
  std::string token_;
  std::deque<std::string> sessions_;
  std::string host_;
  int port_ = 0;
};

/// Whether an address is of this machine only.
bool is_loopback(const std::string& host);

}  // namespace prose::page
