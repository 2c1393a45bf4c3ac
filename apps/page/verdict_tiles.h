// The sniffer's report as the four tiles that a page shows: content, identity, stolen keys, radio.
#pragma once

#include "apps/page/bounded_json.h"

namespace prose::page {

/// {"outcome":..,"reason":..,"headline":.. if the report has
/// one,"findings":[{"aspect","check","reason","frames":[..]}],"tiles":{"content":{"state":"passed|failed|not_run","sentence":".."},..}}.
/// `report`: as prose-sniffer --report writes it; what it lacks counts as not run.
json tiles_of(const json& report);

}  // namespace prose::page
