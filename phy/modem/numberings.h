// Which subframe numbers are in use. Synchronisation references that do not hear each other each have a DFN of their
// own, on one carrier and perhaps with the same subframe boundaries. Where a pool lies depends on the numbers that its
// UEs use. So each numbering has monitors of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "phy/modem/comm_monitor.h"
#include "phy/modem/discovery_monitor.h"
#include "phy/modem/v2x_monitor.h"
#include "phy/types/pool.h"

namespace prose::phy {

/// What follows one numbering's pools.
struct pool_monitors {
  std::vector<v2x_monitor> v2x;
  std::vector<comm_monitor> comm;
  std::vector<discovery_monitor> discovery;
  /// Monitors of unknown pools, for the PRBs whose power the others do not explain (monitor_config::search_beside).
  std::vector<v2x_monitor> v2x_unexplained;
  std::vector<comm_monitor> comm_unexplained;
  std::vector<discovery_monitor> discovery_unexplained;
};

/// All storage is allocated at the start. A new numbering replaces the one that was heard longest ago; what its
/// monitors still hold expires.
class numberings {
public:
  static constexpr std::size_t most = 3;

  /// Monitors of the same pools for each numbering, 1 to `most`.
  explicit numberings(std::vector<pool_monitors>&& monitors)
      : slots_(monitors.size()),
        as_made_{monitors[0].v2x, monitors[0].comm, {}, monitors[0].v2x_unexplained, monitors[0].comm_unexplained, {}} {
    for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].monitors = std::move(monitors[i]);
  }

  /// Everything that was heard is forgotten. Allocates nothing: copies of one shape use the same memory again.
  void restart() {
    for (slot& s : slots_) {
      s.offset.reset();
      s.last_heard = -1;
      s.monitors.v2x = as_made_.v2x;
      s.monitors.comm = as_made_.comm;
      s.monitors.v2x_unexplained = as_made_.v2x_unexplained;
      s.monitors.comm_unexplained = as_made_.comm_unexplained;
      for (auto& d : s.monitors.discovery) d.restart();
      for (auto& d : s.monitors.discovery_unexplained) d.restart();
    }
  }
  /// A MIB said that the subframe with this index has this absolute number.
  void heard(std::int64_t index, int absolute) {
    const auto offset =
        static_cast<int>(((absolute - index) % n_absolute_subframes + n_absolute_subframes) % n_absolute_subframes);
    slot* pick = nullptr;
    for (slot& s : slots_)
      if (s.offset == offset) pick = &s;
    if (pick == nullptr) {
      // What was followed before any MIB goes on under the first one's numbers.
      const bool first = std::none_of(slots_.begin(), slots_.end(), [](const slot& s) { return s.offset.has_value(); });
      pick = first ? &slots_[0] : &*std::min_element(slots_.begin(), slots_.end(), [](const slot& a, const slot& b) {
        return age(a) < age(b);
      });
      pick->offset = offset;
    }
    pick->last_heard = index;
  }
  /// Drops the numberings that were not heard for longer than this, except the one heard last.
  void forget(std::int64_t index, std::int64_t memory_subframes) {
    std::int64_t latest = -1;
    for (const slot& s : slots_) latest = std::max(latest, age(s));
    for (slot& s : slots_)
      if (s.offset && age(s) < latest && index - s.last_heard > memory_subframes) s.offset.reset();
  }
  /// Calls f(monitors, absolute number) for each numbering in use, or once with -1 if there is none.
  template <class F>
  void each(std::int64_t index, F f) {
    bool any = false;
    for (slot& s : slots_)
      if (s.offset) {
        any = true;
        f(s.monitors,
          static_cast<int>(((index + *s.offset) % n_absolute_subframes + n_absolute_subframes) % n_absolute_subframes));
      }
    if (!any) f(slots_[0].monitors, -1);
  }
  pool_monitors& first() { return slots_[0].monitors; }

private:
  struct slot {
    pool_monitors monitors;
    std::optional<int> offset;     ///< absolute number of index 0
    std::int64_t last_heard = -1;  ///< index
  };
  static std::int64_t age(const slot& s) { return s.offset ? s.last_heard : -1; }
  std::vector<slot> slots_;
  pool_monitors as_made_;  ///< of every slot, but for discovery
};

}  // namespace prose::phy
