#include "apps/lib/function/store.h"

#include <fcntl.h>
#include <sqlite3.h>

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <set>
#include <string_view>
#include <utility>

#include "apps/lib/common/safe_file.h"
#include "apps/lib/function/postgres.h"
#include "common/hex.h"

namespace prose::function {
namespace {

constexpr int newest_version = 1;  // PRAGMA user_version; 0: made by 0.1, the same tables
constexpr const char* schema = R"sql(
CREATE TABLE IF NOT EXISTS user(account TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, key BLOB NOT NULL UNIQUE) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS permission(granter TEXT NOT NULL, peer TEXT NOT NULL, PRIMARY KEY(granter, peer)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS change(name TEXT NOT NULL, version INTEGER NOT NULL, peer TEXT NOT NULL, permitted INTEGER NOT NULL,
                                  key BLOB NOT NULL, PRIMARY KEY(name, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replaced(key BLOB PRIMARY KEY) WITHOUT ROWID;
)sql";

// A prepared statement for one use; bindings count from 1 in the order they are added.
class statement {
public:
  statement(sqlite3* db, const char* sql) : db_(db) {
    if (sqlite3_prepare_v2(db, sql, -1, &s_, nullptr) != SQLITE_OK) s_ = nullptr;
  }
  ~statement() { sqlite3_finalize(s_); }
  statement(const statement&) = delete;
  statement& operator=(const statement&) = delete;

  statement& bind(const std::string& text) {
    sqlite3_bind_text(s_, ++n_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
  }
  statement& bind(std::int64_t v) {
    sqlite3_bind_int64(s_, ++n_, v);
    return *this;
  }
  statement& bind(const public_key& k) {
    sqlite3_bind_blob(s_, ++n_, k.octets.data(), static_cast<int>(k.octets.size()), SQLITE_TRANSIENT);
    return *this;
  }
  // SQLITE_ROW, SQLITE_DONE or an error code.
  int step() { return s_ == nullptr ? sqlite3_errcode(db_) : sqlite3_step(s_); }
  std::string text(int column) const {
    const auto* p = reinterpret_cast<const char*>(sqlite3_column_text(s_, column));
    return p == nullptr ? "" : std::string(p, sqlite3_column_bytes(s_, column));
  }
  std::int64_t integer(int column) const { return sqlite3_column_int64(s_, column); }
  public_key key(int column) const {
    public_key k{};
    const auto* p = static_cast<const std::uint8_t*>(sqlite3_column_blob(s_, column));
    if (p != nullptr && sqlite3_column_bytes(s_, column) == static_cast<int>(k.octets.size()))
      std::copy_n(p, k.octets.size(), k.octets.begin());
    return k;
  }

private:
  sqlite3* db_;
  sqlite3_stmt* s_ = nullptr;
  int n_ = 0;
};

}  // namespace

bool valid_name(const std::string& name) {
  constexpr std::string_view accepted = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= max_name_bytes && name.find_first_not_of(accepted) == std::string::npos;
}

namespace {

class sqlite_store final : public store {
public:
  struct state;
  explicit sqlite_store(std::unique_ptr<state> s);
  ~sqlite_store() override;
  static result<std::unique_ptr<store>> open(const std::string& path);
  static result<void> check(const std::string& path);

  result<refusal> register_user(const std::string& account, const std::string& name, const public_key& key,
                                bool replace) override;
  result<refusal> replace_key(const std::string& name, const public_key& key) override;
  bool changed_elsewhere() override;
  result<std::string> name_of(const std::string& account) override;
  result<refusal> grant(const std::string& name, const std::string& peer) override;
  result<refusal> withdraw(const std::string& name, const std::string& peer) override;
  result<std::vector<std::string>> granted_by(const std::string& name) override;
  result<std::vector<mutual_peer>> mutual_peers(const std::string& name) override;
  result<std::vector<change>> changes(const std::string& name, std::int64_t since, int limit) override;
  std::vector<std::string> take_changed_users() override;
  std::string durability() override;
  /// Everything, for another store. The file is taken out of WAL mode, which fails while anybody else has it open.
  result<migrated> dump(store_dump& out);

private:
  std::unique_ptr<state> s_;
};

struct sqlite_store::state {
  sqlite3* db = nullptr;
  std::string path;
  std::string data_version;
  std::set<std::string> changed;          // committed, not yet taken
  std::set<std::string> changed_pending;  // of the open transaction

  ~state() { sqlite3_close(db); }

  tl::unexpected<error> failed() const { return fail(path + ": " + sqlite3_errmsg(db)); }

  // First column of the first row; empty when there is none.
  std::string value(const char* sql) const {
    statement s(db, sql);
    return s.step() == SQLITE_ROW ? s.text(0) : "";
  }

  result<std::string> version() const {
    std::string version = value("PRAGMA user_version");
    if (version.empty()) return failed();
    if (version.size() > 1 || version[0] - '0' > newest_version)
      return fail("store '" + path + "': version " + version + ", made by a newer program; accepted: up to " +
                  std::to_string(newest_version));
    return version;
  }

  bool run(const char* sql) { return sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK; }

  // Runs `work` (result<T>) in a transaction that is kept only when it gives a value.
  template <class Work>
  auto transaction(Work&& work) -> decltype(work()) {
    changed_pending.clear();
    if (!run("BEGIN IMMEDIATE")) return failed();
    auto r = work();
    if (!r || !run("COMMIT")) {
      auto e = r ? failed() : tl::unexpected<error>(r.error());
      const int code = sqlite3_extended_errcode(db);
      run("ROLLBACK");
      if (code == SQLITE_FULL || code == SQLITE_IOERR_WRITE) return refusal::disk_full;
      return e;
    }
    changed.merge(changed_pending);
    return r;
  }

  result<bool> exists(statement&& s) const {
    const int code = s.step();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return failed();
    return code == SQLITE_ROW;
  }

  result<void> add_change(const std::string& name, const std::string& peer, bool permitted, const public_key& key) {
    statement s(db,
                "INSERT INTO change(name, version, peer, permitted, key)"
                " SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, ?4 FROM change WHERE name = ?1");
    s.bind(name).bind(peer).bind(std::int64_t{permitted}).bind(key);
    if (s.step() != SQLITE_DONE) return failed();
    // Only the last change of each peer matters. This bounds what a user can make the store grow by.
    statement old(db,
                  "DELETE FROM change WHERE name = ?1 AND peer = ?2"
                  " AND version < (SELECT max(version) FROM change WHERE name = ?1)");
    if (old.bind(name).bind(peer).step() != SQLITE_DONE) return failed();
    changed_pending.insert(name);
    return {};
  }

  // Key of a registered name.
  result<std::vector<public_key>> key_of(const std::string& name) const {
    statement s(db, "SELECT key FROM user WHERE name = ?");
    const int code = s.bind(name).step();
    if (code == SQLITE_ROW) return std::vector<public_key>{s.key(0)};
    if (code == SQLITE_DONE) return std::vector<public_key>{};
    return failed();
  }

  result<bool> permits(const std::string& granter, const std::string& peer) const {
    return exists(
        std::move(statement(db, "SELECT 1 FROM permission WHERE granter = ? AND peer = ?").bind(granter).bind(peer)));
  }
};

sqlite_store::sqlite_store(std::unique_ptr<state> s) : s_(std::move(s)) {}
sqlite_store::~sqlite_store() = default;

bool is_no_file(const std::string& path) { return path.empty() || path == ":memory:"; }
tl::unexpected<error> nothing_kept(const std::string& path) {
  return fail("store '" + path + "': nothing would be kept there; accepted is a file on a local disk");
}

/// SQLite's name of a file that is only read, and that it makes no file beside.
std::string immutable_name(const std::string& path) {
  std::string out = "file:";
  for (const char c : path) {
    char escaped[4];
    std::snprintf(escaped, sizeof escaped, "%%%02x", static_cast<unsigned char>(c));
    out += escaped;
  }
  return out + "?immutable=1";
}

/// Who permits whom is read by nobody else. SQLite gives its journals the mode of the database.
result<void> claim(const std::string& path) {
  if (is_no_file(path)) return {};  // refused later, with the reason
  if (apps::is_absent(path)) {
    if (auto ok = apps::create_private_file(path, ""); ok || apps::is_absent(path)) return ok;
  }
  const auto held = apps::open_private_file(path, O_RDWR);
  if (!held) return tl::unexpected<error>(held.error());
  return {};
}

result<std::unique_ptr<store>> sqlite_store::open(const std::string& path) {
  auto s = std::make_unique<state>();
  s->path = path;
  if (auto ok = claim(path); !ok) return tl::unexpected<error>(ok.error());
  if (sqlite3_open_v2(path.c_str(), &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                      nullptr) != SQLITE_OK)
    return s->failed();
  sqlite3_busy_timeout(s->db, 2000);
  // FULL: a commit that returned survives a power failure, not only a killed process.
  // SQLite answers with the mode that is in force: a database in memory has no WAL, and
  // SQLite reports no error.
  const std::string mode = s->value("PRAGMA journal_mode = WAL");
  if (mode.empty()) return s->failed();
  if (mode != "wal") return nothing_kept(path);
  const auto version = s->version();
  if (!version) return tl::unexpected<error>(version.error());
  if (!s->run("PRAGMA synchronous = FULL") || !s->run(schema)) return s->failed();
  if ((*version)[0] - '0' < newest_version &&
      !s->run(("PRAGMA user_version = " + std::to_string(newest_version)).c_str()))
    return s->failed();
  return std::make_unique<sqlite_store>(std::move(s));
}

result<void> sqlite_store::check(const std::string& path) {
  if (is_no_file(path)) return nothing_kept(path);
  const auto claimed = claim(path);
  if (!claimed || apps::is_absent(path)) return claimed;
  state s;
  s.path = path;
  if (sqlite3_open_v2(immutable_name(path).c_str(), &s.db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                      nullptr) != SQLITE_OK)
    return s.failed();
  if (auto version = s.version(); !version) return tl::unexpected<error>(version.error());
  return {};
}

std::string sqlite_store::durability() {
  return s_->value("PRAGMA journal_mode") + " " + s_->value("PRAGMA synchronous");
}

result<std::string> sqlite_store::name_of(const std::string& account) {
  statement s(s_->db, "SELECT name FROM user WHERE account = ?");
  const int code = s.bind(account).step();
  if (code == SQLITE_ROW) return s.text(0);
  if (code == SQLITE_DONE) return std::string();
  return s_->failed();
}

result<refusal> sqlite_store::register_user(const std::string& account, const std::string& name, const public_key& key,
                                            bool replace) {
  if (!valid_name(name)) return refusal::bad_name;
  return s_->transaction([&]() -> result<refusal> {
    statement mine(s_->db, "SELECT name, key FROM user WHERE account = ?");
    const int code = mine.bind(account).step();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return s_->failed();
    const bool registered = code == SQLITE_ROW;
    if (registered && mine.text(0) != name) return refusal::name_taken;
    if (registered && mine.key(1) == key) return refusal::none;
    auto key_used = s_->exists(std::move(statement(s_->db, "SELECT 1 FROM user WHERE key = ?").bind(key)));
    if (!key_used) return tl::unexpected<error>(key_used.error());
    if (*key_used) return refusal::key_taken;
    auto replaced = s_->exists(std::move(statement(s_->db, "SELECT 1 FROM replaced WHERE key = ?").bind(key)));
    if (!replaced) return tl::unexpected<error>(replaced.error());
    if (*replaced) return refusal::key_replaced;
    if (!registered) {
      auto name_used = s_->exists(std::move(statement(s_->db, "SELECT 1 FROM user WHERE name = ?").bind(name)));
      if (!name_used) return tl::unexpected<error>(name_used.error());
      if (*name_used) return refusal::name_taken;
      statement insert(s_->db, "INSERT INTO user(account, name, key) VALUES(?, ?, ?)");
      if (insert.bind(account).bind(name).bind(key).step() != SQLITE_DONE) return s_->failed();
    } else {
      if (!replace) return refusal::key_taken;
      statement old(s_->db, "INSERT INTO replaced(key) VALUES(?)");
      if (old.bind(mine.key(1)).step() != SQLITE_DONE) return s_->failed();
      statement update(s_->db, "UPDATE user SET key = ? WHERE account = ?");
      if (update.bind(key).bind(account).step() != SQLITE_DONE) return s_->failed();
    }
    // Grants may have been waiting for this name, and mutual peers must hear of a new key.
    auto peers = mutual_peers(name);
    if (!peers) return tl::unexpected<error>(peers.error());
    for (const auto& p : *peers) {
      if (auto ok = s_->add_change(p.name, name, true, key); !ok) return tl::unexpected<error>(ok.error());
      if (registered) continue;
      if (auto ok = s_->add_change(name, p.name, true, p.key); !ok) return tl::unexpected<error>(ok.error());
    }
    return refusal::none;
  });
}

result<refusal> sqlite_store::replace_key(const std::string& name, const public_key& key) {
  statement s(s_->db, "SELECT account FROM user WHERE name = ?");
  const int code = s.bind(name).step();
  if (code == SQLITE_DONE) return refusal::not_registered;
  if (code != SQLITE_ROW) return s_->failed();
  return register_user(s.text(0), name, key, true);
}

bool sqlite_store::changed_elsewhere() {
  const auto version = s_->value("PRAGMA data_version");
  return !version.empty() && std::exchange(s_->data_version, version) != version;
}

result<refusal> sqlite_store::grant(const std::string& name, const std::string& peer) {
  if (!valid_name(peer) || peer == name) return refusal::bad_name;
  return s_->transaction([&]() -> result<refusal> {
    const auto own_key = s_->key_of(name);
    const auto peer_key = s_->key_of(peer);
    const auto already = s_->permits(name, peer);
    const auto returned = s_->permits(peer, name);
    if (!own_key || !peer_key || !already || !returned) return s_->failed();
    if (own_key->empty()) return refusal::not_registered;
    if (*already) return refusal::none;
    statement count(s_->db, "SELECT count(*) FROM permission WHERE granter = ?");
    if (count.bind(name).step() != SQLITE_ROW) return s_->failed();
    if (count.integer(0) >= max_grants_per_user) return refusal::too_many;
    statement insert(s_->db, "INSERT INTO permission(granter, peer) VALUES(?, ?)");
    if (insert.bind(name).bind(peer).step() != SQLITE_DONE) return s_->failed();
    if (*returned && !peer_key->empty()) {
      for (auto& ok :
           {s_->add_change(name, peer, true, peer_key->front()), s_->add_change(peer, name, true, own_key->front())})
        if (!ok) return tl::unexpected<error>(ok.error());
    }
    return refusal::none;
  });
}

result<refusal> sqlite_store::withdraw(const std::string& name, const std::string& peer) {
  if (!valid_name(peer)) return refusal::bad_name;
  return s_->transaction([&]() -> result<refusal> {
    const auto own_key = s_->key_of(name);
    const auto peer_key = s_->key_of(peer);
    const auto given = s_->permits(name, peer);
    const auto returned = s_->permits(peer, name);
    if (!own_key || !peer_key || !given || !returned) return s_->failed();
    if (own_key->empty()) return refusal::not_registered;
    statement remove(s_->db, "DELETE FROM permission WHERE granter = ? AND peer = ?");
    if (remove.bind(name).bind(peer).step() != SQLITE_DONE) return s_->failed();
    if (*given && *returned && !peer_key->empty()) {
      for (auto& ok : {s_->add_change(name, peer, false, {}), s_->add_change(peer, name, false, {})})
        if (!ok) return tl::unexpected<error>(ok.error());
    }
    return refusal::none;
  });
}

result<std::vector<std::string>> sqlite_store::granted_by(const std::string& name) {
  statement s(s_->db, "SELECT peer FROM permission WHERE granter = ? ORDER BY peer");
  s.bind(name);
  std::vector<std::string> out;
  int code = 0;
  while ((code = s.step()) == SQLITE_ROW) out.push_back(s.text(0));
  if (code != SQLITE_DONE) return s_->failed();
  return out;
}

result<std::vector<mutual_peer>> sqlite_store::mutual_peers(const std::string& name) {
  statement s(s_->db,
              "SELECT user.name, user.key FROM permission AS given"
              " JOIN permission AS returned ON returned.granter = given.peer AND returned.peer = given.granter"
              " JOIN user ON user.name = given.peer WHERE given.granter = ? ORDER BY user.name");
  s.bind(name);
  std::vector<mutual_peer> out;
  int code = 0;
  while ((code = s.step()) == SQLITE_ROW) out.push_back({s.text(0), s.key(1)});
  if (code != SQLITE_DONE) return s_->failed();
  return out;
}

result<std::vector<change>> sqlite_store::changes(const std::string& name, std::int64_t since, int limit) {
  statement s(
      s_->db,
      "SELECT version, peer, permitted, key FROM change WHERE name = ? AND version > ? ORDER BY version LIMIT ?");
  s.bind(name).bind(since).bind(std::int64_t{limit});
  std::vector<change> out;
  int code = 0;
  while ((code = s.step()) == SQLITE_ROW) out.push_back({s.integer(0), s.text(1), s.integer(2) != 0, s.key(3)});
  if (code != SQLITE_DONE) return s_->failed();
  return out;
}

result<migrated> sqlite_store::dump(store_dump& out) {
  if (s_->value("PRAGMA journal_mode = DELETE") != "delete")
    return fail(s_->path + ": in use; accepted: a store whose server was stopped");
  bool valid = true;
  const auto name = [&](statement& s, int column) {
    valid = valid && valid_name(s.text(column));
    return s.text(column);
  };
  const auto key = [](statement& s, int column) { return "\\\\x" + to_hex(s.key(column).octets); };
  const auto all = [&](const char* sql, const auto& line) -> std::int64_t {
    statement s(s_->db, sql);
    std::int64_t n = 0;
    int code = 0;
    for (; (code = s.step()) == SQLITE_ROW; ++n) line(s);
    return code == SQLITE_DONE ? n : -1;
  };
  migrated m;
  m.users = all("SELECT account, name, key FROM user",
                [&](auto& s) { out.users += name(s, 0) + "\t" + name(s, 1) + "\t" + key(s, 2) + "\n"; });
  m.permissions = all("SELECT granter, peer FROM permission",
                      [&](auto& s) { out.permissions += name(s, 0) + "\t" + name(s, 1) + "\n"; });
  m.changes = all("SELECT name, peer, version, permitted, key FROM change", [&](auto& s) {
    out.changes += name(s, 0) + "\t" + name(s, 1) + "\t" + s.text(2) + "\t" + s.text(3) + "\t" + key(s, 4) + "\n";
  });
  m.replaced = all("SELECT key FROM replaced", [&](auto& s) { out.replaced += key(s, 0) + "\n"; });
  if (std::min({m.users, m.permissions, m.changes, m.replaced}) < 0) return s_->failed();
  if (!valid) return fail(s_->path + ": has a name that no user can have; accepted: a store of prose-function");
  return m;
}

std::vector<std::string> sqlite_store::take_changed_users() {
  std::vector<std::string> out(s_->changed.begin(), s_->changed.end());
  s_->changed.clear();
  return out;
}

}  // namespace

bool is_postgres(const std::string& where) {
  return where.starts_with("postgresql://") || where.starts_with("postgres://");
}

result<std::unique_ptr<store>> store::open(const std::string& where) {
  return is_postgres(where) ? open_postgres(where) : sqlite_store::open(where);
}

result<migrated> migrate(const std::string& file, const std::string& url) {
  if (!is_postgres(url)) return fail("migrate: accepted is a store postgresql://... to copy into");
  if (is_postgres(file) || apps::is_absent(file)) return fail(file + ": accepted is a store of SQLite that is there");
  auto from = sqlite_store::open(file);
  if (!from) return tl::unexpected<error>(from.error());
  store_dump all;
  const auto counts = static_cast<sqlite_store&>(**from).dump(all);
  if (!counts) return counts;
  if (auto ok = fill_postgres(url, all); !ok) return tl::unexpected<error>(ok.error());
  return counts;
}

result<void> store::check(const std::string& where) {
  return is_postgres(where) ? check_postgres(where) : sqlite_store::check(where);
}

}  // namespace prose::function
