// The store in a PostgreSQL database: each call is one statement, so one transaction and one round trip. The rules are
// in postgres_schema.cpp.
#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "apps/lib/function/postgres.h"
#include "apps/lib/function/postgres_connection.h"
#include "apps/lib/function/postgres_schema.h"

namespace prose::function {
namespace {

using clock_type = std::chrono::steady_clock;

constexpr int oldest_server = 15;
constexpr int tries = 10;  // of a transaction that another one was in the way of
constexpr auto first_retry = std::chrono::milliseconds(100), last_retry = std::chrono::milliseconds(2000);
constexpr auto clear_up_every = std::chrono::minutes(5);

struct prepared {
  const char *name, *sql;
};
constexpr prepared statements[] = {
    {"register", "SELECT prose_register($1::text, $2::text, $3::bytea, $4::boolean)"},
    {"account", "SELECT account FROM prose_user WHERE name = $1::text"},
    {"name", "SELECT name FROM prose_user WHERE account = $1::text"},
    {"grant", "SELECT prose_grant($1::text, $2::text, $3::bigint)"},
    {"withdraw", "SELECT prose_withdraw($1::text, $2::text)"},
    {"granted", "SELECT peer FROM prose_permission WHERE granter = $1::text ORDER BY peer"},
    {"mutual", "SELECT peer_name, peer_key FROM prose_mutual($1::text)"},
    {"changes",
     "SELECT version, peer, permitted, key FROM prose_change WHERE name = $1::text AND version > $2::bigint"
     " ORDER BY version LIMIT $3::bigint"},
    {"take", "SELECT prose_take($1::text, $2::smallint, $3::float8, $4::float8, $5::bigint)"},
    {"enter", "SELECT prose_enter($1::integer, $2::bigint, $3::text, $4::bigint)"},
    {"leave", "DELETE FROM prose_session WHERE instance = $1::integer AND number = $2::bigint"},
    {"end_others", "SELECT prose_end_others($1::integer, $2::bigint, $3::text)"},
};

const std::map<std::string, refusal, std::less<>> refusals = {
    {"none", refusal::none},           {"name_taken", refusal::name_taken},
    {"key_taken", refusal::key_taken}, {"key_replaced", refusal::key_replaced},
    {"too_many", refusal::too_many},   {"not_registered", refusal::not_registered}};

/// PostgreSQL asks for the transaction to be tried again: serialization_failure, deadlock_detected, or somebody else
/// has just taken the name or the key (unique_violation), which the next try answers.
bool try_again(const postgres_failure& f) { return f.state == "40001" || f.state == "40P01" || f.state == "23505"; }

tl::unexpected<error> failed(const postgres_settings& to, const postgres_failure& f) {
  return fail("store " + to.shown + ": " + (f.message.empty() ? "the connection was lost" : f.message));
}

/// Brings the tables to the newest version. Of instances that start together one does it.
result<void> bring_up_to_date(const postgres_settings& to, postgres_connection& c) {
  const auto steps = postgres_steps();
  auto begun = c.run("BEGIN; SELECT pg_advisory_xact_lock(706173, 0); SELECT to_regclass('prose_version') IS NOT NULL");
  if (!begun) return failed(to, begun.error());
  std::size_t version = 0;
  if (begun->text(0, 0) == "t") {
    auto now = c.run("SELECT version FROM prose_version");
    if (!now) return failed(to, now.error());
    if (now->size() == 1) version = static_cast<std::size_t>(std::atoi(now->text(0, 0).c_str()));
    if (version < 1 || version > steps.size())
      return fail("store " + to.shown + ": version " + (now->size() == 1 ? now->text(0, 0) : "unknown") +
                  ", made by a newer program; accepted: up to " + std::to_string(steps.size()));
  } else if (auto made = c.run("CREATE TABLE prose_version AS SELECT 0 AS version"); !made) {
    return failed(to, {made.error().state, made.error().message + "; accepted: a role that owns the database"});
  }
  for (; version < steps.size(); ++version)
    if (auto ok = c.run(std::string(steps[version]) + "UPDATE prose_version SET version = version + 1"); !ok)
      return failed(to, ok.error());
  if (auto ok = c.run("COMMIT"); !ok) return failed(to, ok.error());
  return {};
}

/// What a call has returned from is on the server's disk, and no call waits for long.
result<void> settle(const postgres_settings& to, postgres_connection& c) {
  if (c.server_version() / 10000 < oldest_server)
    return fail("store " + to.shown + ": PostgreSQL " + std::to_string(c.server_version() / 10000) +
                "; accepted: " + std::to_string(oldest_server) + " or newer");
  auto kept = c.run("SELECT current_setting('fsync'), current_setting('synchronous_commit')");
  if (!kept) return failed(to, kept.error());
  if (kept->text(0, 0) != "on")
    return fail("store " + to.shown +
                ": the server's fsync is off, so it may lose what was acknowledged; accepted: on");
  std::string set =
      "SET statement_timeout = '30s'; SET client_encoding = 'UTF8'; SET default_transaction_isolation = "
      "'read committed'; SET default_transaction_read_only = off;";
  if (kept->text(0, 1) != "remote_apply") set += "SET synchronous_commit = on;";
  if (auto ok = c.run(set); !ok) return failed(to, ok.error());
  return {};
}

/// A connection that is ready for everything, with this instance's number.
struct session {
  postgres_connection connection;
  std::int32_t instance = 0;
  std::string changed;  ///< channel on which changes are told
};

result<session> connect(const postgres_settings& to) {
  auto c = postgres_connection::open(to);
  if (!c) return failed(to, c.error());
  if (auto ok = settle(to, *c); !ok) return tl::unexpected(ok.error());
  if (auto ok = bring_up_to_date(to, *c); !ok) return tl::unexpected(ok.error());
  for (const auto& s : statements)
    if (auto ok = c->prepare(s.name, s.sql); !ok) return failed(to, ok.error());
  auto number = c->run(
      "WITH i AS MATERIALIZED (SELECT nextval('prose_instance')::integer AS n, prose_store() AS store)"
      " SELECT n, store FROM i, pg_advisory_lock(store::bigint::bit(32)::integer, n)");
  if (!number) return failed(to, number.error());
  session made{std::move(*c), std::atoi(number->text(0, 0).c_str()), "prose_changed_" + number->text(0, 1)};
  if (auto ok = made.connection.run("LISTEN " + made.changed + "; LISTEN prose_ended_" + number->text(0, 1)); !ok)
    return failed(to, ok.error());
  return made;
}

class postgres_store final : public store {
public:
  postgres_store(postgres_settings settings, session s) : settings_(std::move(settings)) { use(std::move(s)); }

