// A Unix stream socket of another program, a JSON object a line. It may come later, go, and come again.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "apps/lib/common/file_descriptor.h"
#include "apps/page/lines.h"
#include "common/result.h"

namespace prose::page {

class line_socket {
public:
  static constexpr std::size_t most_line_octets = std::size_t{1} << 20U;

  explicit line_socket(std::string path) : path_(std::move(path)) {}
  static result<void> check(const std::string& path, const std::string& option);
  /// Tries once, without waiting. True: connected now or before.
  bool connect();
  /// Gives the lines that have come. False: the other end has left.
  bool read(const std::function<void(std::string_view)>& take);
  /// A line, now or with a later flush(); false where too much waits already: the other end does not read.
  bool send(std::string_view line);
  void flush();
  /// To wait for; -1: not connected.
  int descriptor() const { return socket_.get(); }

private:
  std::string path_, unsent_;
  apps::file_descriptor socket_;
  line_splitter lines_{most_line_octets};
};

}  // namespace prose::page
