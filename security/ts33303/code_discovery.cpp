#include "security/ts33303/code_discovery.h"

#include <algorithm>
#include <utility>

namespace prose::security::ts33303 {
namespace {
code_filter whole(const restricted_code& code) {
  code_filter f{code, {}};
  f.mask.fill(0xff);
  return f;
}
}  // namespace

secured_code make_code(random_port& random) {
  const auto fill = [&random](auto out) { random.fill(out); };
  secured_code c;
  random.fill(c.code);
  c.keys.dusk = scrambling_key::make(fill);
  c.keys.duik = discovery_integrity_key::make(fill);
  c.keys.duck = discovery_confidentiality_key::make(fill);
  c.keys.encrypted_bits.fill(0xff);
  return c;
}

result<code_discovery> code_discovery::make(secured_code own, code_map of_peers, peer_table& peers,
                                            discovery_engine& engine) {
  if (!own.keys.duik) return fail("the own code has no DUIK");
  for (auto a = of_peers.begin(); a != of_peers.end(); ++a) {
    if (!a->second.keys.duik) return fail("the code of '" + a->first + "' has no DUIK");
    if (a->second.code == own.code) return fail("'" + a->first + "' has this UE's own code");
    for (auto b = std::next(a); b != of_peers.end(); ++b)
      if (a->second.code == b->second.code) return fail("'" + a->first + "' and '" + b->first + "' have the same code");
  }
  return code_discovery(std::move(own), std::move(of_peers), peers, engine);
}

std::span<const discovery_pdu> code_discovery::announcements(time_ms now) {
  // The engine notes that each peer may now send a Request.
  if (engine_->announcements(now).empty()) return {};
  const slot_t t = *engine_->clock().now();
  if (current_slot_ != t) {
    current_ = protect_discovery(discovery_type::announcement, own_.code, own_.keys, t, peers_->ports_used().random);
    current_slot_ = t;
  }
  return {&current_, 1};
}

std::optional<discovery_event> code_discovery::receive(std::span<const std::uint8_t, discovery_octets> pdu,
                                                       time_ms now) {
  const auto own = engine_->clock().now();
  if (!own || pdu[0] != static_cast<std::uint8_t>(discovery_type::announcement)) return std::nullopt;
  for (const auto& [name, code] : of_peers_) {
    const auto opened = open_discovery(pdu, code.keys, whole(code.code), *own);
    if (!opened) continue;
    const auto* p = peers_->find(std::string_view(name));
    if (p == nullptr) return std::nullopt;
    return engine_->receive(make_discovery(discovery_type::announcement, p->theirs, opened->counter), now);
  }
  return std::nullopt;
}

}  // namespace prose::security::ts33303
