// The KDs that this UE shares, one for each peer (TS 33.303 6.5: KD is the root of exactly two UEs). Here they are put
// on both UEs beforehand.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/result.h"
#include "security/ts33303/keys.h"

namespace prose::security::ts33303 {

struct shared_kd {
  std::uint32_t id = 0;  ///< KD ID, sent in clear in the Request; the same at both UEs
  kd_key kd;
};

/// Move-only, as its keys are.
class kd_table {
public:
  /// Refused, with the names of both peers and no octet of a key: two peers with one KD, or with one KD ID. A KD that
  /// three UEs share would let each of them read and forge what the other two say. A KD of zeros is refused too.
  static result<kd_table> make(std::map<std::string, shared_kd, std::less<>> of_peer);

  kd_table(kd_table&&) = default;
  kd_table& operator=(kd_table&&) = default;

  /// Null for a peer that is not in the table.
  const shared_kd* of_peer(std::string_view peer) const;
  /// The KD that a Request names; null if no peer has this KD ID, or another peer than the one the Request comes from.
  const shared_kd* of_request(std::string_view peer, std::uint32_t kd_id) const;

private:
  explicit kd_table(std::map<std::string, shared_kd, std::less<>> of_peer) : of_peer_(std::move(of_peer)) {}
  std::map<std::string, shared_kd, std::less<>> of_peer_;
};

}  // namespace prose::security::ts33303
