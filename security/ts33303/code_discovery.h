// Restricted discovery of a UE with codes of TS 33.303 6.1 (discovery.h), model A, in the place of the default
// profile's. An approximation, like that one: the UE has one code that it announces to all its monitors, and the codes
// of its peers with their keys. How a ProSe Function hands them out is not built.
//
// NOT 3GPP: the default profile's engine keeps the clock, remembers what was heard, and gives the layer-2 ID at which a
// peer's Request is taken. A message under a peer's code counts as that peer's announcement of the same second, so it
// is taken once, and only within the engine's window. The standard's own rules know neither.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "security/discovery.h"
#include "security/ts33303/discovery.h"

namespace prose::security::ts33303 {

/// A code with all three keys; DUCK hides all of it.
struct secured_code {
  restricted_code code{};
  code_security keys;
};
/// The code, and its keys where `random` gives them.
secured_code make_code(random_port& random);

class code_discovery {
public:
  using code_map = std::map<std::string, secured_code, std::less<>>;
  /// Both outlive it. Refused, with the names: one code for two peers, or that of a peer for oneself; a code without a
  /// DUIK, as nobody but the ProSe Function could tell a forgery.
  static result<code_discovery> make(secured_code own, code_map of_peers, peer_table& peers, discovery_engine& engine);

  /// One message, the same within a second; none where the engine announces none.
  std::span<const discovery_pdu> announcements(time_ms now);
  /// peer_heard, or nothing. Each message costs a few HMACs for each code that is looked for.
  std::optional<discovery_event> receive(std::span<const std::uint8_t, discovery_octets> pdu, time_ms now);

private:
  code_discovery(secured_code own, code_map of_peers, peer_table& peers, discovery_engine& engine)
      : own_(std::move(own)), of_peers_(std::move(of_peers)), peers_(&peers), engine_(&engine) {}
  secured_code own_;
  code_map of_peers_;
  peer_table* peers_;
  discovery_engine* engine_;
  discovery_pdu current_{};
  std::optional<slot_t> current_slot_;
};

}  // namespace prose::security::ts33303
