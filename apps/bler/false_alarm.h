// What a receiver finds in noise alone: it should be nothing.
#pragma once

#include <cstdint>
#include <functional>

#include "common/result.h"
#include "phy/types/carrier.h"

namespace prose::apps {

struct false_alarm_config {
  phy::carrier_config carrier;
  std::uint64_t seed = 1;
  std::int64_t pscch_candidates =
      0;  ///< at least so many: each is one PRB position of one subframe, with all its cyclic shifts
  std::int64_t subframes =
      0;  ///< at least so many subframes searched for MIB-SL, transport blocks and discovery messages
  int n_threads = 1;
  int rank = 0, n_ranks = 1;  ///< of several processes that share the work: the report is of this one's part
  std::function<bool()> stop = [] { return false; };
  std::function<void(double)> progress = [](double) {};
};

struct false_alarm_report {
  std::int64_t subframes = 0;
  std::int64_t pscch_candidates = 0, false_sci = 0;
  std::int64_t slss_searches = 0, false_slss = 0;
  std::int64_t psbch_tries = 0, false_mib = 0;
  std::int64_t pssch_tries = 0, false_tb = 0;
  std::int64_t psdch_tries = 0, false_discovery = 0;  ///< TM1/2 only
};

/// White noise of a random level (-60 to +20 dB full scale) in every subframe. PSCCH: every position. In the first
/// `subframes` of them also: SLSS search, the PSBCH of the best identity whether or not the search believes in it, one
/// PSSCH of a random grant, and in TM1/2 a PSDCH at every PRB.
result<false_alarm_report> count_false_alarms(const false_alarm_config& config);

}  // namespace prose::apps