  result<refusal> register_user(const std::string& account, const std::string& name, const public_key& key,
                                bool replace) override {
    if (!valid_name(name) || !valid_name(account)) return refusal::bad_name;
    return change_by("register", {account, name, key, replace});
  }
  result<refusal> replace_key(const std::string& name, const public_key& key) override {
    if (!valid_name(name)) return refusal::not_registered;
    auto account = ask("account", {name});
    if (!account) return tl::unexpected(account.error());
    if (account->size() == 0) return refusal::not_registered;
    return register_user(account->text(0, 0), name, key, true);
  }
  result<std::string> name_of(const std::string& account) override {
    if (!valid_name(account)) return std::string();
    auto name = ask("name", {account});
    if (!name) return tl::unexpected(name.error());
    return name->size() == 0 ? std::string() : name->text(0, 0);
  }
  result<refusal> grant(const std::string& name, const std::string& peer) override {
    if (!valid_name(peer) || peer == name) return refusal::bad_name;
    return change_by("grant", {name, peer, std::int64_t{max_grants_per_user}});
  }
  result<refusal> withdraw(const std::string& name, const std::string& peer) override {
    if (!valid_name(peer)) return refusal::bad_name;
    return change_by("withdraw", {name, peer});
  }
  result<std::vector<std::string>> granted_by(const std::string& name) override {
    auto rows = ask("granted", {name});
    if (!rows) return tl::unexpected(rows.error());
    std::vector<std::string> out;
    for (int i = 0; i < rows->size(); ++i) out.push_back(rows->text(i, 0));
    return out;
  }
  result<std::vector<mutual_peer>> mutual_peers(const std::string& name) override {
    auto rows = ask("mutual", {name});
    if (!rows) return tl::unexpected(rows.error());
    std::vector<mutual_peer> out;
    for (int i = 0; i < rows->size(); ++i) out.push_back({rows->text(i, 0), rows->key(i, 1)});
    return out;
  }
  result<std::vector<change>> changes(const std::string& name, std::int64_t since, int limit) override {
    auto rows = ask("changes", {name, since, std::int64_t{limit}});
    if (!rows) return tl::unexpected(rows.error());
    std::vector<change> out;
    for (int i = 0; i < rows->size(); ++i)
      out.push_back({rows->integer(i, 0), rows->text(i, 1), rows->boolean(i, 2), rows->key(i, 3)});
    return out;
  }
  std::vector<std::string> take_changed_users() override {
    receive();
    std::vector<std::string> out(changed_.begin(), changed_.end());
    changed_.clear();
    return out;
  }
  bool changed_elsewhere() override { return std::exchange(renewed_, false); }
  std::string durability() override {
    if (!session_) return "";
    auto kept = session_->connection.run("SELECT current_setting('synchronous_commit')");
    return kept ? kept->text(0, 0) : "";
  }

