// What prose-page is told: its configuration and command line, which wins.
#pragma once

#include <string>
#include <vector>

#include "apps/lib/common/config.h"
#include "apps/page/gatherer.h"
#include "common/result.h"

namespace prose::page {

struct options {
  std::string look, events, verdict, control, assets, token_file;
  std::vector<std::string> ues;  ///< NAME=FILE
  std::string listen = "127.0.0.1:0";
  bool open_to_network = false;
};

struct endpoint {
  std::string host;
  int port = 0;
};

void read_config(apps::config_section& file, options& o);
/// Errors name the option.
result<endpoint> endpoint_of(const options& o);
result<sources> sources_of(const options& o);

}  // namespace prose::page
