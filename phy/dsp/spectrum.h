// Power spectral density by liquid-dsp's averaged periodograms.
#pragma once

#include <memory>
#include <span>

#include "phy/types/cf32.h"

namespace prose::phy {

/// Averages windowed periodograms of everything written since the last clear(). One object a thread.
class spectrum {
public:
  /// n_bins: 2 or more.
  explicit spectrum(int n_bins);
  ~spectrum();
  spectrum(spectrum&&) noexcept;
  spectrum& operator=(spectrum&&) noexcept;

  void write(std::span<const cf32> samples);
  /// dB a bin, the lowest frequency first, zero frequency in the middle (bin n_bins / 2). psd.size() == n_bins. The sum
  /// over the bins of the linear values is the mean power of the samples.
  void psd_db(std::span<float> psd) const;
  void clear();
  int n_bins() const { return n_bins_; }

private:
  struct state;
  int n_bins_;
  std::unique_ptr<state> s_;
};

}  // namespace prose::phy
