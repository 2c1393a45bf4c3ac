// Which decoded frames are named in a spectrogram: as many as find room.
#pragma once

#include <vector>

#include "apps/iq/constellation.h"

namespace prose::apps {

/// A spectrogram: what it shows, and its size on the paper.
struct burst_view {
  double from_s = 0, to_s = 0, rate_hz = 0;
  double width_px = 0, height_px = 0;
};

/// Those that are wide enough for a box to be more than a line, a bounded number.
std::vector<burst> seen_boxes(const std::vector<burst>& all, const burst_view& view);
/// Labels that do not lie on each other: the first of each text, then those of other boxes, in the order of time. Where
/// bursts are too narrow for boxes each text is there once.
std::vector<burst> placed_labels(const std::vector<burst>& all, const burst_view& view);

}  // namespace prose::apps
