// The slots of the data port: each belongs to a peer, permitted or not, or to a server.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "security/types.h"

namespace prose::apps {

/// Slots are numbered from 0 and never removed: a peer that is permitted again has the same slot as before.
class peer_slots {
public:
  /// `peer` 0: not permitted yet.
  void add_peer(const std::string& name, security::peer_id peer);
  /// Servers are numbered in the order of the calls. The slot's name is "server:NAME".
  void add_server(const std::string& name);
  /// The peer is permitted under this ID; a name without a slot gets one. Returns the slot.
  std::size_t permit(const std::string& name, security::peer_id peer);
  /// Returns the slot that the peer had, if it was permitted.
  std::optional<std::size_t> withdraw(security::peer_id peer);

  std::size_t size() const { return slots_.size(); }
  const std::string& name(std::size_t slot) const { return slots_[slot].name; }
  /// 0: a server, or a peer that is not permitted now.
  security::peer_id peer(std::size_t slot) const { return slots_[slot].peer; }
  std::optional<std::size_t> server(std::size_t slot) const { return slots_[slot].server; }
  /// The slot of a peer that is or was permitted.
  std::size_t slot_of(security::peer_id peer) const { return slot_of_.at(peer); }
  std::size_t slot_of_server(std::size_t server) const { return server_slots_.at(server); }
  const std::vector<std::size_t>& server_slots() const { return server_slots_; }
  /// "?": a peer that was never permitted.
  std::string name_of(security::peer_id peer) const;

private:
  struct entry {
    std::string name;
    security::peer_id peer = 0;
    std::optional<std::size_t> server{};
  };
  std::vector<entry> slots_;
  std::vector<std::size_t> server_slots_;             // by server
  std::map<security::peer_id, std::size_t> slot_of_;  // kept after a withdrawal: later events still name the peer
};

}  // namespace prose::apps
