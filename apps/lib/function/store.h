// What the ProSe Function remembers: who is registered with which key, who permits whom, and what has changed for each
// user. What a call has returned from is on disk: SQLite in WAL mode with full synchronisation (store.cpp), or
// PostgreSQL with synchronous_commit (postgres_store.cpp).
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

/// Kinds of a user's budget.
enum class budget : std::uint8_t { requests, packets };

/// One thread. Every call is one transaction; an error means that the database failed and nothing of the call is kept,
/// or, where recovers(), that its connection was lost: then nobody knows whether the call is kept, but never a part of
/// it. A full disk is only a refusal: nothing was changed, reads continue, and so do writes once there is room.
class store {
public:
  /// A file of SQLite, or postgresql://[USER@]HOST[:PORT]/DATABASE[?...]: what libpq takes, but no password in it.
  /// Errors never have the text of such a URL.
  static result<std::unique_ptr<store>> open(const std::string& where);
  /// What open() would refuse of the file, as far as its first page and its folder tell; of a URL its form alone.
  /// look_only() comes first: then nothing is made or changed.
  static result<void> check(const std::string& where);
  virtual ~store() = default;

  /// `account` is the authenticated client. An account has one user name for good, a name one account, a key one name.
  /// The same registration again changes nothing. Another key for the name is taken only with `replace`, and then
  /// counts as a change for everybody who is mutually permitted. A replaced key is never accepted again, for any name:
  /// its device may be in other hands.
  virtual result<refusal> register_user(const std::string& account, const std::string& name, const public_key& key,
                                        bool replace) = 0;
  /// As the operator decides instead of the account: another key for a name that is registered.
  virtual result<refusal> replace_key(const std::string& name, const public_key& key) = 0;
  /// Whether anybody may have news that take_changed_users() does not tell: another process changed the file since the
  /// last call, or a lost connection was made anew.
  virtual bool changed_elsewhere() = 0;
  /// User name of an account; empty when it has not registered.
  virtual result<std::string> name_of(const std::string& account) = 0;
  /// Whether `peer` exists or has granted too does not show in the answer, nor in the work but for what it costs to
  /// read a row that is there.
  virtual result<refusal> grant(const std::string& name, const std::string& peer) = 0;
  virtual result<refusal> withdraw(const std::string& name, const std::string& peer) = 0;
  virtual result<std::vector<std::string>> granted_by(const std::string& name) = 0;
  virtual result<std::vector<mutual_peer>> mutual_peers(const std::string& name) = 0;
  /// At most `limit` changes after version `since`, oldest first; of each peer only the last one is kept, so that all
  /// of them together, from 0 on, give the present state.
  virtual result<std::vector<change>> changes(const std::string& name, std::int64_t since, int limit) = 0;
  /// Users with changes recorded since the last call of this function, for waking those who wait: by this process, and
  /// where shared() by all.
  virtual std::vector<std::string> take_changed_users() = 0;
  /// How a commit is kept, as it is in force: "wal 2" (SQLite's journal mode and level of synchronisation), or
  /// PostgreSQL's synchronous_commit.
  virtual std::string durability() = 0;

  // --- what only a server of a database has, with several instances of prose-function on it ---

  /// Whether limits hold over all instances, with the calls below. They do nothing on a file.
  virtual bool shared() const { return false; }
  /// Whether the connection can be lost and come back: then no error of a call is the end.
  virtual bool recovers() const { return shared(); }
  /// Whether there is a connection.
  virtual bool connected() const { return true; }
  /// Readable when take_changed_users() or take_ended() may have something; -1: never, or no connection.
  virtual int socket() const { return -1; }
  /// Makes a lost connection anew when it is time to, and clears up; to be called some ten times a second. True: there
  /// is a new connection, socket() is another one, and all sessions are forgotten.
  virtual bool tend() { return false; }
  /// Up to `wanted` of a user's budget, which grows by `rate` a second up to `capacity` over all instances.
  virtual result<int> take(const std::string&, budget, double /*rate*/, double /*capacity*/, int wanted) {
    return wanted;
  }
  /// An authenticated connection of this instance. A user's oldest ones beyond `most` end, wherever they are.
  virtual result<void> enter(const std::string& /*account*/, std::int64_t /*session*/, int /*most*/) { return {}; }
  virtual void leave(std::int64_t /*session*/) {}
  /// All of the user's other connections end, wherever they are.
  virtual result<void> end_others(const std::string& /*account*/, std::int64_t /*session*/) { return {}; }
  /// Sessions of this instance that are to end.
  virtual std::vector<std::int64_t> take_ended() { return {}; }
};

/// Copies everything of a file of SQLite, on which no server runs, into an empty store of PostgreSQL, in one
/// transaction. Versions stay, so that UEs go on where they were.
struct migrated {
  std::int64_t users = 0, permissions = 0, changes = 0, replaced = 0;
};
result<migrated> migrate(const std::string& file, const std::string& url);

}  // namespace prose::function
