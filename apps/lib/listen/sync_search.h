// --sync auto: how the subframes of a recording are found, by trying; and what to try where nothing decodes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "apps/lib/listen/capture.h"
#include "apps/lib/listen/scene.h"

namespace prose::apps {

const char* name_of(listen_sync s);

struct sync_search {
  std::optional<listen_sync> way;  ///< nothing: none of them decodes anything
  std::string tried;               ///< "aligned 0, gnss 12, slss 0 frames"
};

/// Tries aligned, gnss and slss on the recording's first two seconds and takes the one that decodes most (the first of
/// equals); blind only if none of them decodes anything; then all of them on the whole recording. duration_s: no more
/// than that; 0: no limit. rate_hz: of a recording that does not say it. An error is a usage error.
result<sync_search> search_sync(const std::string& recording, double rate_hz, const scene& known, double duration_s,
                                const std::function<bool()>& stop);

/// One line for a recording of which nothing was decoded. way: nothing if all were tried.
std::string what_to_try(const std::string& recording, const phy::carrier_config& carrier,
                        std::optional<listen_sync> way);

}  // namespace prose::apps
