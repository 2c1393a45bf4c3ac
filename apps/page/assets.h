// The page's own files.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace prose::page {

struct asset {
  std::string text;
  const char* type = "";  ///< of its content
};

class assets {
public:
  static constexpr std::size_t most_octets = std::size_t{2} << 20U;
  /// The folder must have an index.html. Empty: as installed beside the program, or in its source.
  static result<assets> open(const std::string& folder);
  /// Nothing: a name of another form, of another kind than a page has, or no such file.
  std::optional<asset> read(std::string_view name) const;
  const std::string& folder() const { return folder_; }

private:
  std::string folder_;
};

}  // namespace prose::page
