// JSON text to a value, with the line of the first mistake. Shared by the SigMF metadata and by the programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "common/result.h"

namespace prose::phy {

/// `file` only names the text in errors: "FILE:LINE: not JSON (...)".
result<nlohmann::json> parse_json(std::string_view text, std::string_view file);

/// The whole text of a regular file of at most max_bytes.
result<std::string> read_text_file(const std::string& path, std::size_t max_bytes);

}  // namespace prose::phy
