// What the server is told on its command line and in its configuration.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "apps/function/audit_log.h"
#include "apps/lib/common/command_line.h"
#include "apps/lib/common/config.h"
#include "apps/lib/function/server.h"
#include "common/result.h"

namespace prose::function {

struct options {
  apps::common_options common;
  server_config server;
  std::string audit, replace, migrate;
  int metrics_port = -1;  ///< of 127.0.0.1; 0: any free one; -1: no metrics
  audit_rotation rotation{std::uint64_t{100} << 20};
};

/// The whole file; `path` is where it lies, for the paths in it.
result<void> read_config(apps::config_section& file, const std::string& path, options& o);
/// The key `denied` of a configuration that is read again. Refused: no regular file, any mistake in it, and one that
/// does not have the key. An empty file, as an editor may leave it for a moment, must let nobody in.
result<std::set<std::string>> read_denied(const std::string& path);

}  // namespace prose::function
