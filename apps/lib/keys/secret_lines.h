// Private files with a line of secrets for each peer: KDs and codes of profile ts33303.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/result.h"

namespace prose::keys {

void wipe(std::string& text);

struct secret_lines {
  std::string path, kind;  ///< kind: as the line of its version has it
  int version = 1;
  std::string accepted;  ///< of a line, as errors say it
};
/// Calls `take` with the words of each line that is neither empty nor a comment; they are wiped afterwards. Errors are
/// "FILE:LINE: what; accepted: ...", never with a secret as long as those of `take` have none.
result<void> read_secret_lines(const secret_lines& file,
                               const std::function<result<void>(const std::vector<std::string>&)>& take);

}  // namespace prose::keys