  bool shared() const override { return true; }
  bool connected() const override { return session_.has_value(); }
  int socket() const override { return session_ ? session_->connection.socket() : -1; }
  bool tend() override {
    const auto now = clock_type::now();
    if (session_) {
      if (now < clear_up_at_) return false;
      clear_up_at_ = now + clear_up_every;
      if (!session_->connection.run("SELECT prose_clear_up()")) lose();
      return false;
    }
    if (now < retry_at_) return false;
    auto again = connect(settings_);
    if (!again) {
      retry_at_ = clock_type::now() + retry_;
      retry_ = std::min(2 * retry_, std::chrono::milliseconds(last_retry));
      return false;
    }
    use(std::move(*again));
    renewed_ = true;
    return true;
  }
  result<int> take(const std::string& account, budget kind, double rate, double capacity, int wanted) override {
    auto given = ask("take", {account, static_cast<std::int16_t>(kind), rate, capacity, std::int64_t{wanted}});
    if (!given) return tl::unexpected(given.error());
    return static_cast<int>(given->integer(0, 0));
  }
  result<void> enter(const std::string& account, std::int64_t number, int most) override {
    return session_call("enter", {instance(), number, account, std::int64_t{most}});
  }
  // Without a connection there is nothing to leave: the next one is another instance's.
  void leave(std::int64_t number) override {
    if (session_) (void)ask("leave", {instance(), number});
  }
  result<void> end_others(const std::string& account, std::int64_t number) override {
    return session_call("end_others", {instance(), number, account});
  }
  std::vector<std::int64_t> take_ended() override { return std::exchange(ended_, {}); }

  const postgres_settings& settings() const { return settings_; }
  postgres_connection& connection() { return session_->connection; }

private:
  std::int32_t instance() const { return session_ ? session_->instance : 0; }

  void use(session s) {
    session_.emplace(std::move(s));
    retry_ = first_retry;
    clear_up_at_ = {};
  }
  void lose() {
    session_.reset();
    ended_.clear();
    retry_at_ = clock_type::now();
  }

