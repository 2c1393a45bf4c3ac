// A store in a PostgreSQL database. Without libpq in the build every URL is refused.
#pragma once

#include <memory>
#include <string>

#include "apps/lib/function/store.h"
#include "common/result.h"

namespace prose::function {

/// Whether a store is named by a URL instead of a file.
bool is_postgres(const std::string& where);
result<std::unique_ptr<store>> open_postgres(const std::string& url);
/// The form of the URL; asks no server.
result<void> check_postgres(const std::string& url);

/// Everything that a file of SQLite holds: lines as COPY ... FROM STDIN takes them.
struct store_dump {
  std::string users, permissions, changes, replaced;
};
/// Fills an empty store, in one transaction.
result<void> fill_postgres(const std::string& url, const store_dump& dump);

}  // namespace prose::function
