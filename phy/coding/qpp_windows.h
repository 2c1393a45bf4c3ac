// The QPP interleaver seen by a decoder that works on W windows of K/W bits at once. The permutation is contention
// free: the W bits at the same place of all windows come from one place of W different windows, so interleaving moves
// whole rows and permutes the lanes within a row.
#pragma once

#include <cstdint>
#include <span>

#include "phy/coding/crc.h"
#include "phy/coding/qpp.h"

namespace prose::phy {

struct qpp_windows {
  int n_windows;                    ///< W: 8, 16 or 32
  int rows;                         ///< M = K / W
  const std::uint16_t* row;         ///< [k] interleaved row k reads natural row pi(k) mod M
  const std::uint8_t* take;         ///< [k * W + t] lane of that row which goes to lane t: floor(pi(k + t M) / M)
  const std::uint8_t* give;         ///< [k * W + w] the inverse: lane of interleaved row k which goes to lane w
  const std::uint32_t* weights24a;  ///< [t] x^(M (W - 1 - t)) modulo the polynomial of CRC24A
  const std::uint32_t* weights24b;
};

/// Built once for all sizes at the first call (about 0.8 MB); call it before a hot path. q is an element of qpp_all().
const qpp_windows& qpp_windows_of(const qpp& q) noexcept;

}  // namespace prose::phy
