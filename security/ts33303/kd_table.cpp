#include "security/ts33303/kd_table.h"

#include <array>

namespace prose::security::ts33303 {

result<kd_table> kd_table::make(std::map<std::string, shared_kd, std::less<>> of_peer) {
  for (auto a = of_peer.begin(); a != of_peer.end(); ++a) {
    // What is left where a KD was never set. Everybody knows it.
    constexpr std::array<std::uint8_t, kd_key::octets> zeros{};
    if (equal_constant_time(a->second.kd.expose(), zeros)) return fail("peer '" + a->first + "' has a KD of zeros");
    for (auto b = std::next(a); b != of_peer.end(); ++b) {
      const std::string both = "peers '" + a->first + "' and '" + b->first + "' have the same ";
      if (equal_constant_time(a->second.kd.expose(), b->second.kd.expose()))
        return fail(both + "KD; each peer needs a KD of its own");
      if (a->second.id == b->second.id) return fail(both + "KD ID; each KD needs an ID of its own");
    }
  }
  return kd_table(std::move(of_peer));
}

const shared_kd* kd_table::of_peer(std::string_view peer) const {
  const auto found = of_peer_.find(peer);
  return found == of_peer_.end() ? nullptr : &found->second;
}

const shared_kd* kd_table::of_request(std::string_view peer, std::uint32_t kd_id) const {
  const auto* kd = of_peer(peer);
  return kd != nullptr && kd->id == kd_id ? kd : nullptr;
}

}  // namespace prose::security::ts33303
