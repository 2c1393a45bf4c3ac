#include "phy/air/hub.h"

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
    const auto at = static_cast<std::size_t>(i);
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

// A clock that stands still at somebody's limit stands because of that node: stopped, hung, or it has forgotten its stream. After
// `stall_ns` the air goes on without it; a receiver rejoins when it reads again, a transmitter's burst ends as an underflow.
void hub::watch_stalls(std::vector<hub_event>& events) {
  air_memory& m = memory();
  const std::int64_t wall = wall_ns();
  const std::int64_t now = m.now.load();
  if (now != last_now_) {
    last_now_ = now;
    last_move_ns_ = wall;
    return;
  }
  if (wall - last_move_ns_ < m.settings.stall_ns) return;
  {
    const air_lock lock(m);
    if (m.now.load() != now) return;
    for (node_slot& n : m.nodes) {
      if (n.state == node_state::free) continue;
      const double now_s = static_cast<double>(now) / static_cast<double>(ticks_per_second);
      if (n.rx_limit.load() <= now) {
        n.rx_limit = no_limit;
        n.rx_mixed = no_limit;
        n.rx_excluded = 1;
        events.push_back({hub_event::kind::rx_stalled, std::string(to_string_view(n.name)), now_s});
      }
      if (n.tx_commit.load() <= now) {
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
