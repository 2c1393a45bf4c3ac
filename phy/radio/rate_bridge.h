// Bridges a device rate and the wanted rate when they differ: rational resampling with its delay taken out, so that
// ticks keep their meaning.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/result.h"
#include "phy/types/cf32.h"

namespace prose::phy {

/// A stream that arrives in blocks without gaps. Output sample k is the input interpolated at k * decim / interp.
class rate_bridge {
public:
  /// to_hz / from_hz must be a ratio of integers up to 256 within 1e-9.
  static result<rate_bridge> make(double from_hz, double to_hz);
  rate_bridge(rate_bridge&&) noexcept;
  rate_bridge& operator=(rate_bridge&&) noexcept;
  ~rate_bridge();

  unsigned interp() const;
  unsigned decim() const;
  void reset();
  /// Input in multiples of decim() gives the same multiple of interp(). The output lags by delay_out() samples.
  void run(std::span<const cf32> in, std::span<cf32> out);
  /// In output samples; a whole number by construction.
  std::int64_t delay_out() const;
  /// A burst on its own: zeros before and after, delay removed. The output holds ceil(in * interp / decim) samples.
  void run_burst(std::span<const cf32> in, std::vector<cf32>& out);

private:
  struct impl;
  explicit rate_bridge(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

}  // namespace prose::phy
