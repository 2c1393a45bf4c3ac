// A Unix stream socket from which local readers take lines. Nothing here waits: what a reader does not take in time is
// dropped and counted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/common/unix_socket.h"
#include "common/result.h"

namespace prose::apps {

class look_readers {
public:
  static constexpr std::size_t most_readers = 8;
  static constexpr std::size_t most_waiting = std::size_t{512} << 10U;  ///< octets of a reader's lines

  /// Makes the socket (unix_socket.h). Where safe_file.h only looks, nothing is made.
  static result<look_readers> open(const std::string& path);

  /// Takes new readers, each of which gets `hello` first, and those of others that fit nowhere are closed; sends on
  /// what waits; forgets readers that have left.
  void serve(std::string_view hello);
  /// `object` is the text of one JSON object. A reader that misses lines finds "dropped" in its next one.
  void tell(std::string_view object);
  bool any() const { return !readers_.empty(); }
  /// Lines that did not fit, of all readers.
  std::uint64_t dropped() const { return dropped_; }

private:
  struct reader {
    file_descriptor socket;
    std::string waiting;
    std::uint64_t dropped = 0;
    bool gone = false;
  };
  void accept_one(std::string_view hello);
  static void send_on(reader& r);

  unix_listener listener_;
  std::vector<reader> readers_;
  std::uint64_t dropped_ = 0;
};

}  // namespace prose::apps
