// Tells which PSCCH candidates carry the reference signal of PSCCH, before anything is decoded. The reference signals
// are the same for all transmitters (TS 36.211 9.8), so one correlation over a bank of delays serves all four cyclic
// shifts: a shift of 3 is a delay of a quarter symbol.
#pragma once

#include <array>
#include <span>

#include "phy/dsp/batch_dft.h"
#include "phy/types/carrier.h"
#include "phy/types/grid.h"

namespace prose::phy {

class pscch_search {
public:
  explicit pscch_search(const carrier_config& c);
  static constexpr int max_shifts = 4;
  int n_shifts() const { return n_shifts_; }
  int shift_value(int i) const { return 3 * i; }
  int n_prb() const { return n_prb_; }

  /// For each cyclic shift: the share (0..1) of the reference symbols' energy that one path explains, with any delay
  /// within the prefix and any carrier offset.
  std::array<float, max_shifts> metrics(std::span<const resource_grid> grids, int first_prb) const noexcept;

private:
  static constexpr int max_bins = 32;
  static constexpr int n_offsets = 8;
  /// A value for each bin, as one row of whole vectors.
  using row = float[max_bins];
  struct correlations {  // of each reference symbol of one antenna
    alignas(64) row re[4];
    alignas(64) row im[4];
  };
  inline void correlate(const cf32* y, row& re, row& im, float& energy) const noexcept;
  inline void add_power(const correlations& z, const std::array<cf32, 4>& offset, row& total) const noexcept;

  carrier_config carrier_;
  int n_prb_;
  int n_shifts_;
  int bins_per_shift_;
  int n_pilots_;
  std::array<int, 4> symbols_{};
  // [subcarrier][bin]: conj(reference) times the bin's delay; real and imaginary parts apart for the vector unit.
  aligned_vector<float> re_;
  aligned_vector<float> im_;
  std::array<std::array<cf32, 4>, n_offsets> offsets_{};
};

}  // namespace prose::phy
