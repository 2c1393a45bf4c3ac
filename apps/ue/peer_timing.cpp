#include "apps/ue/peer_timing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace prose::apps {
namespace {
constexpr double symbol_us = 1e6 / 15e3;  // TS 36.211 5.6: one subcarrier spacing
// A link without traffic sends a keep-alive every 10 s (the default): 12 readings.
constexpr double window_s = 120;
constexpr double shortest_s = 5;
constexpr std::size_t fewest = 6;
// A slope below so many standard errors may be chance.
constexpr double sure = 4;
constexpr double soon_minutes = 10;
}  // namespace

peer_timing::peer_timing(phy::cyclic_prefix cp)
    : half_prefix_us_(phy::delays_in_prefix(cp).latest * symbol_us / 2),
      earliest_us_(phy::received_delays(cp).earliest * symbol_us),
      latest_us_(phy::received_delays(cp).latest * symbol_us) {}

void peer_timing::add(double t_s, double late_us) {
  if (!readings_.empty() && t_s <= readings_.back().t_s) readings_.clear();  // the device's time was set back
  readings_.push_back({t_s, late_us});
  while (readings_.front().t_s < t_s - window_s) readings_.pop_front();
}

/// Least squares.
std::optional<double> peer_timing::slope_us_per_s() const {
  const auto n = static_cast<double>(readings_.size());
  if (readings_.size() < fewest || readings_.back().t_s - readings_.front().t_s < shortest_s) return std::nullopt;
  double t = 0, y = 0;
  for (const auto& r : readings_) t += r.t_s / n, y += r.late_us / n;
  double tt = 0, ty = 0, yy = 0;
  for (const auto& r : readings_) {
    tt += (r.t_s - t) * (r.t_s - t);
    ty += (r.t_s - t) * (r.late_us - y);
    yy += (r.late_us - y) * (r.late_us - y);
  }
  const double slope = ty / tt;
  const double error = std::sqrt(std::max(0.0, yy - slope * ty) / (n - 2) / tt);
  if (std::abs(slope) <= sure * error) return std::nullopt;
  return slope;
}

std::optional<peer_timing::trend> peer_timing::now() const {
  if (readings_.empty()) return std::nullopt;
  trend t{readings_.back().late_us, std::nullopt};
  if (const auto slope = slope_us_per_s()) {
    t.us_per_minute = *slope * 60;
    const double minutes = ((*slope > 0 ? latest_us_ : earliest_us_) - t.late_us) / *t.us_per_minute;
    if (minutes < soon_minutes) t.lost_in_minutes = std::max(0.0, minutes);
  }
  return t;
}

std::optional<peer_timing::trend> peer_timing::news() {
  const auto t = now();
  if (!t) return std::nullopt;
  const bool moved = std::abs(t->late_us - told_us_.value_or(0)) >= half_prefix_us_ / (told_us_ ? 2 : 1);
  const bool soon = t->lost_in_minutes && !told_soon_;
  told_soon_ = t->lost_in_minutes.has_value();
  if (!moved && !soon) return std::nullopt;
  told_us_ = t->late_us;
  return t;
}

std::string words_of(const peer_timing::trend& t) {
  std::string text = fmt::format("comes {:.1f} us {}", std::abs(t.late_us), t.late_us < 0 ? "early" : "late");
  if (t.us_per_minute)
    text +=
        fmt::format(", {:.2f} us a minute {}", std::abs(*t.us_per_minute), *t.us_per_minute < 0 ? "earlier" : "later");
  if (t.lost_in_minutes) text += fmt::format(": lost in {:.0f} min", *t.lost_in_minutes);
  return text;
}

}  // namespace prose::apps
