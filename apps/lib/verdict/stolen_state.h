// What a thief of a UE has: key files, permission files, pre-shared keys, key logs, raw memory. Only parsed here;
// key_search.h uses it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "security/export.h"

namespace prose::apps {

/// Which side of a link a key of the state belongs to is told from the state itself: see key_search.h.
struct stolen_file {
  std::string path;
  std::vector<security::stolen_secret> secrets;  ///< 32, 16 and 12 octets; "static private key" marks a key file's
  std::vector<security::logged_key> logged_keys;
  std::vector<security::public_key> publics;  ///< of the owner's peers (permission file)
  std::vector<std::string> names;             ///< of those peers
  std::vector<std::string> psk_paths;         ///< psk= of the permission file, as written there
  bool holds_key() const { return !secrets.empty() || !logged_keys.empty(); }
};

/// A file's kind is told from its content: one line of base64 (a private or pre-shared key), a permission file, a key
/// log, or lines `NAME HEX` of memory (names may hold spaces). A key-log line at the end that has no line break yet is
/// being written and is left out. Errors are one line: path, line, what is wrong, what is accepted.
result<stolen_file> parse_stolen_state(std::string_view text, const std::string& path);
/// Reads the file, and the psk= files that a permission file names, relative to it or to the working directory.
/// Refused: more than 16 MiB. Group-readable files are taken too: a thief does not mind.
result<stolen_file> load_stolen_state(const std::string& path);

}  // namespace prose::apps
