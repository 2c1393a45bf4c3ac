// A stolen UE: everything that its files hold (key file, permissions, key log), and every key that the product derives
// from them.
#pragma once

#include <string>
#include <vector>

#include "apps/lib/keys/system_random.h"
#include "security/crypto/x25519.h"
#include "security/export.h"
#include "security/ue_security.h"
#include "tests/adversary/town.h"
#include "tests/security/mary_search.h"

namespace prose::adversary {

class thief {
public:
  /// `identity` names the files; the key log is that of the process `process` (the same name where empty).
  thief(const town& t, const std::string& identity, const std::string& process = "");

  security::ue_security& state() const { return *security_; }
  const security::peer& with(const std::string& name) const;
  const security::public_key& own() const { return security_->peers().own_public(); }
  /// Lines of the key log as they are now, oldest first.
  std::vector<security::logged_key> log() const;
  /// Static, shared and pair keys, and the record keys and IVs of the log lines from `first_line` on.
  std::vector<security::stolen_secret> secrets(std::size_t first_line = 0) const;
  security::ports ports() { return {random_, dh_}; }

private:
  std::string keylog_;
  keys::system_random random_;
  security::crypto::mbedtls_x25519 dh_{random_};
  std::unique_ptr<security::ue_security> security_;
};

/// Is it a record (LCID 1..10 or 30), and does this key open it?
bool is_record(const message& m);
bool opens(const security::logged_key& k, const message& m);
/// For the search of tests/security. PC5-S messages lose their PDCP header, as the security sublayer sees them.
security::test::frame to_frame(const message& m);
security::bytes_view pc5s(const message& m);  ///< of LCID 28 and 29, after the PDCP header
message as_message(std::uint32_t src, std::uint32_t dst, std::uint8_t lcid, security::bytes_view pc5s_message);

}  // namespace prose::adversary
