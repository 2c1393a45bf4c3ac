// Which subframes a resource pool may use: uplink subframes, periods, bitmaps
// (TS 36.213 14.1.3, 14.1.4, 14.1.5, 14.2.3, 14.3.3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace prose::phy {

/// Absolute subframe numbers, 10 * DFN + subframe, run 0..10239.
inline constexpr int n_absolute_subframes = 10240;

/// tdd_config as in the MIB-SL: 0 is FDD (every subframe is uplink), 1..7 are sa0..sa6 (TS 36.211 table 4.2-2).
bool is_uplink_subframe(int tdd_config, int absolute_subframe);

/// Text of 0 and 1, the first subframe first. `key` names it in the error.
result<std::vector<std::uint8_t>> parse_subframe_bitmap(std::string_view text, std::string_view key);

/// PRBs of a TM1/TM2 or discovery pool, TS 36.331 names.
struct prb_range {
  int prb_num = 0;
  int prb_start = 0;
  int prb_end = 0;
  bool operator==(const prb_range&) const = default;
};
/// q in [start, start + num - 1] or [end - num + 1, end], ascending, each once (14.1.3, 14.2.3).
result<std::vector<int>> prbs_of(const prb_range& range, int n_prb, std::string_view key);

/// Periods of a pool: period i starts at offset + i * length. Numbers below `offset` belong to the last period of the
/// DFN cycle before, as far as that reaches.
struct pool_period {
  int offset = 0;
  int length = 40;
  struct position {
    int start;   ///< absolute subframe of the period's first subframe, 0..10239
    int offset;  ///< 0..length - 1
    int index;   ///< i
    bool operator==(const position&) const = default;
  };
  std::optional<position> locate(int absolute_subframe) const;
};

}  // namespace prose::phy
