#include "phy/types/subframe_set.h"

#include <array>

namespace prose::phy {

bool is_uplink_subframe(int tdd_config, int absolute_subframe) {
  // Bit s: subframe s of a frame is uplink. TS 36.211 table 4.2-2.
  constexpr std::array<std::uint16_t, 8> uplink{0x3FF, 0x39C, 0x18C, 0x084, 0x01C, 0x00C, 0x004, 0x19C};
  return (uplink[tdd_config] >> (absolute_subframe % 10)) & 1U;
}

result<std::vector<std::uint8_t>> parse_subframe_bitmap(std::string_view text, std::string_view key) {
  std::vector<std::uint8_t> bits;
  for (const char c : text) {
    if (c != '0' && c != '1') return fail(std::string(key) + ": only 0 and 1 are accepted");
    bits.push_back(c == '1' ? 1 : 0);
  }
  if (bits.empty() || bits.size() > 100) return fail(std::string(key) + ": 1 to 100 bits are accepted");
  return bits;
}

result<std::vector<int>> prbs_of(const prb_range& r, int n_prb, std::string_view key) {
  if (r.prb_num < 1 || r.prb_start < 0 || r.prb_end >= n_prb || r.prb_start + r.prb_num > n_prb ||
      r.prb_end - r.prb_num + 1 < 0)
    return fail(std::string(key) + ": prb_num " + std::to_string(r.prb_num) + ", prb_start " +
                std::to_string(r.prb_start) + ", prb_end " + std::to_string(r.prb_end) + " do not fit a carrier of " +
                std::to_string(n_prb) + " PRB");
  std::vector<int> prbs;
  for (int q = 0; q < n_prb; ++q) {
    const bool lower = q >= r.prb_start && q < r.prb_start + r.prb_num;
    const bool upper = q <= r.prb_end && q > r.prb_end - r.prb_num;
    if (lower || upper) prbs.push_back(q);
  }
  return prbs;
}

std::optional<pool_period::position> pool_period::locate(int s) const {
  if (s < 0 || s >= n_absolute_subframes) return std::nullopt;
  if (s < offset) s += n_absolute_subframes;
  const int index = (s - offset) / length;
  const int start = offset + index * length;
  if (start >= n_absolute_subframes) return std::nullopt;
  return position{start, s - start, index};
}

}  // namespace prose::phy
