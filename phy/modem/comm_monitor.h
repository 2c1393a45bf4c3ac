// PSCCH and PSSCH of TM1/TM2 in the subframes of a stream: what is granted (reception/tm2_grants), and the search for
// what the configuration and the SCIs do not tell: pools, their place in time, and PSSCH whose SCI was not received.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "phy/modem/reception/subframe_view.h"
#include "phy/modem/reception/tm2_grants.h"
#include "phy/modem/soft_buffers.h"
#include "phy/modem/unannounced.h"
#include "phy/types/comm_pool.h"

namespace prose::phy {

class comm_monitor {
public:
  /// unannounced: also looks for PSSCH whose SCI was not received, where the pool and its timing are known.
  comm_monitor(const carrier_config& carrier, comm_pool pool, bool unannounced = false);

  /// Returns how many SCIs and PSSCHs the subframe held.
  int examine(const subframe_view& sf, soft_buffers& buffers);
  /// The same for PSCCH at these PRBs only, those that no known pool explains, and for PSSCH that nothing explains.
  int examine_unexplained(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs);

private:
  int follow_grants(const subframe_view& sf, soft_buffers& buffers, bool only_unexplained);
  /// A PSSCH that a grant may have in this subframe.
  struct choice {
    pssch_config config;
    float metric = 0;
  };
  std::span<const choice> find_choices(const subframe_view& sf, const tm2_grants::grant& g,
                                       std::span<choice> room) const;
  bool receive_choice(const subframe_view& sf, soft_buffers& buffers, tm2_grants::grant& g, pssch_config c,
                      bool in_turn);
  bool receive_searched(const subframe_view& sf, soft_buffers& buffers, tm2_grants::grant& g);
  bool receive_unannounced(const subframe_view& sf, soft_buffers& buffers);

  tm2_grants grants_;
  std::vector<int> all_prbs_;
  std::optional<unannounced_search> unannounced_;
};

}  // namespace prose::phy
