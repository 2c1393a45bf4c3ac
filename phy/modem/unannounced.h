// PSSCH of TM1/2 whose SCI was not received. If two UEs draw the same PSCCH resource neither SCI can be decoded, and no
// receiver learns where their PSSCH is. But a group that was heard before is likely to go on with its MCS and size, and
// its PSSCH shows as power that no SCI explains.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/modem/reception/subframe_view.h"
#include "phy/types/channels.h"

namespace prose::phy {

class unannounced_search {
public:
  explicit unannounced_search(const carrier_config& carrier);

  struct candidate {
    pssch_config config;  ///< rv is not known
    int mcs = 0;
  };

  /// A block of this group was decoded.
  void learn(const pssch_config& c, int mcs, std::int64_t index);
  /// Forgets which PRBs are explained; explain() then names those that grants explain in the new subframe.
  void begin_subframe();
  void explain(const pssch_config& c);
  /// For each known group, the allocations within `pool` (ascending PRBs) that the power of the subframe suggests.
  /// Allocates nothing; valid until the next call.
  std::span<const candidate> candidates(const subframe_view& sf, std::span<const int> pool, int n_ssf);

private:
  struct group {
    std::uint32_t n_x_id = 0;
    int mcs = -1;  ///< -1: free
    int n_prb = 0;
    std::int64_t last_index = 0;
  };
  void measure(const subframe_view& sf);
  void add(const group& g, int start, int n_prb, int n_ssf);

  carrier_config carrier_;
  std::array<group, 32> groups_{};
  std::vector<std::uint8_t> explained_;
  std::vector<double> power_;
  double quietest_ = 0;  ///< power of the quietest PRB of the latest subframes; 0: not measured yet
  std::vector<candidate> found_;
};

}  // namespace prose::phy
