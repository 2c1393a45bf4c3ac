// prose-keys' commands around consent and the ProSe Function: ca, register, rotate, grant, withdraw, list, confirm.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "apps/lib/common/command_line.h"
#include "apps/lib/pc3/pc3.h"

namespace prose::keys {

struct server_options {
  apps::pc3_server server;
  std::string user, cache, consent, folder = ".", authority = "ca", peer, name, fingerprint, permits, mark;
  int days = 365;
  bool for_server = false, replace = false, yes = false, trust_first = false, from_cache = false;

  /// The consent list, which lies beside the private key unless told otherwise; empty: neither is known.
  std::string consent_path(const std::string& key) const;
};

/// The key of a name in the consent list, in force or waiting, or that a version 0.1 pinned in the cache.
result<security::public_key> known_key(const server_options& o, const std::string& key, const std::string& peer);

/// `user`, `cache`, `consent` and the map `server` of prose-keys' configuration.
void read_server_options(apps::config_section& file, server_options& o);
/// --check: the consent list, the cache, and what TLS needs, as far as they are named.
result<void> check_server_options(const server_options& o, const std::string& key);

class server_commands {
public:
  server_commands(apps::command& app, server_options& o, std::string& key);
  ~server_commands();
  /// An exit code if one of these commands was given.
  std::optional<int> run(std::string_view program);
  /// The options of a connection, for a command elsewhere.
  static void add_connection(apps::command command, server_options& o, std::string& key);
  /// An exit code where something that the connection needs is missing or wrong.
  std::optional<int> check_connection(std::string_view program) const;
  result<std::unique_ptr<function::client>> connect() const;

private:
  struct parts;
  std::unique_ptr<parts> p_;
};

}  // namespace prose::keys
