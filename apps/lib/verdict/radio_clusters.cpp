#include "apps/lib/verdict/radio_clusters.h"

#include <algorithm>
#include <cmath>

#include "apps/lib/verdict/statistics.h"

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
  if (v.size() < max_frames && std::isfinite(f.cfo_hz) && std::isfinite(f.power_db) &&
      std::isfinite(f.timing_offset_samples))
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

namespace {
/// Mean difference of a feature over the ends heard of both, the better way round; negative: none was.
double distance(const link_history::link& now, const link_history::link& before, std::size_t feature) {
  double best = -1;
  for (const std::size_t turn : {0U, 1U}) {
    double sum = 0;
    int n = 0;
    for (std::size_t i = 0; i < 2; ++i) {
      const auto &a = now.ways[i], &b = before.ways[i ^ turn];
      if (a.n_frames == 0 || b.n_frames == 0) continue;
      sum += std::abs(static_cast<double>(a.first.of[feature]) - static_cast<double>(b.last.of[feature]));
      ++n;
    }
    if (n > 0 && (best < 0 || sum / n < best)) best = sum / n;
  }
  return best;
}

void count(residual& r, bool right, double chance) {
  r.chance = (r.chance * static_cast<double>(r.trials) + chance) / static_cast<double>(r.trials + 1);
  ++r.trials;
  r.right += right ? 1 : 0;
  r.success = static_cast<double>(r.right) / static_cast<double>(r.trials);
  const auto ci = wilson_95(r.right, r.trials);
  r.low = ci.low;
  r.high = ci.high;
}
}  // namespace

void judge_followed(const link_history& history, verdict& v) {
  const auto links = history.links();
  std::vector<float> cfo;
  for (const auto& l : links)
    for (const auto& d : l.ways)
      if (d.n_frames > 0) cfo.push_back(d.last.of[feature_cfo]);
  const radio_clusters radios(cfo);
  std::vector<std::pair<double, double>> sums(radios.count() + 1);  // of the offsets, and how many
  for (const float x : cfo)
    if (const auto r = radios.of(x); std::isfinite(x) && r < radios.count())
      sums[r + 1].first += static_cast<double>(x), ++sums[r + 1].second;
  const auto truth = history.by_time();
  for (std::size_t feature = 0; feature < signal_features::n; ++feature) {
    std::vector<followed_radio> of(radios.count() + 1);
    for (std::size_t r = 0; r < of.size(); ++r) {
      of[r].radio = r;
      of[r].cfo_hz = sums[r].second > 0 ? sums[r].first / sums[r].second : 0;
      of[r].by.feature = signal_feature_names[feature];
    }
    for (std::size_t k = 0; k < links.size(); ++k) {
      if (!truth.of[k]) continue;
      double nearest = 0;
      std::size_t n = 0, guess = k;
      bool may_be_right = false;
      for (const auto i : history.before(k)) {
        const double d = distance(links[k], links[i], feature);
        if (d < 0) continue;
        may_be_right = may_be_right || i == *truth.of[k];
        if (n++ == 0 || d < nearest) nearest = d, guess = i;
      }
      if (n < 2 || !may_be_right) continue;
      const bool right = guess == *truth.of[k];
      count(of[0].by, right, 1.0 / static_cast<double>(n));
      for (const auto& d : links[k].ways)
        if (const auto r = radios.of(d.last.of[feature_cfo]); d.n_frames > 0 && r < radios.count())
          count(of[r + 1].by, right, 1.0 / static_cast<double>(n));
    }
    for (auto& f : of)
      if (f.radio == 0 || f.by.trials > 0) v.followed.push_back(std::move(f));
  }
}

}  // namespace prose::apps
