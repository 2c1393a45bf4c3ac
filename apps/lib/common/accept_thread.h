// A thread that serves the connections of a listening socket, one after another.
#pragma once

#include <functional>
#include <thread>

#include "apps/lib/common/file_descriptor.h"

namespace prose::apps {

class accept_thread {
public:
  /// `listener` does not block, and outlives the object, as all that `serve` uses. `serve` is called on the thread, and
  /// must end by itself. False: no descriptor is left, and errno says why.
  bool start(int listener, std::function<void(int client)> serve);
  accept_thread() = default;
  /// Waits for the connection that is being served.
  ~accept_thread();
  accept_thread(const accept_thread&) = delete;
  accept_thread& operator=(const accept_thread&) = delete;

private:
  void run(int listener, const std::function<void(int client)>& serve);
  file_descriptor wake_;
  std::thread thread_;
};

}  // namespace prose::apps
