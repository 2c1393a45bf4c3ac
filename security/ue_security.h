// Everything one UE needs, wired together.
#pragma once

#include "security/discovery.h"
#include "security/export.h"
#include "security/identity.h"
#include "security/link_engine.h"

namespace prose::security {

struct ue_config {
  discovery_config discovery;
  link_config links;
  std::optional<slot_t> stored_mark;  // from disk; see slot_clock
};

class ue_security {
public:
  ue_security(const ue_config& config, key_pair own, ports p)
      : peers_(std::move(own), p),
        discovery_(config.discovery, peers_, config.stored_mark),
        links_(config.links, peers_, discovery_) {}
  ue_security(const ue_security&) = delete;
  ue_security& operator=(const ue_security&) = delete;

  result<peer_id> add_peer(std::string_view name, const public_key& key,
                           std::optional<pre_shared_key> psk = std::nullopt) {
    if (peers_.size() >= max_peers)
      return fail("peer '" + std::string(name) + "' is one too many; accepted: " + std::to_string(max_peers) +
                  " permitted peers");
    auto id = peers_.add(name, key, std::move(psk));
    if (id) discovery_.peer_added(*id);
    return id;
  }
  /// Withdraws permission: the link is released, later codes leave the peer out, its keys are wiped.
  bool remove_peer(peer_id id, time_ms now, actions& out) {
    if (peers_.find(id) == nullptr) return false;
    links_.remove_peer(id, now, out);
    discovery_.peer_removed(id);
    return peers_.remove(id);
  }

  peer_table& peers() { return peers_; }
  const peer_table& peers() const { return peers_; }
  discovery_engine& discovery() { return discovery_; }
  link_engine& links() { return links_; }
  const link_engine& links() const { return links_; }

  /// Every layer-2 ID on which something may arrive now.
  void append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const { links_.append_own_l2_ids(now, out); }
  /// Of these, the ones with the only source that is heard there. What comes from another source can be a request (LCID
  /// 28) and nothing else.
  void append_own_l2_pairs(time_ms now, std::vector<l2_pair>& out) const { links_.append_own_l2_pairs(now, out); }

private:
  peer_table peers_;
  discovery_engine discovery_;
  link_engine links_;
};

}  // namespace prose::security
