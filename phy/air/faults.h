// Faults on request: when the next one of a kind is due at one node.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "phy/air/air_link.h"
#include "phy/air/shm_layout.h"

namespace prose::phy::air {

class fault_plan {
public:
  fault_plan(const air_settings& s, std::string_view node) {
    for (std::uint32_t i = 0; i < s.n_faults; ++i) {
      const fault_rule& f = s.faults[i];
      const std::string_view who = to_string_view(f.node);
      if (who != "*" && who != node) continue;
      entries_.push_back({f.kind, ticks(f.after_s), ticks(f.every_s), ticks(f.length_s)});
    }
  }
  bool empty() const { return entries_.empty(); }
  /// Whether a fault of this kind falls at or before `age` (ticks since the stream or the first burst began); gives its
  /// length.
  bool due(fault_kind kind, std::int64_t age, std::int64_t* length = nullptr) {
    for (entry& e : entries_) {
      if (e.kind != kind || e.next < 0 || age < e.next) continue;
      if (length != nullptr) *length = e.length;
      if (e.every <= 0)
        e.next = -1;
      else
        e.next += ((age - e.next) / e.every + 1) * e.every;
      return true;
    }
    return false;
  }

private:
  struct entry {
    fault_kind kind;
    std::int64_t next;
    std::int64_t every;
    std::int64_t length;
  };
  static std::int64_t ticks(double s) { return static_cast<std::int64_t>(s * static_cast<double>(ticks_per_second)); }
  std::vector<entry> entries_;
};

}  // namespace prose::phy::air
