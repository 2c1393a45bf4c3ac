// Device time as a recording keeps it: as if the radio's time had never leapt.
#pragma once

#include "phy/types/sample_source.h"

namespace prose::apps {

/// A leap is no gap: samples follow each other across it. What the source gave up there stays a gap.
class recorded_time {
public:
  /// To be called with every block, in order.
  phy::read_status of(phy::read_status s) {
    leapt_ += s.time_jump;
    s.first_tick -= leapt_;
    s.gap_before = s.gap_before && s.time_jump == 0;
    s.time_jump = 0;
    return s;
  }

private:
  std::int64_t leapt_ = 0;
};

}  // namespace prose::apps
