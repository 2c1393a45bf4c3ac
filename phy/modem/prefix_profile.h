// Carrier offsets from the cyclic prefixes: of the whole band, and coarsely by frequency. They resolve what the few
// reference symbols of a transmission leave open (two of them repeat every 2 kHz).
#pragma once

#include <span>
#include <vector>

#include "phy/dsp/batch_dft.h"
#include "phy/scfdma/channel_estimator.h"
#include "phy/scfdma/demodulator.h"
#include "phy/types/carrier.h"

namespace prose::phy {

class prefix_profile {
public:
  explicit prefix_profile(const carrier_config& c);

  struct whole {
    double cfo_hz = 0;
    double correlation = 0;  ///< share of the energy that repeats, 0..1
    double noise_level = 0;  ///< standard deviation of that share on noise
  };
  /// From the time domain, all antennas, for a subframe that starts at sample `shift`, at most half a symbol off.
  whole measure(std::span<const subframe_samples> samples, int shift) const noexcept;

  /// Correlates by frequency, for band(). `amplitude` multiplies the samples.
  void analyse(std::span<const subframe_samples> samples, float amplitude, int shift) noexcept;
  prefix_observation band(int first_subcarrier, int n_subcarriers) const noexcept;

private:
  carrier_config carrier_;
  int size_;    // of the small DFT
  int length_;  // samples of each prefix that are used: its later part
  std::vector<int> starts_;
  batch_dft dft_;
  aligned_vector<cf32> time_;
  aligned_vector<cf32> frequency_;
  std::vector<cf32> products_;
};

}  // namespace prose::phy
