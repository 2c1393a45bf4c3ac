// Codes of restricted discovery of profile ts33303: a private file with the UE's own code, and those of its peers, each
// with its keys. A line is NAME CODE DUSK DUIK DUCK (46 hexadecimal digits; 32 octets in base64 each); the own one's
// name is *.
#pragma once

#include <optional>
#include <string>

#include "common/result.h"
#include "security/ts33303/code_discovery.h"

namespace prose::keys {

struct code_book {
  std::optional<security::ts33303::secured_code> own;
  security::ts33303::code_discovery::code_map of_peers;
};

/// Errors are "FILE:LINE: what; accepted: ...", never with a key. Refused: a name that occurs twice.
result<code_book> read_codes(const std::string& path);
/// Replaces the file in one step, mode 0600.
result<void> write_codes(const std::string& path, const code_book& all);

/// A code on its way to a monitor: a private file with one line CODE DUSK DUIK DUCK.
result<security::ts33303::secured_code> read_code(const std::string& path);
/// Refused: a file that exists.
result<void> write_code(const std::string& path, const security::ts33303::secured_code& code);

}  // namespace prose::keys
