// How frames are called in a page and in annotations.
#pragma once

#include <string>

#include "apps/lib/capture/captured_frame.h"

namespace prose::apps {

const char* channel_of(frame_kind k);
/// A layer-2 ID.
std::string hex24(std::uint32_t v);
/// Whom it names: "SLSS 30", "0000a1 > 0000b2", "malformed" or nothing.
std::string who(const captured_frame& f);

}  // namespace prose::apps
