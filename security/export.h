// The two ways in which secrets leave the sublayer, both explicit: key-log lines (record keys of epochs, nothing else),
// and the whole state as a thief of the device would have it (for the stolen-UE tests).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "security/link_engine.h"

namespace prose::security {

/// To make one is to state that the user asked for the export in the configuration and was warned.
class export_permit {
public:
  static export_permit user_was_warned() { return export_permit(); }

private:
  export_permit() = default;
};

/// A key-log line: `PROSE_RECORD_KEY <suite> <kd_sess_id> <src l2 id> <dst l2 id> <key> <iv>`, hexadecimal, one a
/// direction and epoch (current and next). Never static, pair or KD keys.
std::vector<std::string> key_log_lines(const link_engine& links, link_id link, export_permit permit);

struct logged_key {
  suite suite_used = suite::aes_256_gcm;
  std::uint16_t kd_sess_id = 0;
  l2_id src = 0, dst = 0;
  record_key key;
  record_iv iv;
};
/// The error says what is wrong with the line.
result<logged_key> parse_key_log_line(std::string_view line);
/// Opens one PDCP PDU with a logged key, without replay check (an analyser may see everything twice). Empty if the
/// KD-sess ID differs or the tag does not verify.
std::optional<std::vector<std::uint8_t>> open_with(const logged_key& key, std::uint8_t lcid, bytes_view pdcp_pdu);

/// One secret of a stolen UE.
struct stolen_secret {
  std::string name;  // what it is and of which peer or link
  std::vector<std::uint8_t> octets;
};
/// Everything: static key, PSKs, shared secrets, pair keys of both directions, the dummies' keys, all epochs' record
/// keys and IVs, chain roots, rekey bindings, and of set-ups and rekeyings under way the ephemeral, chaining key,
/// payload key and transcript. Names end in what the octets are ("... private key", "... psk", "... transcript").
std::vector<stolen_secret> stolen_state(const peer_table& peers, const link_engine& links, export_permit permit);

}  // namespace prose::security
