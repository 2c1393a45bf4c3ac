// What a recording's metadata says of some of its samples: SigMF's annotations. They are written here, not read.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace prose::phy {

struct sigmf_annotation {
  std::int64_t sample_start = 0;  ///< index in the data file, as that of a capture
  std::int64_t sample_count = 0;
  /// On the scale of core:frequency of the capture; around 0 where that is not known.
  double freq_lower_hz = 0, freq_upper_hz = 0;
  std::string label, comment, generator;  ///< printable ASCII
};

/// What SigMF asks for: in order of sample_start, and within n_samples. Those without a sample in the file go.
void fit_annotations(std::vector<sigmf_annotation>& annotations, std::int64_t n_samples);

nlohmann::json json_of(const sigmf_annotation& annotation);

}  // namespace prose::phy
