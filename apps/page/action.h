// What a browser asks to be done, checked before anybody is asked to do it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "apps/page/bounded_json.h"
#include "common/result.h"

namespace prose::page {

inline constexpr std::size_t most_text_octets = 1000, most_file_octets = std::size_t{64} << 10U;
inline constexpr double most_jam_s = 10;

/// The action with just the keys that it has. An error is one line: what is wrong, and what is accepted. `offered`:
/// the actions, `names`: the UEs, as the control socket told them.
result<json> action_of(std::string_view body, const std::vector<std::string>& offered,
                       const std::vector<std::string>& names);

}  // namespace prose::page
