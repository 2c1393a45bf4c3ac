// SC-FDMA demodulation of one subframe of one antenna (TS 36.211 5.6), up to but without the DFT de-precoding.
#pragma once

#include <span>
#include <vector>

#include "phy/dsp/batch_dft.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"
#include "phy/types/grid.h"

namespace prose::phy {

/// Samples of one subframe with room for windows that reach over its ends (zeros there).
class subframe_samples {
public:
  explicit subframe_samples(const carrier_config& c);
  std::span<cf32> body() { return {buffer_.data() + margin_, body_}; }
  std::span<const cf32> body() const { return {buffer_.data() + margin_, body_}; }
  /// Sample n of the subframe; -margin() <= n < size + margin().
  const cf32* at(int n) const { return buffer_.data() + margin_ + n; }
  int margin() const { return static_cast<int>(margin_); }

private:
  std::size_t margin_;
  std::size_t body_;
  aligned_vector<cf32> buffer_;
};

/// Where the DFT window lies in the cyclic prefix: this share of the (shorter) prefix before the useful part, so that a
/// transmission may come this much too early, and paths this much short of a whole prefix too late.
inline constexpr double window_backoff = 0.4;

class scfdma_demodulator {
public:
  explicit scfdma_demodulator(const carrier_config& c);

  /// Fills the grid with the subframe that starts at sample `shift`, freed of the offset cfo_hz within each symbol: the
  /// offset turns no subcarrier into another, but the phase it gained by the start of each symbol's useful part is left
  /// in place (so an estimate from the grid is of the whole offset). amplitude multiplies everything; the DFT is
  /// unitary.
  void demodulate(const subframe_samples& in, int shift, double cfo_hz, float amplitude, resource_grid& out) noexcept;
  /// These symbols only.
  void demodulate(const subframe_samples& in, int shift, double cfo_hz, float amplitude, resource_grid& out,
                  std::span<const int> symbols) noexcept;

  /// Shifts that demodulate() accepts: no window begins before the subframe, of which nothing may be known.
  int min_shift() const { return -window_start_.front(); }
  int max_shift() const { return max_shift_; }

private:
  void make_rotation(double cfo_hz, float amplitude) noexcept;
  void take(const subframe_samples& in, int symbol, int shift, cf32* out) const noexcept;
  void put(const cf32* spectrum, int symbol, resource_grid& out) const noexcept;

  carrier_config carrier_;
  int backoff_;
  int max_shift_;
  std::vector<int> window_start_;  // by symbol, first sample of the DFT window
  std::vector<int> ramp_index_;    // by symbol, which ramp corrects the window's position
  std::vector<aligned_vector<cf32>> ramps_;
  aligned_vector<cf32> half_shift_;  // exp(-j pi (n - backoff) / N)
  aligned_vector<cf32> rotation_;
  aligned_vector<cf32> time_;
  aligned_vector<cf32> frequency_;
  batch_dft dft_;
  batch_dft one_dft_;
};

}  // namespace prose::phy
