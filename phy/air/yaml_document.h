// The one document of a YAML text. For who has yaml-cpp among his libraries.
#pragma once

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <string>

#include "common/result.h"

namespace prose::phy::air {

/// Null for an empty text. The error is one line "NAME:LINE: what is wrong": no YAML, or anything behind the first document, which yaml-cpp's own
/// Load leaves unread.
inline result<YAML::Node> load_yaml(const std::string& text, const std::string& name) {
  const auto at = [&](int line) { return name + ":" + std::to_string(std::max(line, 0) + 1) + ": "; };
  try {
    const auto documents = YAML::LoadAll(text);
    if (documents.empty()) return YAML::Node();
    if (documents.size() > 1)
      return fail(at(documents[1].Mark().line) + "text behind the end of the document ('---' or '...' ends it); accepted: one document a file");
    return documents[0];
  } catch (const YAML::Exception& e) {
    std::size_t begin = 0;
    for (int line = 0; line < e.mark.line && begin != std::string::npos; ++line) {
      begin = text.find('\n', begin);
      if (begin != std::string::npos) ++begin;
    }
    if (begin != std::string::npos) {
      const std::size_t first = text.find_first_not_of(" \t", begin);
      const std::size_t tab = text.find('\t', begin);
      if (tab != std::string::npos && (first == std::string::npos || tab < first))
        return fail(at(e.mark.line) + "a tab in front of the text; accepted: spaces");
    }
    return fail(at(e.mark.line) + "not YAML: " + e.msg);
  }
}

}  // namespace prose::phy::air
