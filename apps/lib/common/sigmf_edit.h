// Changes the text of SigMF metadata that is not ours: what is not touched stays as it was written, to the last digit.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/result.h"

namespace prose::apps {

/// `text` is metadata that was read before; `file` names it in errors. Keys keep their order. In what `edit` gets,
/// numbers of the text are strings and not to be looked at; those that it adds are numbers.
result<std::string> edit_sigmf(const std::string& text, const std::string& file,
                               const std::function<void(nlohmann::ordered_json&)>& edit);

}  // namespace prose::apps
