// The turbo decoder: max-log-MAP with scaled extrinsic values in int16, with the code block cut into 8, 16 or 32
// windows that are decoded side by side, one a SIMD lane.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "phy/coding/crc.h"
#include "phy/coding/qpp.h"

namespace prose::phy {

/// Largest magnitude of a soft input. The scale is free (max-log-MAP does not need the noise variance); a mean
/// magnitude near turbo_soft_mean loses nothing and leaves room for peaks.
inline constexpr int turbo_soft_limit = 255;
inline constexpr float turbo_soft_mean = 16;

struct turbo_outcome {
  bool crc_ok = false;
  int iterations = 0;  ///< full iterations begun
};

class turbo_decoder {
public:
  turbo_decoder();
  ~turbo_decoder();
  turbo_decoder(turbo_decoder&&) noexcept;
  turbo_decoder& operator=(turbo_decoder&&) noexcept;

  /// soft[i]: stream d(i), q.k + 4 values in -turbo_soft_limit .. turbo_soft_limit, positive for 0 (filler bits: the
  /// limit). bits: q.k unpacked bits out. Stops when the bits are a multiple of the CRC polynomial. No allocation.
  turbo_outcome decode(const qpp& q, const std::array<const std::int16_t*, 3>& soft, const crc_code& crc,
                       int max_iterations, std::span<std::uint8_t> bits) noexcept;

private:
  struct workspace;
  std::unique_ptr<workspace> w_;
};

}  // namespace prose::phy
