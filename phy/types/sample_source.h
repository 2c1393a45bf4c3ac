// Where samples come from: a radio (real or emulated) or a recording. Both are used the same way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/result.h"
#include "phy/types/cf32.h"

namespace prose::phy {

struct read_status {
  std::int64_t first_tick = 0;  ///< device time of the first sample delivered, in samples at the source's rate
  std::size_t n_samples = 0;    ///< delivered; fewer than asked for at a gap or at the end
  bool gap_before = false;      ///< samples were lost before first_tick (overflow, or a new SigMF capture segment)
  /// By how much the device's time leapt before first_tick, forward or back, 0: it did not. What is lost there is what
  /// the source gave up, no more than the block that was being read.
  std::int64_t time_jump = 0;
  bool end = false;  ///< no more samples will come
};

class sample_source {
public:
  virtual ~sample_source() = default;
  virtual double sample_rate_hz() const = 0;
  virtual int n_antennas() const = 0;
  /// Fills out[a][0..n) for each antenna a; all spans have the same length. An error ends the source.
  virtual result<read_status> read(std::span<const std::span<cf32>> out) = 0;
};

}  // namespace prose::phy
