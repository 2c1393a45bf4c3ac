#include "apps/verdict/radio_clusters.h"

#include <algorithm>
#include <cmath>

#include "apps/verdict/statistics.h"

namespace prose::apps {

radio_clusters::radio_clusters(std::vector<float> cfo, float gap_hz) {
  std::erase_if(cfo, [](float x) { return !std::isfinite(x); });
  std::sort(cfo.begin(), cfo.end());
  for (std::size_t i = 0; i < cfo.size(); ++i)
    if (i + 1 == cfo.size() || cfo[i + 1] - cfo[i] > gap_hz) ends_.push_back(cfo[i]);
}

std::size_t radio_clusters::of(float cfo_hz) const {
  return static_cast<std::size_t>(std::lower_bound(ends_.begin(), ends_.end(), cfo_hz) - ends_.begin());
}

void radio_residual::add(const captured_frame& f, std::uint32_t src) {
  if (by_src_.size() >= max_ids && !by_src_.contains(src)) return;
  auto& v = by_src_[src];
  if (v.size() < max_frames && std::isfinite(f.cfo_hz) && std::isfinite(f.power_db) && std::isfinite(f.timing_offset_samples))
    v.push_back({f.power_db, f.timing_offset_samples, f.cfo_hz});
}

void radio_residual::judge(verdict& v) const {
  std::vector<const std::vector<sample>*> ids;
  for (const auto& [src, list] : by_src_)
    if (list.size() >= 4) ids.push_back(&list);
  const std::pair<const char*, float sample::*> features[] = {
      {"power", &sample::power_db}, {"timing", &sample::timing}, {"cfo", &sample::cfo_hz}};
  for (const auto& [name, feature] : features) {
    residual r;
    r.feature = name;
    if (ids.size() > 1) {
      std::vector<double> means;
      for (const auto* list : ids) {
        double sum = 0;
        for (std::size_t i = 0; i < list->size() / 2; ++i) sum += (*list)[i].*feature;
        means.push_back(sum / static_cast<double>(list->size() / 2));
      }
      for (std::size_t k = 0; k < ids.size(); ++k)
        for (std::size_t i = ids[k]->size() / 2; i < ids[k]->size(); ++i) {
          const double x = (*ids[k])[i].*feature;
          std::size_t best = 0;
          for (std::size_t m = 1; m < means.size(); ++m)
            if (std::abs(means[m] - x) < std::abs(means[best] - x)) best = m;
          ++r.trials;
          r.right += best == k ? 1 : 0;
        }
      r.chance = 1.0 / static_cast<double>(ids.size());
    }
    r.success = r.trials == 0 ? 0 : static_cast<double>(r.right) / static_cast<double>(r.trials);
    const auto ci = wilson_95(r.right, r.trials);
    r.low = ci.low;
    r.high = ci.high;
    v.residuals.push_back(r);
  }
  std::vector<float> cfo;
  for (const auto* list : ids)
    for (const auto& s : *list) cfo.push_back(s.cfo_hz);
  v.radios_by_cfo = radio_clusters(cfo).count();
}

}  // namespace prose::apps
