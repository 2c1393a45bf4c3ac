// Results as CSV and as a picture.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "apps/bler/campaign.h"
#include "common/result.h"

namespace prose::apps {

struct bler_curve {
  std::string name;
  std::vector<bler_point> points;
};

result<void> write_csv(const std::string& path, std::span<const bler_curve> curves, const std::string& remark);
/// BLER over SNR on a logarithmic axis, with 95 % intervals.
result<void> plot_curves(const std::string& path, std::span<const bler_curve> curves, const std::string& title);

}  // namespace prose::apps
