// Who a UE is and whom its files permit: own key, slot mark, peers, and the security sublayer made of them.
#pragma once

#include <memory>

#include "apps/lib/keys/system_random.h"
#include "apps/ue/peer_slots.h"
#include "apps/ue/program_config.h"
#include "apps/ue/work_thread.h"
#include "common/result.h"
#include "mac/link_cover.h"
#include "mac/security_adapter.h"
#include "mac/ts33303_adapter.h"
#include "security/crypto/x25519.h"
#include "security/ts33303/direct_links.h"
#include "security/ue_security.h"

namespace prose::apps {

class ue_identity {
public:
  /// Reads the files and gives each peer and each server a slot. Nothing is written. The error is one line.
  result<void> open(const program_config& config, peer_slots& slots);

  security::ue_security& security() { return *security_; }
  const security::ue_security& security() const { return *security_; }
  /// With the links of the configured profile. Of ltesl it is cover().
  mac::security_port& port() { return *port_; }
  const mac::security_port& port() const { return *port_; }
  /// With link.cover 0 it only reads the cells of others. Profile ts33303 does without.
  const mac::link_cover& cover() const { return *cover_; }
  std::uint64_t dropped(security::drop_reason why) const;
  /// Released links whose peers have not accepted yet.
  std::size_t closing() const;
  security::random_port& random() { return random_; }

private:
  result<void> make_security(const program_config& config);
  result<void> permit_peers(const program_config& config, peer_slots& slots);
  result<void> make_direct_links(const program_config& config);
  result<void> make_codes(const program_config& config);
  result<void> check_names(const program_config& config) const;

  keys::system_random random_;
  security::crypto::mbedtls_x25519 dh_{random_};
  work_thread work_;
  std::unique_ptr<security::ue_security> security_;
  std::unique_ptr<mac::security_adapter> adapter_;
  std::unique_ptr<mac::link_cover> cover_;
  std::unique_ptr<security::ts33303::direct_links> direct_links_;  // profile ts33303 alone, with
  std::unique_ptr<security::ts33303::code_discovery> codes_;       // null: discovery of the default profile
  std::unique_ptr<mac::ts33303_adapter> direct_adapter_;
  mac::security_port* port_ = nullptr;
};

}  // namespace prose::apps
