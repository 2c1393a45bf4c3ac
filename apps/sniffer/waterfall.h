// A spectrogram of fixed size, however long the stream: when its columns are full, neighbours are averaged and each
// then covers twice the time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "phy/dsp/spectrum.h"
#include "phy/types/cf32.h"

namespace prose::apps {

class waterfall {
public:
  static constexpr int n_bins = 256;
  static constexpr std::size_t max_columns = 800;
  waterfall() : spectrum_(n_bins), psd_(n_bins) {}

  /// A block of samples (a subframe) of one antenna, in the order of the stream. Only its first samples are
  /// transformed.
  void add(std::span<const phy::cf32> block);
  /// Of the columns: n_columns() columns last as long as these.
  std::uint64_t n_samples() const { return n_samples_; }
  std::size_t n_columns() const { return columns_.size() / n_bins; }
  /// Empty without samples. `low_db`, `high_db`: of the first and the last colour, dB a bin.
  std::vector<std::uint8_t> png(float& low_db, float& high_db) const;

private:
  void end_column();
  static constexpr std::size_t transformed_samples = 2048;
  phy::spectrum spectrum_;
  std::vector<float> psd_;
  std::vector<float> columns_;  // linear, column after column
  std::uint64_t blocks_per_column_ = 1, blocks_ = 0;
  std::uint64_t n_samples_ = 0, waiting_samples_ = 0;  // waiting: of the column that is not full
};

}  // namespace prose::apps
