#include "phy/air/hub.h"

#include <algorithm>

#include "phy/air/air_clock.h"
#include "phy/air/air_node.h"

namespace prose::phy::air {

std::vector<hub_event> hub::step() {
  std::vector<hub_event> events;
  air_memory& m = memory();
  advance(m);
  const std::int64_t now = m.now.load();
  const double now_s = static_cast<double>(now) / static_cast<double>(ticks_per_second);
  n_nodes_ = 0;
  for (int i = 0; i < max_nodes; ++i) {
    const std::size_t at = i;
    node_slot& n = m.nodes[at];
    const node_state state = n.state.load();
    const std::string name(to_string_view(n.name));
    if (seen_joined_[at] && (state != node_state::joined || n.generation != seen_generation_[at])) {
      events.push_back({hub_event::kind::left, name, now_s});
      seen_joined_[at] = false;
    }
    if (state == node_state::joined && !seen_joined_[at]) {
      events.push_back({hub_event::kind::joined, name, now_s});
      seen_joined_[at] = true;
      seen_generation_[at] = n.generation;
    }
    if (state == node_state::joined && !link_.node_alive(i)) {
      {
        const air_lock lock(m);
        if (n.state == node_state::joined && !link_.node_alive(i)) retire_node(m, n);
      }
      wake_ring_waiters(m);
      events.push_back({hub_event::kind::died, name, now_s});
      seen_joined_[at] = false;
    } else if (state == node_state::joined) {
      ++n_nodes_;
    } else if (state == node_state::leaving && heard_by_all(m) > n.free_after && !link_.node_alive(i)) {
      const air_lock lock(m);
      if (n.state == node_state::leaving) {
        n.state = node_state::free;
        m.active.fetch_and(~(std::uint64_t{1} << i));
        m.membership.fetch_add(1);
      }
    }
  }
  for (node_slot& n : m.nodes) {
    std::int64_t until = n.rx_linger_ns.load();
    if (until == 0 || wall_ns() < until) continue;
    const air_lock lock(m);
    if (!n.rx_linger_ns.compare_exchange_strong(until, 0)) continue;
    n.rx_limit = no_limit;
    m.dirty = 1;
  }
  watch_stalls(events);
  return events;
}

// One of the threads of its process has looked at the clock since then.
bool hub::is_alive(const node_slot& n, std::int64_t since_ns) const {
  return std::any_of(link_.memory().nodes.begin(), link_.memory().nodes.end(), [&](const node_slot& other) {
    return other.pid == n.pid && std::any_of(std::begin(other.waits), std::end(other.waits),
                                             [&](const wait_slot& w) { return w.beat_ns.load() >= since_ns; });
  });
}

// A clock that stands still at somebody's limit stands because of that node: stopped, hung, or it has forgotten its
// stream. After `stall_ns` the air goes on without it; a receiver rejoins when it reads again, a transmitter's burst
// ends as an underflow. Nodes whose limits are still ahead but have not moved for half as long, in processes that did
// not look at the clock either, go with it: the clock would only stop again at each of them.
void hub::watch_stalls(std::vector<hub_event>& events) {
  air_memory& m = memory();
  const std::int64_t wall = wall_ns();
  const std::int64_t now = m.now.load();
  for (std::size_t i = 0; i < max_nodes; ++i) {
    const std::int64_t rx = m.nodes[i].rx_limit.load(), tx = m.nodes[i].tx_commit.load();
    if (rx != seen_limits_[i].rx || tx != seen_limits_[i].tx) seen_limits_[i] = {rx, tx, wall};
  }
  if (now != last_now_) {
    last_now_ = now;
    last_move_ns_ = wall;
    return;
  }
  if (wall - last_move_ns_ < m.settings.stall_ns) return;
  {
    const air_lock lock(m);
    if (m.now.load() != now) return;
    for (std::size_t i = 0; i < max_nodes; ++i) {
      node_slot& n = m.nodes[i];
      if (n.state == node_state::free) continue;
      const std::int64_t since_ns = wall - m.settings.stall_ns / 2;  // they need not have stopped at the same moment
      const std::int64_t reach = seen_limits_[i].moved_ns > since_ns || is_alive(n, since_ns) ? now : no_limit - 1;
      const double now_s = static_cast<double>(now) / static_cast<double>(ticks_per_second);
      if (n.rx_limit.load() <= reach) {
        n.rx_limit = no_limit;
        n.rx_mixed = no_limit;
        n.rx_excluded = 1;
        events.push_back({hub_event::kind::rx_stalled, std::string(to_string_view(n.name)), now_s});
      }
      if (n.tx_commit.load() <= reach) {
        n.tx_commit = no_limit;
        n.tx_excluded = 1;
        n.tx_underflows.fetch_add(1);
        events.push_back({hub_event::kind::tx_stalled, std::string(to_string_view(n.name)), now_s});
      }
    }
    m.dirty = 1;
  }
  wake_ring_waiters(m);
  last_move_ns_ = wall;
}

}  // namespace prose::phy::air
