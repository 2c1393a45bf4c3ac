// prose-keys kd: the KD that a pair of UEs of profile ts33303 shares.
#pragma once

#include <string>

#include "apps/lib/common/command_line.h"
#include "security/ports.h"

namespace prose::keys {

class kd_command {
public:
  /// `permits`: the permission file of the configuration.
  kd_command(apps::command& app, std::string& permits);
  bool given() const { return command_.given(); }
  /// An exit code; errors are reported.
  int run(const char* program, security::dh_port& dh, security::random_port& random) const;

private:
  std::string& permits_;
  std::string name_, kds_, to_, from_;
  bool remove_ = false;
  apps::command command_;
};

}  // namespace prose::keys
