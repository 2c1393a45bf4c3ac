// Unix stream sockets for the user's own programs. A name in an error begins with what the user gave it to, as
// "--look ".
#pragma once

#include <sys/stat.h>
#include <sys/un.h>

#include <string>

#include "apps/lib/common/file_descriptor.h"
#include "common/result.h"

namespace prose::apps {

/// An error: the path is empty or too long for a socket.
result<sockaddr_un> unix_address(const std::string& option, const std::string& path);

/// Connects without waiting. An invalid descriptor, and errno, where that fails.
file_descriptor connect_to(const sockaddr_un& address);

/// A name that others connect to, mode 0600.
class unix_listener {
public:
  /// A socket that a program left which is gone is replaced. Refused: one that another program serves, any other file.
  static result<unix_listener> open(const std::string& option, const std::string& path, int backlog);
  /// What open() would refuse; nothing is made or removed.
  static result<void> check(const std::string& option, const std::string& path);
  unix_listener() = default;
  /// Removes the name, if it is still the one that was made.
  ~unix_listener();
  unix_listener(unix_listener&& other) noexcept;
  unix_listener& operator=(unix_listener&& other) noexcept;

  explicit operator bool() const { return static_cast<bool>(socket_); }
  /// Does not block.
  int get() const { return socket_.get(); }

private:
  file_descriptor socket_;
  std::string path_;
  struct stat made_ {};
};

}  // namespace prose::apps
