// Which records do stolen keys open? Every key, as it is and after one step of any derivation of the product, on every kept record.
// Not tried here: keys of the handshake and of discovery (tests/security/mary_search tries those).
#pragma once

#include <vector>

#include "apps/verdict/check_report.h"
#include "apps/verdict/stolen_state.h"

namespace prose::apps {

struct kept_record {
  std::uint64_t frame;
  std::uint32_t src, dst;
  std::uint8_t lcid;
  std::vector<std::uint8_t> pdu;
};

/// A link is the stolen UE's own if a stolen key log names it (SRC, DST, KD-sess ID); any other that opens is a finding.
void search_keys(const std::vector<stolen_file>& stolen, const std::vector<kept_record>& records, check_report& out);

}  // namespace prose::apps
