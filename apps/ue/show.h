// prose-ue --show: the status of the running UE through its control socket, otherwise what the files say.
#pragma once

#include <string>

#include "apps/ue/program_config.h"
#include "common/result.h"

namespace prose::apps {

struct shown {
  std::string text;
  std::string remark{};  ///< for standard error: why this is what the files say; empty: a UE runs and told it
};
/// A fact a line ("KEY VALUE ...") of the files, blocks a peer of a running UE; one JSON object with `as_json`. No
/// radio is opened and nothing is written.
result<shown> show_ue(const program_config& config, double host_utc_s, bool as_json);
/// --show-pools: carrier, timing and pools as a configuration of prose-sniffer.
std::string show_pools(const program_config& config);

}  // namespace prose::apps
