// Reading JSON keys with one-line errors, and the keys of a resource pool.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "common/result.h"
#include "phy/modem/monitor.h"

namespace prose::apps {

/// A JSON number that is a whole number, as 7 or 7.0.
std::optional<std::int64_t> whole_number(const nlohmann::json& v);

/// Keeps the first mistake. Each function gives true when the key is there (not null) and right.
class key_reader {
public:
  explicit key_reader(std::string prefix) : prefix_(std::move(prefix)) {}
  bool whole(const nlohmann::json& object, const char* key, std::int64_t min, std::int64_t max,
             std::optional<std::int64_t>& out);
  bool whole(const nlohmann::json& object, const char* key, std::int64_t min, std::int64_t max, int& out);
  bool number(const nlohmann::json& object, const char* key, double min, double max, double& out);
  bool boolean(const nlohmann::json& object, const char* key, bool& out);
  bool choice(const nlohmann::json& object, const char* key, std::initializer_list<const char*> accepted,
              std::string& out);
  /// Text of 0 and 1.
  bool bitmap(const nlohmann::json& object, const char* key, std::string& out);
  /// "sf40", "rf32" (frames) or a number of subframes.
  bool period(const nlohmann::json& object, const char* key, int& subframes);
  void wrong(const char* key, const std::string& what);
  void required(const nlohmann::json& object, const char* key);
  const std::string& error() const { return error_; }

private:
  const nlohmann::json* find(const nlohmann::json& object, const char* key) const;
  std::string prefix_, error_;
};

/// kind v2x, sl_comm or psdch with their keys. `where` names the pool in errors ("s.json: pool").
result<phy::monitor_pool> parse_pool(const nlohmann::json& pool, const std::string& where);

/// The pool as parse_pool() reads it: one line of YAML, which is JSON too.
std::string to_yaml(const phy::monitor_pool& pool);

/// Does the pool fit the carrier? `where` as above, with the dot ("s.json: pool.").
result<void> check_pool(const phy::monitor_pool& pool, const phy::carrier_config& carrier, const std::string& where);

}  // namespace prose::apps
