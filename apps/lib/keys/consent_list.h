// The consent list: which peers its user permits through a server, and with which key. Servers supply keys and report
// whether the other side permits too. Names come from this file alone, and only the user changes a bound key. Without a
// file nobody is permitted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "common/result.h"
#include "security/types.h"

namespace prose::keys {

enum class consent_state : std::uint8_t {
  pending,      ///< granted; no key is accepted before the user confirms one
  trust_first,  ///< granted; the first key that a server gives is bound
  fingerprint,  ///< granted; the key whose fingerprint with one's own is `value` is bound once a server gives it
  first,        ///< bound to `value`, which was the first to come
  confirmed,    ///< bound to `value`, whose fingerprint the user compared
  suspended,    ///< was bound to `value`; a server told of another key since. Nothing goes to either until the user
                ///< confirms one
  withdrawn,    ///< nobody; kept so that servers can be told
};
std::string_view name_of(consent_state s);

struct consent {
  consent_state state = consent_state::pending;
  std::array<std::uint8_t, 32> value{};  ///< a key or a fingerprint, by state; else zero

  bool has_key() const {
    return state == consent_state::first || state == consent_state::confirmed || state == consent_state::suspended;
  }
  /// Whether a key may be in use.
  bool bound() const { return state == consent_state::first || state == consent_state::confirmed; }
  security::public_key key() const { return {value}; }
  friend bool operator==(const consent&, const consent&) = default;
};

struct consent_list {
  // Many times what one server may hold for a user. Bounds what a file can make us keep.
  static constexpr std::size_t max_entries = 4000;
  bool imported = false;  ///< `grant --from-cache` was run
  std::map<std::string, consent> entries;
  friend bool operator==(const consent_list&, const consent_list&) = default;
};

/// Strict. Line 1 is "# prose consent 1"; then "imported", comments (#), and NAME STATE [KEY or FINGERPRINT]: a key in
/// base64, a fingerprint as 64 digits of hex. Refused: another version, a name or a bound key that is there twice,
/// unknown words, a key that is not canonical. Errors are "FILE:LINE: what; accepted: ...".
result<consent_list> parse_consents(std::string_view text, const std::string& path);
std::string to_text(const consent_list& list);

/// Beside the private key, which all programs of one user know.
std::string default_consent_path(const std::string& private_key);
/// The file, a private one as in apps/lib/common/safe_file.h, or an empty list where there is none.
result<consent_list> read_consents(const std::string& path);
/// Reads, changes and writes the list under a lock (PATH.lock), since programs of the user and prose-ue write to it.
/// What `change` refuses stays unwritten, as does what it leaves as it was.
result<void> change_consents(const std::string& path, const std::function<result<void>(consent_list&)>& change);

/// 64 digits of hex, as prose-keys fingerprint prints them, with or without spaces.
result<std::array<std::uint8_t, 32>> fingerprint_from_text(std::string_view text);

}  // namespace prose::keys
