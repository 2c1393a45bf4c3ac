// A connection to a PostgreSQL server by libpq: calls that block, in binary form.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"
#include "security/types.h"

namespace prose::function {

/// What a URL says, and how it is called in errors: without anything but host, port, user and database.
struct postgres_settings {
  std::vector<std::pair<std::string, std::string>> values;
  std::string shown;
};
/// Refused: what libpq cannot read, and a password. The error has nothing of the URL's text.
result<postgres_settings> parse_postgres(const std::string& url);

/// A parameter in PostgreSQL's binary form.
struct postgres_value {
  std::string octets;
  postgres_value(std::string_view text) : octets(text) {}
  postgres_value(const std::string& text) : octets(text) {}
  postgres_value(const security::public_key& key)
      : octets(reinterpret_cast<const char*>(key.octets.data()), key.octets.size()) {}
  postgres_value(bool b) : octets(1, b ? '\1' : '\0') {}
  postgres_value(std::int64_t v) : octets(big_endian(static_cast<std::uint64_t>(v), 8)) {}
  postgres_value(std::int32_t v) : octets(big_endian(static_cast<std::uint32_t>(v), 4)) {}
  postgres_value(std::int16_t v) : octets(big_endian(static_cast<std::uint16_t>(v), 2)) {}
  postgres_value(double v);

private:
  static std::string big_endian(std::uint64_t v, int octets);
};

class postgres_rows {
public:
  explicit postgres_rows(PGresult* r) : r_(r) {}
  int size() const { return PQntuples(r_.get()); }
  std::string text(int row, int column) const {
    return {PQgetvalue(r_.get(), row, column), static_cast<std::size_t>(PQgetlength(r_.get(), row, column))};
  }
  /// Of any width; 0 if it is null.
  std::int64_t integer(int row, int column) const;
  bool boolean(int row, int column) const { return integer(row, column) != 0; }
  /// Zeros if it has another length.
  security::public_key key(int row, int column) const;

private:
  struct clear {
    void operator()(PGresult* r) const { PQclear(r); }
  };
  std::unique_ptr<PGresult, clear> r_;
};

struct postgres_failure {
  std::string state;  ///< five characters (SQLSTATE); empty: the connection was lost
  std::string message;
};
template <class T>
using postgres_result = tl::expected<T, postgres_failure>;

class postgres_connection {
public:
  static postgres_result<postgres_connection> open(const postgres_settings& settings);
  postgres_result<void> prepare(const char* name, const char* sql);
  /// A prepared statement.
  postgres_result<postgres_rows> call(const char* name, const std::vector<postgres_value>& values);
  /// Several statements; the last one's rows, as texts.
  postgres_result<postgres_rows> run(const std::string& sql);
  /// Lines of COPY ... FROM STDIN.
  postgres_result<void> copy(const std::string& sql, const std::string& lines);
  /// Reads what has come. False: the connection is lost.
  bool receive();
  struct notification {
    std::string channel, text;
  };
  /// Those that have been received.
  std::vector<notification> take_notifications();
  int socket() const { return PQsocket(c_.get()); }
  int server_version() const { return PQserverVersion(c_.get()); }

private:
  struct finish {
    void operator()(PGconn* c) const { PQfinish(c); }
  };
  explicit postgres_connection(PGconn* c) : c_(c) {}
  postgres_result<postgres_rows> outcome(PGresult* r);
  std::unique_ptr<PGconn, finish> c_;
};

}  // namespace prose::function
