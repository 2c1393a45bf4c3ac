// Who is permitted now: what the user's consent list says, what the servers say, and the time since they said it. No
// I/O, no clock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/lib/function/store.h"
#include "apps/lib/keys/consent_list.h"
#include "common/result.h"
#include "security/types.h"

namespace prose::apps {

struct pc3_event {
  enum class kind : std::uint8_t {
    permitted,
    withdrawn,
    pending,
    expires,
    session,
    session_lost,
    refused,
    unwritten,
    unreadable,
    unlogged,
    data
  } what = kind::refused;
  std::string peer{};
  security::public_key key{};
  std::size_t server = 0;
  std::string text{};  ///< session: key fingerprint; pending, lost, refused, unwritten, unreadable, unlogged: why
  std::vector<std::uint8_t> octets{};
  std::int64_t seconds = 0;  ///< expires: until then
};

/// Three clocks, each with an origin of its own.
struct clock_reading {
  std::int64_t host_s = 0;  ///< the host's UTC; the user or anybody with root may set it
  std::int64_t slot_s = 0;  ///< the slot clock, which the radio's time may move
  std::int64_t steady_ms = 0;
};

/// What one server vouches for. It is valid until the host's clock or the slot clock has gone on by the validity since
/// `at`, each from its own reading; `advanced_s` is the most that either has, and never gets smaller.
struct server_statement {
  std::map<std::string, security::public_key> keys;
  std::int64_t host_s = 0, slot_s = 0, advanced_s = 0;
  friend bool operator==(const server_statement&, const server_statement&) = default;
};
/// A server's statement as a file, strict: line 1 "# prose statement 1", "at HOST SLOT", "advanced SECONDS", then NAME
/// KEY.
result<server_statement> parse_statement(std::string_view text, const std::string& path);
std::string to_text(const server_statement& s);

/// A name is permitted while the consent list binds it to a key and some server's valid statement gives that key for
/// it; and whoever is in `fixed`, the permission file, always. A server can neither add a name nor change a key: one
/// that gave the bound key and now gives another suspends it, until the user confirms one of them. At most
/// security::max_peers are permitted; who comes later waits for a place.
class permission_book {
public:
  using key_map = std::map<std::string, security::public_key>;
  // What a lying server can make us keep. Above these limits a name is not taken, a refusal not reported.
  static constexpr std::size_t max_peers_per_server = function::max_grants_per_user;
  static constexpr std::size_t max_told = 4 * max_peers_per_server;
  /// A peer that is permitted anew costs scalar multiplications, here and in the set-up. So each name is permitted at
  /// most once in this time, however often a grant is switched off and on. The end of a permission never waits.
  static constexpr std::int64_t permit_gap_ms = 5000;

  permission_book(std::string own_name, security::public_key own_key, const key_map& fixed, std::int64_t valid_s);
  void set_consents(const keys::consent_list& list);
  /// A change to what one server says of one peer, which is a statement about all; no key: the peer does not wish it.
  void update(std::size_t server, const std::string& peer, std::optional<security::public_key> key,
              const clock_reading& now);
  /// Several at once.
  void update(std::size_t server,
              const std::vector<std::pair<std::string, std::optional<security::public_key>>>& changes,
              const clock_reading& now);
  /// All that one server says.
  void replace(std::size_t server, const key_map& all, const clock_reading& now);
  /// Nothing has changed, says the server.
  void restate(std::size_t server, const clock_reading& now);
  /// A statement of an earlier run.
  void restore(std::size_t server, const server_statement& s, const clock_reading& now);
  /// Time goes on: statements end, and what waited for its turn gets it.
  void advance(const clock_reading& now);

  std::vector<pc3_event> take() { return std::exchange(out_, {}); }
  /// What the consent list is to say from now on: the key that was bound, or that a bound one is suspended. A key is in
  /// force only once set_consents() brings it back.
  std::map<std::string, keys::consent> bindings() const { return bindings_; }
  /// Keys that servers give for granted names and that nobody has accepted.
  const key_map& pending() const { return pending_; }
  /// What of a server's statement concerns granted names.
  server_statement granted_part(std::size_t server) const;
  const std::map<std::size_t, server_statement>& statements() const { return said_; }
  /// Seconds until the server's statement ends; 0: it has.
  std::int64_t left_s(std::size_t server) const;
  /// Names that were withdrawn and that a server may still believe granted.
  std::set<std::string> withdrawn() const;

private:
  /// What all statements and lists together say of keys and names.
  struct offers {
    std::map<security::public_key, std::string> owners;  // of the keys that the lists know
    std::set<std::string> unclear;                       // given with two keys, or with the key of another name
    std::set<std::string> vouched;                       // a valid statement gives the key that the list binds
  };
  void settle();
  offers compare_offers() const;
  void judge(std::size_t server, const server_statement& s, const std::string& name, const security::public_key& key,
             offers& o);
  void bind_or_wait(std::size_t server, const server_statement& s, const std::string& name,
                    const security::public_key& key, const keys::consent& c, offers& o);
  bool in_force(const std::string& name, const security::public_key& key) const;
  void put_in_force(const std::set<std::string>& vouched);
  void set_key(std::size_t server, const std::string& peer, const std::optional<security::public_key>& key);
  void age(const clock_reading& now);
  void refuse(std::size_t server, const std::string& name, const security::public_key& key, const std::string& why);
  bool valid(const server_statement& s) const { return s.advanced_s < valid_s_; }
  std::string own_name_;
  security::public_key own_key_;
  key_map fixed_, pending_, effective_;
  std::int64_t valid_s_;
  keys::consent_list list_;
  std::map<std::string, keys::consent> bindings_;
  std::map<std::size_t, server_statement> said_;
  std::map<std::string, std::int64_t> not_before_ms_;
  std::set<std::string> told_, warned_;
  clock_reading now_;
  bool waits_ = false;
  std::vector<pc3_event> out_;
};

}  // namespace prose::apps
