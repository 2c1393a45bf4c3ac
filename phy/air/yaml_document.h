// The one document of a YAML text. For who has yaml-cpp among his libraries.
#pragma once

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "common/result.h"

namespace prose::phy::air {

/// Where a document begins; takes no notice of what it holds.
class document_begin final : public YAML::EventHandler {
public:
  int line = -1;
  void OnDocumentStart(const YAML::Mark& at) override { line = at.line; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// Null for an empty text. The error is one line "NAME:LINE: what is wrong": no YAML, or anything behind the first
/// document, which yaml-cpp's own Load leaves unread. (Its LoadAll does not end with some texts: each of its documents
/// is empty and takes nothing away.)
inline result<YAML::Node> load_yaml(const std::string& text, const std::string& name) {
  const auto at = [&](int line) { return name + ":" + std::to_string(std::max(line, 0) + 1) + ": "; };
  const auto behind = [&](int line) {
    return fail(at(line) +
                "text behind the end of the document ('---' or '...' ends it); accepted: one document a file");
  };
  try {
    auto node = YAML::Load(text);
    std::istringstream in(text);
    YAML::Parser parser(in);
    document_begin first, second;
    if (!parser.HandleNextDocument(first)) return node;
    try {
      if (parser.HandleNextDocument(second)) return behind(second.line);
    } catch (const YAML::Exception& e) {
      return behind(second.line >= 0 ? second.line : e.mark.line);
    }
    return node;
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
