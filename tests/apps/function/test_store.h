// Stores of tests: files, or, where PROSE_TEST_POSTGRES has the URL of a database, a schema in it for each path.
#pragma once

#include <cstdlib>
#include <string>

namespace prose::function {

inline const char* test_database() { return std::getenv("PROSE_TEST_POSTGRES"); }

/// Statements by psql, PROSE_TEST_PSQL; true if they succeeded.
inline bool run_sql(const std::string& url, const std::string& sql) {
  return std::system(("'" + std::string(std::getenv("PROSE_TEST_PSQL")) + "' -X -q -v ON_ERROR_STOP=1 -d '" + url +
                      "' -c \"" + sql + "\" > /dev/null")
                         .c_str()) == 0;
}

/// Where a test's store of this path lies. The same path is the same store.
inline std::string test_store(const std::string& path) {
  if (test_database() == nullptr) return path;
  const std::string schema = "t" + std::to_string(std::hash<std::string>{}(path));
  if (!run_sql(test_database(), "CREATE SCHEMA IF NOT EXISTS " + schema)) return "postgresql://nowhere";
  return std::string(test_database()) + "&options=-csearch_path%3D" + schema;
}

}  // namespace prose::function
