#include "apps/lib/verdict/traffic_residual.h"

#include <algorithm>
#include <cmath>

#include "apps/lib/verdict/statistics.h"

namespace prose::apps {
namespace {
void finish(residual& r, double chance_sum) {
  if (r.trials == 0) return;
  r.success = static_cast<double>(r.right) / static_cast<double>(r.trials);
  r.chance = chance_sum / static_cast<double>(r.trials);
  const auto ci = wilson_95(r.right, r.trials);
  r.low = ci.low;
  r.high = ci.high;
}

using link = link_history::link;
double sizes_apart(const link& a, const link& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.traffic.sizes.size(); ++i)
    sum += std::abs(static_cast<double>(a.traffic.sizes[i]) / static_cast<double>(a.traffic.n) -
                    static_cast<double>(b.traffic.sizes[i]) / static_cast<double>(b.traffic.n));
  return sum;
}
double times_apart(const link& a, const link& b) {
  const auto mean = [](const link& l) {
    return l.traffic.n > 1 ? l.traffic.log_interval / static_cast<double>(l.traffic.n - 1) : 0.0;
  };
  return std::abs(mean(a) - mean(b));
}
double lengths_apart(const link& a, const link& b) {
  const auto length = [](const link& l) { return std::log(std::max(l.last_s - l.first_s, 0.01)); };
  return std::abs(length(a) - length(b));
}
}  // namespace

void answer_residual::add(const captured_frame& f, std::uint32_t src, std::uint32_t dst) {
  if (last_s_ >= 0 && src != last_.first) {
    const direction answer{last_.second, last_.first};
    const auto others = n_ - of_sender_[last_.first];
    if (const auto seen = blocks_.find(answer); f.time_s - last_s_ <= answer_within_s && others > 0) {
      ++trials_;
      right_ += answer == direction{src, dst} ? 1 : 0;
      chance_ += seen == blocks_.end() ? 0 : static_cast<double>(seen->second) / static_cast<double>(others);
    }
  }
  if (blocks_.size() >= max_directions && !blocks_.contains({src, dst}))
    blocks_.clear(), of_sender_.clear(), n_ = 0;  // a flood of made-up links
  ++blocks_[{src, dst}];
  ++of_sender_[src];
  ++n_;
  last_ = {src, dst};
  last_s_ = f.time_s;
}

void answer_residual::judge(verdict& v) const {
  residual r;
  r.feature = "who answers whom";
  r.trials = trials_;
  r.right = right_;
  finish(r, chance_);
  v.traffic.push_back(r);
}

void judge_traffic(const link_history& history, verdict& v) {
  const auto links = history.links();
  const auto truth = history.by_time();
  const std::pair<const char*, double (*)(const link&, const link&)> features[] = {
      {"sizes of blocks", sizes_apart}, {"times between blocks", times_apart}, {"length of an epoch", lengths_apart}};
  for (const auto& [name, apart] : features) {
    residual r;
    r.feature = name;
    double chance = 0;
    for (std::size_t k = 0; k < links.size(); ++k) {
      if (!truth.of[k] || links[k].traffic.n == 0) continue;
      double nearest = 0;
      std::size_t n = 0, guess = k;
      bool may_be_right = false;
      for (const auto i : history.before(k)) {
        if (links[i].traffic.n == 0) continue;
        may_be_right = may_be_right || i == *truth.of[k];
        const double d = apart(links[k], links[i]);
        if (n++ == 0 || d < nearest) nearest = d, guess = i;
      }
      if (n < 2 || !may_be_right) continue;
      ++r.trials;
      r.right += guess == *truth.of[k] ? 1 : 0;
      chance += 1.0 / static_cast<double>(n);
    }
    finish(r, chance);
    v.traffic.push_back(r);
  }
}

}  // namespace prose::apps
