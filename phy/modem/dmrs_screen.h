// A cheap first test for reference symbols. There are many hypotheses of a sequence (ten n_ssf, sub-channel layouts,
// grants), nearly all of them are wrong, and the channel estimator costs about a hundred times as much.
#pragma once

#include <array>
#include <vector>

#include "phy/dsp/batch_dft.h"
#include "phy/modem/grid_cache.h"
#include "phy/scfdma/dmrs.h"

namespace prose::phy {

/// Correlates products of neighbouring subcarriers with those of a sequence. What a delay, a carrier offset, a cyclic
/// shift or a cover code does to all of them is one phase, so none of it needs to be known. One object a receiver;
/// allocates in the constructor only.
class dmrs_screen {
public:
  explicit dmrs_screen(const carrier_config& c);
  /// Forgets the previous subframe.
  void begin_subframe() noexcept { known_ = false; }
  /// Share (0..1) of the reference symbols' energy that the sequence explains: near SNR / (SNR + 1) for the right one;
  /// for another one the root mean square is one over the root of the number of resource elements.
  float share(const grid_cache::entry& grid, const dmrs_params& p, const symbol_map& map, int first_subcarrier,
              int n_prb) noexcept;
  /// A wrong sequence of n_res resource elements exceeds this share in one case of three (few) to one in a hundred
  /// (many). A right one that is strong enough to be decoded hardly ever falls below it.
  static float least_share(int n_res);

private:
  struct products {
    bool made = false;
    aligned_vector<float> re, im;  ///< y(k + 1) conj(y(k)), summed over antennas
    std::vector<double> energy;    ///< running sum of |y|^2
  };
  const products& products_of(const grid_cache::entry& grid, int symbol) noexcept;

  std::size_t n_subcarriers_;
  bool known_ = false;
  double cfo_hz_ = 0;
  int shift_ = 0;
  std::array<products, max_symbols_per_subframe> symbols_;
};

}  // namespace prose::phy
