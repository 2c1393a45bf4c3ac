// The browsers that listen. Each has a bounded queue; one whose queue is full is dropped, the others go on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apps/page/page_state.h"

namespace prose::page {

/// What one browser has still to get. Safe from several threads.
class stream_client {
public:
  static constexpr std::size_t most_waiting = std::size_t{6} << 20U;  ///< octets
  using text = std::shared_ptr<const std::string>;

  void add(const text& t);
  void close();
  /// Waits up to a second. Nothing: none has come. `ended`: there will be none.
  text next(bool& ended);
  bool closed() const;

private:
  mutable std::mutex mutex_;
  std::condition_variable some_;
  std::deque<text> queue_;
  std::size_t waiting_ = 0;
  bool closed_ = false;
};

class stream_hub {
public:
  static constexpr std::size_t most_clients = 8;

  /// Null: there are as many as there may be. `beginning` comes before all that is published from now on.
  std::shared_ptr<stream_client> add(const std::vector<page_event>& beginning);
  void remove(const std::shared_ptr<stream_client>& c);
  bool full() const;
  void publish(const page_event& e);
  std::size_t size() const;
  /// The end: nobody is added any more.
  void close();

private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<stream_client>> clients_;
  bool closed_ = false;
};

}  // namespace prose::page
