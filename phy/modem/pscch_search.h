// Tells which PSCCH candidates carry the reference signal of PSCCH, before anything is decoded. The reference signals
// are the same for all transmitters (TS 36.211 9.8), so one correlation over a bank of delays serves all four cyclic
// shifts: a shift of 3 is a delay of a quarter symbol, 16.7 us.
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

  struct peak {
    float metric = 0;  ///< share (0..1) of the reference symbols' energy that one path explains
    int bin = 0;       ///< its delay, in steps of half the resolution (delay_of)
  };
  /// The best path of each cyclic shift, with any delay that is received and any carrier offset. A delay of one shift
  /// may be one of the next shift as well (place_of): which it is shows only in a DFT window where the delay lies.
  using peaks = std::array<peak, max_shifts>;
  /// Nothing is looked at more closely where no path reaches `at_least`.
  peaks find(std::span<const resource_grid> grids, int first_prb, float at_least) const noexcept;
  /// What find() reads of a grid.
  std::span<const int> symbols() const { return std::span(symbols_).first(n_pilots_); }

  /// In turns a subcarrier.
  double delay_of(int bin) const { return bin / static_cast<double>(n_places_); }
  /// The phase slope, in steps of delay_of(1) modulo a whole symbol. Shifts and delays of equal phase slope look the
  /// same.
  int place_of(int shift, int bin) const { return ((bin - shift * shift_places_) % n_places_ + n_places_) % n_places_; }
  /// The window of a grid covers the delay: what is measured there holds.
  bool in_window(int bin) const { return bin >= first_in_window_ && bin <= last_in_window_; }

private:
  static constexpr int most_bins = 48;  // of TM3/4; of TM1/2 16 are enough
  static constexpr int n_offsets = 8;
  template <int n_bins>
  void correlate_all(std::span<const resource_grid> grids, int first_prb,
                     std::array<float, most_bins>& share) const noexcept;

  carrier_config carrier_;
  int n_prb_;
  int n_shifts_;
  int n_places_;      // delays half a resolution apart in a whole symbol
  int shift_places_;  // so many of them are a step of the cyclic shift
  int first_bin_, last_bin_;
  int first_in_window_, last_in_window_;
  int n_pilots_;
  std::array<int, 4> symbols_{};
  // [subcarrier][bin]: conj(reference) times the bin's delay; real and imaginary parts apart for the vector unit.
  aligned_vector<float> re_;
  aligned_vector<float> im_;
  std::array<std::array<cf32, 4>, n_offsets> offsets_{};
};

}  // namespace prose::phy
