// In place of postgres_store.cpp where there is no libpq.
#include "apps/lib/function/postgres.h"

namespace prose::function {
namespace {
tl::unexpected<error> missing() {
  return fail("store: this build has no PostgreSQL (libpq-dev was not there); accepted: a file");
}
}  // namespace

result<std::unique_ptr<store>> open_postgres(const std::string&) { return missing(); }
result<void> check_postgres(const std::string&) { return missing(); }
result<void> fill_postgres(const std::string&, const store_dump&) { return missing(); }

}  // namespace prose::function
