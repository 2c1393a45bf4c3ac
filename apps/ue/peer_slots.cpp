#include "apps/ue/peer_slots.h"

namespace prose::apps {

void peer_slots::add_peer(const std::string& name, security::peer_id peer) {
  if (peer != 0) slot_of_[peer] = slots_.size();
  slots_.push_back({name, peer});
}

void peer_slots::add_server(const std::string& name) {
  slots_.push_back({"server:" + name, 0, server_slots_.size()});
  server_slots_.push_back(slots_.size() - 1);
}

std::size_t peer_slots::permit(const std::string& name, security::peer_id peer) {
  std::size_t i = 0;
  while (i < slots_.size() && slots_[i].name != name) ++i;
  if (i == slots_.size()) slots_.push_back({name});
  slots_[i].peer = peer;
  slot_of_[peer] = i;
  return i;
}

std::optional<std::size_t> peer_slots::withdraw(security::peer_id peer) {
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i].peer == peer) {
      slots_[i].peer = 0;
      return i;
    }
  return std::nullopt;
}

std::string peer_slots::name_of(security::peer_id peer) const {
  const auto s = slot_of_.find(peer);
  return s == slot_of_.end() ? "?" : slots_[s->second].name;
}

}  // namespace prose::apps
