// What the verdict needs to know of a capture beside its frames.
#pragma once

#include "apps/lib/listen/capture.h"
#include "apps/lib/verdict/verdict.h"

namespace prose::apps {

inline hearing hearing_of(const capture_result& c) {
  const auto& n = c.statistics;
  hearing h;
  h.blocks_announced = n.blocks_announced;
  h.blocks_decoded = n.blocks_decoded;
  h.blocks_absent = n.blocks_absent;
  h.discovery_occupied = n.discovery_occupied;
  h.discovery_decoded = n.discovery_decoded;
  h.seconds = c.seconds_since_first_frame;
  h.seconds_lost = c.seconds_lost;
  h.unknown_gaps = c.unknown_gaps;
  h.pscch_candidates = n.pscch_candidates;
  h.pools_told = c.pools_told;
  h.searched_beside = c.searched_beside;
  h.prbs_occupied = n.prbs_occupied;
  h.prbs_unexplained = n.prbs_unexplained;
  return h;
}

}  // namespace prose::apps
