#include "security/pending_link.h"

#include "security/link.h"

namespace prose::security {

std::optional<link_identifiers> pending_link(const link_engine& links, peer_id peer) {
  const auto at = links.state().find(peer);
  if (at == links.state().end() || !at->second.pending) return std::nullopt;
  const epoch& e = at->second.pending->current.chain.sending();
  return link_identifiers{e.own_l2, e.peer_l2, e.tx.protection().kd_sess_id};
}

}  // namespace prose::security
