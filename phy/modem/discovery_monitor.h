// PSDCH in the subframes of a stream: the resources of a discovery pool, its pairs of PRBs in
// every subframe where its timing is unknown, or any pair where the pool is.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "phy/modem/event_sink.h"
#include "phy/modem/recent_blocks.h"
#include "phy/modem/soft_buffers.h"
#include "phy/types/discovery_pool.h"

namespace prose::phy {

class discovery_monitor {
 public:
  discovery_monitor(const carrier_config& carrier, std::optional<discovery_pool> pool);

  /// Returns how many messages the subframe held; `strongest` is the signal of the strongest of them.
  int examine(const subframe_view& sf, signal_estimate& strongest);
  /// At pairs of these PRBs (ascending) only; for a monitor of an unknown pool beside those of known ones.
  int examine_beside(const subframe_view& sf, std::span<const int> prbs, signal_estimate& strongest);

 private:
  /// One resource of the current period whose transmissions are being combined. 36.321 gives the redundancy versions 0, 2, 3, 1; some
  /// transmitters send 0 throughout, which the second buffer allows for.
  struct resource {
    bool used = false;
    int n = 0;
    std::int64_t index = 0;
    int combined = 0;
    bool decoded = false;
    soft_buffer by_order{discovery_message_bits};
    soft_buffer all_first{discovery_message_bits};
  };

  bool receive_known(const subframe_view& sf, const discovery_pool::candidate& c, signal_estimate& s);
  bool receive_anywhere(const subframe_view& sf, int prb, signal_estimate& s);
  resource& resource_of(const subframe_view& sf, int n, int transmission);
  /// A signal is in the resource: its message is decoded, or not.
  void count(const subframe_view& sf, int prb, float metric, bool decoded) const;
  void report(const subframe_view& sf, const psdch_config& c, const signal_estimate& s, int transmissions);

  carrier_config carrier_;
  std::optional<discovery_pool> pool_;
  std::vector<resource> resources_;
  soft_buffer scratch_{discovery_message_bits};
  std::array<std::uint8_t, discovery_message_bits> payload_{};
  recent_blocks recent_;
};

}  // namespace prose::phy
