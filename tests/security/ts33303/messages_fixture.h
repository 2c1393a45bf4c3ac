// The messages of messages.json, each with what it says.
#pragma once

#include <string>
#include <vector>

#include "security/ts33303/messages.h"

namespace prose::security::ts33303::test {

using bytes = std::vector<std::uint8_t>;

struct example {
  std::string name;
  bytes octets;
  pc5s_message message;  ///< its views point into memory that stays
};
/// All of the file, in its order.
const std::vector<example>& examples();
/// Octets of one of them.
bytes octets_of(const std::string& name);

}  // namespace prose::security::ts33303::test
