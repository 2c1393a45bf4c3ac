#include "apps/lib/function/postgres_connection.h"

#include <algorithm>
#include <bit>

namespace prose::function {
namespace {

/// libpq's message in one line. Its texts name hosts, users and databases, no passwords.
std::string first_line(const char* message) {
  std::string out = message == nullptr ? "" : message;
  out.erase(std::min(out.find('\n'), out.size()));
  return out;
}

}  // namespace

postgres_value::postgres_value(double v) : octets(big_endian(std::bit_cast<std::uint64_t>(v), 8)) {}

std::string postgres_value::big_endian(std::uint64_t v, int octets) {
  std::string out;
  for (int i = octets - 1; i >= 0; --i) out += static_cast<char>(v >> (8 * i));
  return out;
}

std::int64_t postgres_rows::integer(int row, int column) const {
  std::uint64_t v = 0;
  for (const char c : text(row, column)) v = v << 8 | static_cast<std::uint8_t>(c);
  return static_cast<std::int64_t>(v);
}

security::public_key postgres_rows::key(int row, int column) const {
  security::public_key k{};
  const auto octets = text(row, column);
  if (octets.size() == k.octets.size()) std::copy(octets.begin(), octets.end(), k.octets.begin());
  return k;
}

result<postgres_settings> parse_postgres(const std::string& url) {
  char* why = nullptr;
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(PQconninfoParse(url.c_str(), &why),
                                                                               PQconninfoFree);
  PQfreemem(why);  // it may have the whole text, a password included
  if (!options || url.find('\0') != std::string::npos)
    return fail(
        "store: not a URL of PostgreSQL; accepted: a file, or "
        "postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full");
  postgres_settings out;
  std::string user, host, port, database;
  for (auto* o = options.get(); o->keyword != nullptr; ++o) {
    if (o->val == nullptr) continue;
    const std::string key = o->keyword, value = o->val;
    if (key == "password" || key == "sslpassword")
      return fail(
          "store: a password in the URL is refused; accepted: the file that passfile= in the URL or PGPASSFILE names "
          "(mode 0600)");
    if (key == "user") user = value + "@";
    if (key == "host" || (key == "hostaddr" && host.empty())) host = value;
    if (key == "port") port = ":" + value;
    if (key == "dbname") database = value;
    out.values.emplace_back(key, value);
  }
  out.shown = "postgresql://" + user + host + port + "/" + database;
  return out;
}

postgres_result<postgres_connection> postgres_connection::open(const postgres_settings& settings) {
  // A database that went away is noticed. What the URL says comes later, and counts.
  std::vector<std::pair<std::string, std::string>> all = {
      {"connect_timeout", "5"},     {"tcp_user_timeout", "10000"}, {"keepalives_idle", "10"},
      {"keepalives_interval", "3"}, {"keepalives_count", "3"},     {"application_name", "prose-function"}};
  for (const auto& v : settings.values) {
    std::erase_if(all, [&](const auto& other) { return other.first == v.first; });
    all.push_back(v);
  }
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : all) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  postgres_connection c(PQconnectdbParams(keys.data(), values.data(), 0));
  if (PQstatus(c.c_.get()) != CONNECTION_OK) {
    std::string message = first_line(PQerrorMessage(c.c_.get()));
    if (PQconnectionNeedsPassword(c.c_.get()) != 0)
      message += "; it is read from the file that passfile= in the URL or PGPASSFILE names (mode 0600)";
    return tl::unexpected(postgres_failure{"", message});
  }
  PQsetNoticeProcessor(
      c.c_.get(), [](void*, const char*) {}, nullptr);
  return c;
}

postgres_result<postgres_rows> postgres_connection::outcome(PGresult* r) {
  postgres_rows rows(r);
  const auto status = PQresultStatus(r);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_COPY_IN) return rows;
  const char* state = r == nullptr ? nullptr : PQresultErrorField(r, PG_DIAG_SQLSTATE);
  const char* message = r == nullptr ? nullptr : PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
  if (PQstatus(c_.get()) != CONNECTION_OK || state == nullptr)
    return tl::unexpected(
        postgres_failure{"", message != nullptr ? first_line(message) : first_line(PQerrorMessage(c_.get()))});
  return tl::unexpected(postgres_failure{state, first_line(message)});
}

postgres_result<void> postgres_connection::prepare(const char* name, const char* sql) {
  auto r = outcome(PQprepare(c_.get(), name, sql, 0, nullptr));
  if (!r) return tl::unexpected(r.error());
  return {};
}

postgres_result<postgres_rows> postgres_connection::call(const char* name, const std::vector<postgres_value>& values) {
  std::vector<const char*> data;
  std::vector<int> lengths;
  for (const auto& v : values) {
    data.push_back(v.octets.data());
    lengths.push_back(static_cast<int>(v.octets.size()));
  }
  const std::vector<int> binary(values.size(), 1);
  return outcome(
      PQexecPrepared(c_.get(), name, static_cast<int>(values.size()), data.data(), lengths.data(), binary.data(), 1));
}

postgres_result<postgres_rows> postgres_connection::run(const std::string& sql) {
  return outcome(PQexec(c_.get(), sql.c_str()));
}

postgres_result<void> postgres_connection::copy(const std::string& sql, const std::string& lines) {
  if (auto begun = run(sql); !begun) return tl::unexpected(begun.error());
  constexpr std::size_t piece = std::size_t{1} << 20;
  for (std::size_t at = 0; at < lines.size(); at += piece)
    if (PQputCopyData(c_.get(), lines.data() + at, static_cast<int>(std::min(piece, lines.size() - at))) != 1) break;
  PQputCopyEnd(c_.get(), nullptr);
  auto done = outcome(PQgetResult(c_.get()));
  while (PGresult* more = PQgetResult(c_.get())) PQclear(more);
  if (!done) return tl::unexpected(done.error());
  return {};
}

bool postgres_connection::receive() { return PQconsumeInput(c_.get()) == 1 && PQstatus(c_.get()) == CONNECTION_OK; }

std::vector<postgres_connection::notification> postgres_connection::take_notifications() {
  std::vector<notification> out;
  while (PGnotify* n = PQnotifies(c_.get())) {
    out.push_back({n->relname, n->extra});
    PQfreemem(n);
  }
  return out;
}

}  // namespace prose::function
