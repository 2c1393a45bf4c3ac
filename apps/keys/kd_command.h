// prose-keys kd: the KD that a pair of UEs of profile ts33303 shares.
#pragma once

#include <optional>
#include <string>

#include "apps/keys/server_commands.h"
#include "apps/lib/common/command_line.h"
#include "apps/lib/keys/kd_file.h"
#include "security/ports.h"

namespace prose::keys {

class kd_command {
public:
  /// `permits`: the permission file of the configuration, as are the others.
  kd_command(apps::command& app, std::string& permits, server_options& server, std::string& key);
  bool given() const { return command_.given(); }
  /// An exit code; errors are reported.
  int run(const char* program, const server_commands& servers, security::dh_port& dh,
          security::random_port& random) const;

private:
  std::optional<int> refuse_usage(const char* program, const server_commands& servers) const;
  result<void> check_permitted(security::dh_port& dh, security::random_port& random) const;
  result<security::ts33303::shared_kd> from_server(const server_commands& servers) const;
  std::string& permits_;
  server_options& server_;
  std::string& key_;
  std::string name_, kds_, to_, from_;
  bool remove_ = false, from_server_ = false;
  apps::command command_;
};

}  // namespace prose::keys
