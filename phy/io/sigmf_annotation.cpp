#include "phy/io/sigmf_annotation.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace prose::phy {

void fit_annotations(std::vector<sigmf_annotation>& annotations, std::int64_t n_samples) {
  for (auto& a : annotations) {
    const std::int64_t end = std::min(a.sample_start + a.sample_count, n_samples);
    a.sample_start = std::max<std::int64_t>(a.sample_start, 0);
    a.sample_count = end - a.sample_start;
  }
  std::erase_if(annotations, [](const sigmf_annotation& a) { return a.sample_count <= 0; });
  std::stable_sort(annotations.begin(), annotations.end(), [](const sigmf_annotation& a, const sigmf_annotation& b) {
    return a.sample_start < b.sample_start;
  });
}

nlohmann::json json_of(const sigmf_annotation& a) {
  return {{"core:sample_start", a.sample_start},
          {"core:sample_count", a.sample_count},
          {"core:freq_lower_edge", a.freq_lower_hz},
          {"core:freq_upper_edge", a.freq_upper_hz},
          {"core:label", a.label},
          {"core:comment", a.comment},
          {"core:generator", a.generator}};
}

}  // namespace prose::phy
