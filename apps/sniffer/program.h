// The sniffer's run: opens the source and the outputs, runs the capture, tells how it ended.
#pragma once

#include "apps/lib/listen/settings.h"

namespace prose::apps {

/// Gives the exit status; every mistake was told as one line.
/// command: shown_command(), for the report.
int run_sniffer(const char* program, const sniffer_settings& s, const std::string& command);
/// --check: what run_sniffer() would refuse before the first sample, with no radio. look_only() comes first.
result<void> check_sniffer(sniffer_settings s);

}  // namespace prose::apps
