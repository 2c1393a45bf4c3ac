// Discovery messages in the resources of a known pool. Each transmission is decoded alone; if a message is sent more
// than once, those of a period are combined as well.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "phy/modem/recent_blocks.h"
#include "phy/modem/reception/subframe_view.h"
#include "phy/types/discovery_pool.h"

namespace prose::phy {

class psdch_combiner {
public:
  explicit psdch_combiner(discovery_pool pool);

  /// Receives the messages in this subframe, whose number must be known. Returns how many there were.
  int examine(const subframe_view& sf);
  /// Half-received messages are forgotten: the timing jumped.
  void forget();
  const discovery_pool& pool() const { return pool_; }
  /// The messages that were received last.
  recent_blocks& recent() { return recent_; }

private:
  /// One resource of the current period. TS 36.321 gives the redundancy versions of rv_order; some transmitters send 0
  /// each time. So there is a buffer for either.
  struct resource {
    bool used = false;
    int n = 0;
    std::int64_t index = 0;  ///< of the transmission that was combined last
    int combined = 0;
    bool decoded = false;
    soft_buffer by_order{discovery_message_bits};
    soft_buffer all_first{discovery_message_bits};
  };
  bool receive(const subframe_view& sf, const discovery_pool::candidate& c);
  /// The one of the message that has this transmission, null if there is none.
  resource* resource_of(const subframe_view& sf, const discovery_pool::candidate& c);
  resource& new_resource(const subframe_view& sf, int n);
  /// Counts the resource if a signal is in it.
  void count(const subframe_view& sf, int prb, float metric, bool decoded) const;

  discovery_pool pool_;
  std::vector<resource> resources_;
  soft_buffer scratch_{discovery_message_bits};
  std::array<std::uint8_t, discovery_message_bits> payload_{};
  recent_blocks recent_;
};

/// Reports a message. `recent` are the caller's recent messages.
void report_discovery(const subframe_view& sf, const psdch_config& c, const signal_estimate& s, int transmissions,
                      std::span<const std::uint8_t> payload, recent_blocks& recent);

}  // namespace prose::phy
