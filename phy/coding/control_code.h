// PSBCH and PSCCH coding (TS 36.212 5.4.1, 5.4.3): CRC16, rate 1/3 tail-biting convolutional code of 5.1.3.1, rate
// matching of 5.1.4.2. The channel interleaver is separate (interleaver.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "phy/types/cf32.h"

namespace prose::phy {

inline constexpr int max_control_payload_bits = 48;
inline constexpr int control_crc_bits = 16;

/// payload: unpacked bits, at most max_control_payload_bits. coded: E bits out. Returns the 16 CRC bits (first sent =
/// MSB), which TS 36.211 9.3.1 uses as n_ID^X. No allocation.
std::uint16_t encode_control(std::span<const std::uint8_t> payload, std::span<std::uint8_t> coded);

struct control_decode {
  bool crc_ok = false;
  std::uint16_t crc = 0;  ///< CRC bits as received
  /// Correlation of the soft bits with the re-encoded word, sum(llr * sign) / sum(|llr|): 1 for a perfect match, well
  /// below on noise, 0 when every input is an erasure. The signal check beside the CRC.
  float agreement = 0;
  /// How many soft bits carry it: sum(|llr|)^2 / sum(llr^2). All of them where they are equally strong, 2 / pi of them
  /// where they are Gaussian, few where few outweigh the rest. Chance agreement falls with its root.
  float effective_bits = 0;
};

/// Viterbi decoder of the same code, maximum likelihood but for rare words (conv.h). One object a thread; decode() does
/// not allocate.
class control_decoder {
public:
  control_decoder();
  ~control_decoder();
  control_decoder(control_decoder&&) noexcept;
  control_decoder& operator=(control_decoder&&) noexcept;
  /// coded: E soft bits (erasures 0). payload: the payload bits out, unpacked; its size selects the code.
  control_decode decode(std::span<const llr> coded, std::span<std::uint8_t> payload) noexcept;

private:
  struct state;
  std::unique_ptr<state> s_;
};

}  // namespace prose::phy
