// A frame as a row of the report page: a JSON array, its places as apps/sniffer/page/frames.js names them.
#pragma once

#include <string>

#include "apps/lib/capture/captured_frame.h"

namespace prose::apps {

/// Octets of a frame that a page shows.
inline constexpr std::size_t row_octets = 96;

std::string row_of(const captured_frame& f);
/// Of a frame that is no longer kept.
std::string row_of_lost(std::uint64_t number);

}  // namespace prose::apps
