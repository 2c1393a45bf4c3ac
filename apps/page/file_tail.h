// The lines of a file that another program writes: from its beginning, then what is appended. A file that is cut or
// replaced is read from its beginning again; one that is not there yet is waited for.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "apps/lib/common/file_descriptor.h"
#include "apps/page/lines.h"

namespace prose::page {

class file_tail {
public:
  static constexpr std::size_t most_line_octets = std::size_t{256} << 10U;
  static constexpr std::size_t most_at_once = std::size_t{1} << 20U;

  explicit file_tail(std::string path) : path_(std::move(path)) {}
  /// Gives the complete lines that are new, at most most_at_once octets of them. True: there is more.
  bool read(const std::function<void(std::string_view)>& take);
  const std::string& path() const { return path_; }

private:
  bool open();
  bool was_replaced() const;

  std::string path_;
  apps::file_descriptor file_;
  off_t at_ = 0;
  line_splitter lines_{most_line_octets};
};

}  // namespace prose::page
