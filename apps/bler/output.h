// Results as CSV and as a picture.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "apps/bler/campaign.h"
#include "common/result.h"

namespace prose::apps {

struct bler_curve {
  std::string name;
  std::vector<bler_point> points;
  double bound_10_db = std::numeric_limits<double>::quiet_NaN();  ///< of a receiver at 10 %; NaN: not known
};

result<void> write_csv(const std::string& path, std::span<const bler_curve> curves, const std::string& remark);
/// What gnuplot is told: BLER over SNR on a logarithmic axis, with 95 % intervals, a line at 10 %, each curve's bound
/// there dashed, and an arrow down from the interval's end where no error was seen.
std::string plot_script(std::span<const bler_curve> curves, const std::string& title);
result<void> plot_curves(const std::string& path, std::span<const bler_curve> curves, const std::string& title);

}  // namespace prose::apps
