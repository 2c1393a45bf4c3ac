// NOT 3GPP: the PSCCH of srsRAN_4G with extended cyclic prefix. TS 36.212 5.4.3 matches the code to the 10 symbols' 240
// bits. That stack keeps the 288 bits of the normal prefix, interleaves 14 rows of 10 columns and sends the first 120
// QPSK symbols of the result. Its recordings are among those that a receiver meets, so both forms are named here for
// encoder and decoder.
#pragma once

#include <cstddef>

namespace prose::phy {

inline constexpr std::size_t pscch_extended_bits = 240;         ///< as TS 36.212 has it
inline constexpr std::size_t pscch_extended_srsran_bits = 288;  ///< E of its rate matching

/// Bit `written` (0..239, the order before a 12 x 10 channel interleaver, as for_each_interleaved() counts) of the
/// conforming layout carries this bit (0..287) of the 288 rate-matched ones.
constexpr std::size_t pscch_extended_srsran_source(std::size_t written) {
  const std::size_t group = written / 2;
  const std::size_t sent = group % 10 * 12 + group / 10;  // place among the 120 QPSK symbols
  return 2 * (sent % 14 * 10 + sent / 14) + written % 2;
}

}  // namespace prose::phy
