// What sidelink security looks like when one measure is left out. Only in test executables: controls that show that the
// search (and the sniffer's verdict) can turn red. Never reachable from the product.
#pragma once

#include <string>
#include <vector>

#include "tests/security/mary_search.h"

namespace prose::security::test {

enum class weakness : std::uint8_t {
  one_key_for_all_peers,  // the requirement's own attack
  null_cipher,
  repeated_nonce,
  plain_identities,  // in discovery
  static_token,
  replayable_request,
};
inline constexpr weakness all_weaknesses[] = {weakness::one_key_for_all_peers, weakness::null_cipher,
                                              weakness::repeated_nonce,        weakness::plain_identities,
                                              weakness::static_token,          weakness::replayable_request};
std::string name_of(weakness w);

/// Replaces in what John and Peter sent (and in how Peter reacts) what the weakness changes; everything else stays the
/// product's. `group_key` is what a UE that shares one key with all peers would have in its state: it is added to the
/// stolen state.
evidence weaken(evidence real, weakness w);

/// One PDCP record sealed as a weak UE would: for end-to-end controls that put it on the emulated air.
std::vector<std::uint8_t> weak_record(weakness w, std::uint8_t lcid, std::uint16_t kd_sess_id, std::uint16_t sn,
                                      bytes_view data);

}  // namespace prose::security::test
