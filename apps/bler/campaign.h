// Many trials on all cores, with results that depend on the seed alone.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "apps/bler/link.h"

namespace prose::apps {

struct campaign_config {
  std::uint64_t seed = 1;
  std::int64_t max_trials = 1000;
  std::int64_t min_errors = 100;  ///< a point ends when it has so many, at a round's end
  int n_threads = 1;
  /// Of several processes that measure the same points together. sum() adds up over all of them, and stop() must then
  /// change in sum() only, to the same in each.
  int rank = 0, n_ranks = 1;
  std::function<void(std::span<std::int64_t>)> sum = [](std::span<std::int64_t>) {};
  std::function<bool()> stop = [] { return false; };
  std::function<void(double)> progress = [](double) {};  ///< 0..1 of the point
};

struct bler_point {
  double snr_db = 0;
  std::int64_t trials = 0, errors = 0;
  double bler() const { return trials > 0 ? static_cast<double>(errors) / static_cast<double>(trials) : 0; }
};

struct interval {
  double low, high;
};
/// Wilson's score interval of a proportion, 95 %.
interval wilson(std::int64_t errors, std::int64_t trials);

/// Runs `count` numbered work items on n_threads threads; item(thread, index). Which thread takes which item is left
/// open.
void run_parallel(int n_threads, std::int64_t count, const std::function<void(int, std::int64_t)>& item);

/// One point. `links` has one link a thread. Trials are numbered; a trial's seed is a hash of the campaign's seed, the
/// SNR and its number, and rounds have a fixed size, so the result does not depend on the number of threads and
/// processes.
bler_point measure(std::span<link_simulator> links, double snr_db, const campaign_config& c);

/// Where log10(BLER) crosses log10(target) between measured points, by straight lines; NaN where it does not.
double crossing_db(std::vector<bler_point> points, double target);

/// The SNR at which the BLER is `target`: walks from `start_db` in whole steps until it is bracketed, then refines to
/// step_db. Gives all points it measured in `points`.
double find_crossing(std::span<link_simulator> links, double target, double start_db, double step_db,
                     const campaign_config& c, std::vector<bler_point>& points);

}  // namespace prose::apps
