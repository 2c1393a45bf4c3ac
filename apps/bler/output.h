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
/// What write_csv() wrote.
struct saved_curves {
  std::string remark;
  std::vector<bler_curve> curves;
};
result<saved_curves> read_csv(const std::string& path);
/// Of the curve with this name, the point at snr_db as far as the file tells it apart; null: it is not there.
const bler_point* find_point(const saved_curves& saved, const std::string& curve, double snr_db);
/// What gnuplot is told: BLER over SNR on a logarithmic axis, with 95 % intervals, a line at 10 %, each curve's bound
/// there dashed, and an arrow down from the interval's end where no error was seen.
std::string plot_script(std::span<const bler_curve> curves, const std::string& title);
result<void> plot_curves(const std::string& path, std::span<const bler_curve> curves, const std::string& title);

}  // namespace prose::apps
