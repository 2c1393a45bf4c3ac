// A set-up that waits for the peer's last message: under which identifiers its records will be sent.
#pragma once

#include <optional>

#include "security/link_engine.h"

namespace prose::security {

struct link_identifiers {
  l2_id own_l2, peer_l2;
  std::uint16_t kd_sess_id;
};
/// Empty where keys do not exist yet, or the link is there already.
std::optional<link_identifiers> pending_link(const link_engine& links, peer_id peer);

}  // namespace prose::security
