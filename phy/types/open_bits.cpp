#include "phy/types/open_bits.h"

#include <algorithm>
#include <cstdint>
#include <span>

#include "phy/types/tbs.h"

namespace prose::phy {
namespace {

struct entry {
  std::uint8_t mcs;
  std::uint8_t n_prb;
  std::uint16_t open;
};

// All formats that lack rank at a code rate of at most 1, found by elimination over GF(2)
// (tests/phy/coding/rank_search.h; `open_bits.search` goes through all formats again).

// Ten data symbols of which nine are sent: TM3/4, and TM1/2 with an extended prefix.
constexpr entry ten_symbols[] = {
    {9, 36, 7},    {9, 72, 14},   {10, 32, 53},  {10, 64, 106}, {14, 45, 48}, {14, 90, 96},  {15, 20, 31},
    {15, 40, 62},  {15, 80, 124}, {15, 81, 116}, {16, 75, 208}, {18, 16, 96}, {18, 32, 192}, {18, 64, 384},
    {19, 64, 4},   {20, 1, 5},    {20, 2, 5},    {20, 12, 18},  {20, 15, 64}, {20, 18, 46},  {20, 24, 36},
    {20, 25, 50},  {20, 27, 380}, {20, 36, 231}, {20, 45, 64},  {20, 48, 72}, {20, 50, 100}, {20, 54, 760},
    {20, 60, 385}, {21, 1, 5},    {21, 2, 5},    {21, 12, 18},  {21, 15, 64}, {21, 18, 46},  {21, 24, 36},
    {21, 25, 50},  {21, 27, 380}, {21, 36, 231}, {21, 45, 64},  {21, 48, 72}, {21, 50, 100}, {21, 54, 760},
    {21, 60, 385}};
// Nine that the code fills: TM3/4, transmission format 1.
constexpr entry nine_symbols[] = {{20, 1, 1}, {30, 10, 50}, {30, 32, 4}};
// Twelve of which eleven are sent: TM1/2 with a normal prefix.
constexpr entry twelve_symbols[] = {{23, 1, 1},    {23, 2, 2},    {23, 9, 31},   {23, 18, 62},
                                    {23, 24, 120}, {23, 36, 180}, {23, 60, 300}, {23, 72, 360},
                                    {23, 80, 1},   {23, 81, 1},   {23, 96, 480}};

}  // namespace

int open_bits(const carrier_config& carrier, int mcs, int n_prb, int transmission_format) {
  const auto t = pssch_transport(carrier.tm, mcs, n_prb, transmission_format);
  if (!t) return 0;
  const bool v2x = is_v2x(carrier.tm);
  const bool twelve = !v2x && carrier.cp == cyclic_prefix::normal;
  if (beyond_capacity(carrier, n_prb, *t, 1))
    return t->tbs + transport_crc_bits - pssch_sent_bits(carrier, n_prb, t->modulation_order);
  const std::span<const entry> table = twelve                            ? std::span<const entry>(twelve_symbols)
                                       : v2x && transmission_format == 1 ? std::span<const entry>(nine_symbols)
                                                                         : std::span<const entry>(ten_symbols);
  const auto found = std::ranges::find_if(table, [&](const entry& e) { return e.mcs == mcs && e.n_prb == n_prb; });
  return found == table.end() ? 0 : found->open;
}

}  // namespace prose::phy
