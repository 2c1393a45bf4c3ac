#include "apps/iq/burst_labels.h"

#include <algorithm>
#include <set>

namespace prose::apps {
namespace {
constexpr double least_box_px = 5;
constexpr std::size_t most_boxes = 500, most_labels = 60;
constexpr double letter_px = 6.4, line_px = 13;  // of the font that plot.cpp asks for

struct place {
  double left, right, bottom, top;  // px
};

place place_of(const burst& b, const burst_view& v) {
  const double left = (b.start_s - v.from_s) / (v.to_s - v.from_s) * v.width_px;
  const double bottom = (b.high_hz / v.rate_hz + 0.5) * v.height_px;
  return {left, left + letter_px * static_cast<double>(b.label.size()), bottom, bottom + line_px};
}

bool has_box(const burst& b, const burst_view& v) {
  return (b.end_s - b.start_s) / (v.to_s - v.from_s) * v.width_px >= least_box_px && b.start_s >= v.from_s &&
         b.end_s <= v.to_s;
}

bool overlap(const place& a, const place& b) {
  return a.left < b.right && b.left < a.right && a.bottom < b.top && b.bottom < a.top;
}
}  // namespace

std::vector<burst> seen_boxes(const std::vector<burst>& all, const burst_view& v) {
  std::vector<burst> seen;
  for (const auto& b : all)
    if (has_box(b, v) && seen.size() < most_boxes) seen.push_back(b);
  return seen;
}

std::vector<burst> placed_labels(const std::vector<burst>& all, const burst_view& v) {
  std::vector<burst> placed;
  std::vector<place> taken;
  std::set<std::string> named;
  for (const bool first_of_its_text : {true, false})
    for (const auto& b : all) {
      if (placed.size() >= most_labels) return placed;
      if (first_of_its_text ? named.contains(b.label) : !has_box(b, v)) continue;
      const auto p = place_of(b, v);
      if (p.left < 0 || p.right > v.width_px || p.top > v.height_px) continue;
      if (std::any_of(taken.begin(), taken.end(), [&](const place& t) { return overlap(p, t); })) continue;
      taken.push_back(p);
      named.insert(b.label);
      placed.push_back(b);
    }
  return placed;
}

}  // namespace prose::apps
