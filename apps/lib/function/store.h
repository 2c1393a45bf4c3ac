// What the ProSe Function remembers: who is registered with which key, who permits whom, and what has changed for each
// user. SQLite in WAL mode with full synchronisation: what a call has returned from is on disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "security/types.h"

namespace prose::function {

using security::public_key;

/// The most grants that one user may have open, and so the most that a store holds for it.
inline constexpr int max_grants_per_user = 1000;
inline constexpr std::size_t max_name_bytes = 64;

/// 1 to 64 of a-z A-Z 0-9 . _ -: what a user may be called.
bool valid_name(const std::string& name);

enum class refusal : std::uint8_t {
  none,
  bad_name,
  name_taken,
  key_taken,
  key_replaced,
  not_registered,
  too_many,
  disk_full
};

/// A mutual permission that began, ended, or whose key was replaced, as one of the two sides sees it.
struct change {
  std::int64_t version = 0;  ///< counts this user's changes from 1
  std::string peer;
  bool permitted = false;
  public_key key{};  ///< the peer's, when permitted
};

struct mutual_peer {
  std::string name;
  public_key key{};
};

/// One thread. Every call is one transaction; an error means that the database failed and nothing of the call is kept.
/// A full disk is only a refusal: nothing was changed, reads continue, and so do writes once there is room.
class store {
public:
  static result<store> open(const std::string& path);
  /// What open() would refuse of the file, as far as its first page and its folder tell. look_only() comes first: then
  /// nothing is made or changed.
  static result<void> check(const std::string& path);
  store(store&&) noexcept;
  store& operator=(store&&) noexcept;
  ~store();

  /// `account` is the authenticated client. An account has one user name for good, a name one account, a key one name.
  /// The same registration again changes nothing. Another key for the name is taken only with `replace`, and then
  /// counts as a change for everybody who is mutually permitted. A replaced key is never accepted again, for any name:
  /// its device may be in other hands.
  result<refusal> register_user(const std::string& account, const std::string& name, const public_key& key,
                                bool replace);
  /// As the operator decides instead of the account: another key for a name that is registered.
  result<refusal> replace_key(const std::string& name, const public_key& key);
  /// Whether another process changed the store since the last call: then anybody may have news.
  bool changed_elsewhere();
  /// User name of an account; empty when it has not registered.
  result<std::string> name_of(const std::string& account) const;
  /// Whether `peer` exists or has granted too does not show in the answer, nor in the work but for what it costs to
  /// read a row that is there.
  result<refusal> grant(const std::string& name, const std::string& peer);
  result<refusal> withdraw(const std::string& name, const std::string& peer);
  result<std::vector<std::string>> granted_by(const std::string& name) const;
  result<std::vector<mutual_peer>> mutual_peers(const std::string& name) const;
  /// At most `limit` changes after version `since`, oldest first; of each peer only the last one is kept, so that all
  /// of them together, from 0 on, give the present state.
  result<std::vector<change>> changes(const std::string& name, std::int64_t since, int limit) const;
  /// Users with changes recorded since the last call of this function, for waking those who wait.
  std::vector<std::string> take_changed_users();
  /// SQLite's journal mode and level of synchronisation as they are in force: "wal 2".
  std::string durability() const;

private:
  struct state;
  explicit store(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::function
