// Which subframe numbers are in use. Synchronisation references that do not know of each other each count DFN for
// themselves, on one carrier and perhaps with the same subframe boundaries; where a pool lies depends on whose numbers
// its UEs use. So each has monitors of its own.
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
  /// Without knowledge of pools, where power is that the others do not explain (monitor_config::search_beside).
  std::vector<v2x_monitor> v2x_beside;
  std::vector<comm_monitor> comm_beside;
  std::vector<discovery_monitor> discovery_beside;
};

/// All storage is there from the start. The numbering that was heard of longest ago makes room for a new one; what its
/// monitors still hold of it lapses by age.
class numberings {
public:
  static constexpr std::size_t most = 3;

  /// Monitors of the same pools for each reference that is told apart, 1 to most.
  explicit numberings(std::vector<pool_monitors>&& monitors) : slots_(monitors.size()) {
    for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].monitors = std::move(monitors[i]);
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
  /// Those that were not heard of for so long end, except the one heard last.
  void forget(std::int64_t index, std::int64_t memory_subframes) {
    std::int64_t latest = -1;
    for (const slot& s : slots_) latest = std::max(latest, age(s));
    for (slot& s : slots_)
      if (s.offset && age(s) < latest && index - s.last_heard > memory_subframes) s.offset.reset();
  }
  /// f(monitors, absolute number or -1) for each numbering in use; with -1 where there is none.
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
};

}  // namespace prose::phy
