// MMSE equalisation with antenna combining, and transform de-precoding (TS 36.211 5.3.3).
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "phy/dsp/batch_dft.h"
#include "phy/scfdma/channel_estimator.h"
#include "phy/types/carrier.h"
#include "phy/types/grid.h"

namespace prose::phy {

class equaliser {
public:
  equaliser(const carrier_config& c, int n_antennas);

  /// Equalises the allocation (first subcarrier, channel.m() of them) in the given symbols with the channel fitted for
  /// cfo_hz. symbol_times_s as given to the estimator for its pilots.
  void run(const channel_estimator& channel, std::span<const resource_grid> grids, int first_subcarrier,
           std::span<const std::int8_t> symbols, std::span<const double> symbol_times_s, double cfo_hz) noexcept;

  /// De-precoded modulation symbols of the i-th symbol, unbiased, unit mean power sent.
  std::span<const cf32> symbol(int i) const;
  /// Variance of the complex noise on them.
  float noise(int i) const { return noise_[i]; }

private:
  carrier_config carrier_;
  int n_antennas_;
  int m_ = 0;
  std::array<std::unique_ptr<batch_dft>, 101> inverse_;
  aligned_vector<cf32> weights_;  // [antenna][max_subcarriers]
  aligned_vector<cf32> channel_;  // [antenna][max_subcarriers]
  aligned_vector<float> gain_;
  aligned_vector<cf32> combined_;
  aligned_vector<cf32> out_;  // [symbol][max_subcarriers]
  std::array<float, max_symbols_per_subframe> noise_{};
};

}  // namespace prose::phy