  result<postgres_rows> ask(const char* statement, const std::vector<postgres_value>& values) {
    postgres_failure last;
    for (int i = 0; session_ && i < tries; ++i) {
      auto rows = session_->connection.call(statement, values);
      sort_notifications();
      if (rows) return std::move(*rows);
      last = rows.error();
      full_ = last.state == "53100";
      if (full_) break;
      // What is not expected, as of a server that only reads after a failover, ends the connection: the next one may
      // lead to another server.
      if (!try_again(last)) lose();
    }
    return failed(settings_, last);
  }
  result<void> session_call(const char* statement, const std::vector<postgres_value>& values) {
    auto done = ask(statement, values);
    if (!done) return tl::unexpected(done.error());
    return {};
  }
  result<refusal> change_by(const char* statement, const std::vector<postgres_value>& values) {
    full_ = false;
    auto rows = ask(statement, values);
    if (!rows && full_) return refusal::disk_full;
    if (!rows) return tl::unexpected(rows.error());
    const auto known = refusals.find(rows->text(0, 0));
    if (known == refusals.end()) return failed(settings_, {"", "an answer that is none"});
    return known->second;
  }

  void receive() {
    if (!session_) return;
    const bool alive = session_->connection.receive();
    sort_notifications();
    if (!alive) lose();
  }
  void sort_notifications() {
    for (const auto& n : session_->connection.take_notifications()) {
      if (n.channel == session_->changed) {
        changed_.insert(n.text);
        continue;
      }
      const std::string own = std::to_string(session_->instance) + " ";
      if (n.text.starts_with(own)) ended_.push_back(std::atoll(n.text.c_str() + own.size()));
    }
  }

  postgres_settings settings_;
  std::optional<session> session_;
  std::set<std::string> changed_;
  std::vector<std::int64_t> ended_;
  bool renewed_ = false, full_ = false;
  clock_type::time_point retry_at_{}, clear_up_at_{};
  std::chrono::milliseconds retry_ = first_retry;
};

result<std::unique_ptr<postgres_store>> open(const std::string& url) {
  auto settings = parse_postgres(url);
  if (!settings) return tl::unexpected(settings.error());
  auto s = connect(*settings);
  if (!s) return tl::unexpected(s.error());
  return std::make_unique<postgres_store>(std::move(*settings), std::move(*s));
}

}  // namespace

result<std::unique_ptr<store>> open_postgres(const std::string& url) {
  auto s = open(url);
  if (!s) return tl::unexpected(s.error());
  return std::move(*s);
}

result<void> check_postgres(const std::string& url) {
  const auto settings = parse_postgres(url);
  if (!settings) return tl::unexpected(settings.error());
  return {};
}

result<void> fill_postgres(const std::string& url, const store_dump& dump) {
  auto s = open(url);
  if (!s) return tl::unexpected(s.error());
  auto& c = (*s)->connection();
  const auto& to = (*s)->settings();
  auto there = c.run(
      "SET statement_timeout = 0; BEGIN; LOCK TABLE prose_user, prose_permission, prose_change, prose_replaced;"
      "SELECT (SELECT count(*) FROM prose_user) + (SELECT count(*) FROM prose_replaced)");
  if (!there) return failed(to, there.error());
  if (there->text(0, 0) != "0")
    return fail("store " + to.shown + ": has users already; accepted: a store that nobody has registered at");
  for (const auto& [into, lines] : {std::pair{"prose_user(account, name, key)", &dump.users},
                                    std::pair{"prose_permission(granter, peer)", &dump.permissions},
                                    std::pair{"prose_change(name, peer, version, permitted, key)", &dump.changes},
                                    std::pair{"prose_replaced(key)", &dump.replaced}})
    if (auto ok = c.copy("COPY " + std::string(into) + " FROM STDIN", *lines); !ok) return failed(to, ok.error());
  if (auto ok = c.run("COMMIT; ANALYZE"); !ok) return failed(to, ok.error());
  return {};
}

}  // namespace prose::function
