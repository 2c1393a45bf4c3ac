// PSDCH in the subframes of a stream. A known discovery pool: its resources (reception/psdch_combiner), or, as long as
// its timing is unknown, its pairs of PRBs in every subframe. No known pool: any pair.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "phy/modem/recent_blocks.h"
#include "phy/modem/reception/psdch_combiner.h"
#include "phy/modem/reception/subframe_view.h"
#include "phy/types/discovery_pool.h"

namespace prose::phy {

class discovery_monitor {
public:
  discovery_monitor(const carrier_config& carrier, std::optional<discovery_pool> pool);

  /// Everything that was received is forgotten.
  void restart();
  /// Returns how many messages the subframe held.
  int examine(const subframe_view& sf);
  /// The same at pairs of these PRBs (ascending) only: those that no known pool explains.
  int examine_unexplained(const subframe_view& sf, std::span<const int> prbs);

private:
  bool receive_anywhere(const subframe_view& sf, int prb);

  carrier_config carrier_;
  std::optional<psdch_combiner> known_;
  soft_buffer scratch_{discovery_message_bits};
  std::array<std::uint8_t, discovery_message_bits> payload_{};
  recent_blocks recent_;
};

}  // namespace prose::phy
