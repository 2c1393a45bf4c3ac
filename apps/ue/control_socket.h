// The control socket of a running UE: whoever connects gets the last status that was published, one JSON object and a
// line end, and then the end of the connection. Nothing is read from it, so nothing can be changed through it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/result.h"

namespace prose::apps {

/// Serves a Unix socket of mode 0600 from a thread of its own: the UE never waits for a reader. Only processes of the
/// own user and root are answered (SO_PEERCRED). A reader that takes nothing is dropped after a second.
class control_socket {
public:
  /// A socket that nobody serves any more is replaced. Refused: one that another program serves, any other file.
  static result<std::unique_ptr<control_socket>> open(const std::string& path);
  /// What open() would refuse; nothing is made or removed.
  static result<void> check(const std::string& path);
  ~control_socket();
  void publish(std::string json);

private:
  struct state;
  explicit control_socket(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

/// The status that the UE behind this socket tells. Nothing: no UE runs there. An error: something else is there, it
/// belongs to another user, or it does not answer within two seconds.
result<std::optional<std::string>> read_control_socket(const std::string& path);

}  // namespace prose::apps
