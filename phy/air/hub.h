// What prose-air does while it runs: reaps dead nodes, gives up stalled ones, frees slots. Samples do not pass through
// it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "phy/air/air_link.h"

namespace prose::phy::air {

struct hub_event {
  enum class kind : std::uint8_t { joined, left, died, rx_stalled, tx_stalled } what;
  std::string node;
  double air_time_s;
};

class hub {
public:
  explicit hub(air_link link) : link_(std::move(link)) {}
  /// Every 20 ms or so. Gives what happened since the last call.
  std::vector<hub_event> step();
  air_memory& memory() { return link_.memory(); }
  /// Nodes that are on the air.
  int n_nodes() const { return n_nodes_; }

private:
  bool is_alive(const node_slot& n, std::int64_t since_ns) const;
  void watch_stalls(std::vector<hub_event>& events);
  air_link link_;
  std::int64_t last_now_ = -1;
  std::int64_t last_move_ns_ = 0;
  struct seen_limits {
    std::int64_t rx = no_limit, tx = no_limit, moved_ns = 0;
  };
  std::array<seen_limits, max_nodes> seen_limits_{};
  int n_nodes_ = 0;
  std::array<std::uint32_t, max_nodes> seen_generation_{};
  std::array<bool, max_nodes> seen_joined_{};
};

}  // namespace prose::phy::air
