// The KDs of profile ts33303 that a UE shares with its peers: a private file, a line for each peer,
// NAME KD-ID KD (8 hexadecimal digits; 32 octets in base64).
#pragma once

#include <map>
#include <string>

#include "common/result.h"
#include "security/ports.h"
#include "security/ts33303/kd_table.h"

namespace prose::keys {

using kd_map = std::map<std::string, security::ts33303::shared_kd, std::less<>>;

/// Errors are "FILE:LINE: what; accepted: ...", never with a key. Refused: a name that occurs twice, an all-zero KD.
/// Whether two peers have one KD is for kd_table::make.
result<kd_map> read_kds(const std::string& path);
/// Replaces the file in one step, mode 0600.
result<void> write_kds(const std::string& path, const kd_map& all);
/// A file of one line, KD-ID KD, that carries a KD to the peer.
result<security::ts33303::shared_kd> read_kd(const std::string& path);
/// Refused if the file exists.
result<void> write_kd(const std::string& path, const security::ts33303::shared_kd& kd);

security::ts33303::shared_kd new_kd(security::random_port& random);

}  // namespace prose::keys
