// prose-keys' commands around the ProSe Function: ca, register, grant, withdraw, list, confirm.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "apps/ue/pc3.h"

namespace CLI {
class App;
}

namespace prose::keys {

struct server_options {
  apps::pc3_server server;
  std::string user, cache, folder = ".", authority = "ca", peer, name;
  int days = 365;
  bool for_server = false, replace = false, yes = false;
};

/// `user`, `cache` and the map `server` of prose-keys' configuration.
void read_server_options(apps::config_section& file, const std::string& path, server_options& o);

class server_commands {
 public:
  server_commands(CLI::App& app, server_options& o, std::string& key);
  ~server_commands();
  /// An exit code if one of these commands was given.
  std::optional<int> run(std::string_view program);

 private:
  struct parts;
  std::unique_ptr<parts> p_;
};

}  // namespace prose::keys
