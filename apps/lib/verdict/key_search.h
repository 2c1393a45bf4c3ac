// What do stolen keys open and recognise? README.md says which keys are tried where, and which links are the stolen
// UE's own.
#pragma once

#include <vector>

#include "apps/lib/verdict/check_report.h"
#include "apps/lib/verdict/kept_capture.h"
#include "apps/lib/verdict/stolen_state.h"

namespace prose::apps {

/// Epochs that the ratchet of a stolen root or key is followed for.
inline constexpr int ratchet_steps = 32;

/// Uses of the options: slots, on_search.
void search_keys(const std::vector<stolen_file>& stolen, const kept_capture& capture, const verdict_options& options,
                 check_report& out);

}  // namespace prose::apps
