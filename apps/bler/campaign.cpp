#include "apps/bler/campaign.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <thread>

#include "phy/dsp/random.h"

namespace prose::apps {
namespace {
constexpr std::int64_t batch_trials = 10, round_trials = 200;
}

interval wilson(std::int64_t errors, std::int64_t trials) {
  if (trials == 0) return {0, 1};
  constexpr double z = 1.959963984540054;
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(errors) / n, centre = p + z * z / (2 * n);
  const double half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)), scale = 1 + z * z / n;
  // Exactly 0 and 1 at the ends, where rounding would leave crumbs.
  return {errors == 0 ? 0 : std::max(0.0, (centre - half) / scale),
          errors == trials ? 1 : std::min(1.0, (centre + half) / scale)};
}

void run_parallel(int n_threads, std::int64_t count, const std::function<void(int, std::int64_t)>& item) {
  std::atomic<std::int64_t> next{0};
  const auto work = [&](int thread) {
    for (std::int64_t i; (i = next.fetch_add(1)) < count;) item(thread, i);
  };
  std::vector<std::thread> threads;
  for (int t = 1; t < n_threads; ++t) threads.emplace_back(work, t);
  work(0);
  for (auto& t : threads) t.join();
}

namespace {
/// Errors in each of the rounds that follow `from` trials, counted by all processes. Batches are dealt out in turn.
std::vector<std::int64_t> count_errors(std::span<link_simulator> links, double snr_db, const campaign_config& c,
                                       std::int64_t from, std::int64_t n_rounds) {
  constexpr std::int64_t round_batches = round_trials / batch_trials;
  const std::uint64_t point_seed = phy::hash64(c.seed ^ phy::hash64(std::bit_cast<std::uint64_t>(snr_db + 0.0)));
  const std::int64_t trials = std::min(n_rounds * round_trials, c.max_trials - from);
  const std::int64_t batches = (trials + batch_trials - 1) / batch_trials;
  const std::int64_t own = batches > c.rank ? (batches - c.rank + c.n_ranks - 1) / c.n_ranks : 0;
  std::vector<std::int64_t> of_batch(static_cast<std::size_t>(own), 0);
  run_parallel(static_cast<int>(links.size()), own, [&](int thread, std::int64_t i) {
    const std::int64_t batch = c.rank + i * c.n_ranks, last = std::min(trials, (batch + 1) * batch_trials);
    for (std::int64_t t = batch * batch_trials; t < last; ++t)
      if (links[thread].trial(phy::hash64(point_seed + static_cast<std::uint64_t>(from + t)), snr_db)) ++of_batch[i];
  });
  std::vector<std::int64_t> errors(static_cast<std::size_t>(n_rounds), 0);
  for (std::int64_t i = 0; i < own; ++i) errors[(c.rank + i * c.n_ranks) / round_batches] += of_batch[i];
  c.sum(errors);
  return errors;
}
}  // namespace

bler_point measure(std::span<link_simulator> links, double snr_db, const campaign_config& c) {
  bler_point point{snr_db, 0, 0};
  // With many workers several rounds are done at once. A point still ends at the same round; what is beyond is lost.
  const std::int64_t workers = static_cast<std::int64_t>(links.size()) * c.n_ranks;
  const std::int64_t at_once = (workers * batch_trials + round_trials - 1) / round_trials;
  const auto goes_on = [&] { return point.trials < c.max_trials && point.errors < c.min_errors; };
  while (goes_on() && !c.stop()) {
    for (const auto errors : count_errors(links, snr_db, c, point.trials, at_once)) {
      if (!goes_on()) break;
      point.trials += std::min(round_trials, c.max_trials - point.trials);
      point.errors += errors;
    }
    c.progress(std::max(static_cast<double>(point.trials) / static_cast<double>(c.max_trials),
                        static_cast<double>(point.errors) / static_cast<double>(c.min_errors)));
  }
  return point;
}

double crossing_db(std::vector<bler_point> points, double target) {
  std::sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.snr_db < b.snr_db; });
  // Half an error where none was seen: its logarithm must exist.
  const auto y = [](const bler_point& p) {
    return std::log10(std::max(p.bler(), 0.5 / static_cast<double>(std::max<std::int64_t>(p.trials, 1))));
  };
  const double t = std::log10(target);
  // From the top: the last fall below the target counts.
  for (std::size_t i = points.size(); i-- > 1;) {
    const double a = y(points[i - 1]), b = y(points[i]);
    if (a > t && b <= t) return points[i - 1].snr_db + (points[i].snr_db - points[i - 1].snr_db) * (a - t) / (a - b);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

double find_crossing(std::span<link_simulator> links, double target, double start_db, double step_db,
                     const campaign_config& c, std::vector<bler_point>& points) {
  constexpr double far_db = 40;
  const auto at = [&](double snr_db) -> const bler_point& {
    for (const auto& p : points)
      if (std::abs(p.snr_db - snr_db) < 1e-6) return p;
    points.push_back(measure(links, snr_db, c));
    return points.back();
  };
  double low = start_db, high = start_db;
  if (at(start_db).bler() > target) {
    while (!c.stop() && high < start_db + far_db && at(high).bler() > target) high += 1;
    low = high - 1;
  } else {
    while (!c.stop() && low > start_db - far_db && at(low).bler() <= target) low -= 1;
    high = low + 1;
  }
  while (!c.stop() && high - low > step_db * 1.001) {
    const double middle = (low + high) / 2;
    (at(middle).bler() > target ? low : high) = middle;
  }
  return crossing_db(points, target);
}

}  // namespace prose::apps
