#include "phy/types/mib_sl.h"

#include <cassert>

#include "common/bits.h"

namespace prose::phy {

// Order of the fields: sl-Bandwidth (3), tdd-ConfigSL (3), directFrameNumber (10), directSubframeNumber (4), inCoverage
// (1), reserved (19 or 27).

void pack(const mib_sl& mib, std::span<std::uint8_t> bits) {
  assert(bits.size() == 40 || bits.size() == 48);
  std::uint32_t bandwidth = 0;
  while (bandwidth < bandwidths_prb.size() - 1 && bandwidths_prb[bandwidth] != mib.n_prb) ++bandwidth;
  assert(bandwidths_prb[bandwidth] == mib.n_prb);
  bit_writer w(bits);
  w.put(bandwidth, 3);
  w.put(mib.tdd_config, 3);
  w.put(mib.direct_frame_number, 10);
  w.put(mib.direct_subframe_number, 4);
  w.put(mib.in_coverage ? 1 : 0, 1);
  w.put(mib.reserved, static_cast<int>(bits.size()) - 21);
}

std::optional<mib_sl> unpack_mib_sl(std::span<const std::uint8_t> bits) {
  if (bits.size() != 40 && bits.size() != 48) return std::nullopt;
  bit_reader r(bits);
  const std::uint32_t bandwidth = r.get(3);
  mib_sl m;
  m.tdd_config = static_cast<std::uint8_t>(r.get(3));
  m.direct_frame_number = static_cast<std::uint16_t>(r.get(10));
  m.direct_subframe_number = static_cast<std::uint8_t>(r.get(4));
  m.in_coverage = r.get(1) != 0;
  m.reserved = r.get(static_cast<int>(bits.size()) - 21);
  if (bandwidth >= bandwidths_prb.size() || m.direct_subframe_number > 9) return std::nullopt;
  m.n_prb = bandwidths_prb[bandwidth];
  return m;
}

}  // namespace prose::phy
