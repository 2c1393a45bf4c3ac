// Every label of a derivation that the sources of security/ name, for searches that must know them all.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "prose_test_paths.h"

namespace prose::security::test {

inline std::set<std::string> labels_in_code() {
  std::set<std::string> out;
  const std::regex literal("\"(LTESL/1[^\"]*)\"");
  for (const auto& f : std::filesystem::recursive_directory_iterator(PROSE_SOURCE_DIR "/security")) {
    if (f.path().extension() != ".h" && f.path().extension() != ".cpp") continue;
    std::ifstream in(f.path());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    for (std::sregex_iterator m(text.begin(), text.end(), literal), end; m != end; ++m) out.insert((*m)[1]);
  }
  out.erase("LTESL/1");  // the prologue
  return out;
}

}  // namespace prose::security::test
