#include "mac/sensing.h"

#include <algorithm>
#include <cmath>

namespace prose::mac {

namespace {
/// Bound on memory: some four SCIs in each subframe of the window.
constexpr std::size_t max_remembered_sci = 4096;
constexpr int priorities = 8;              // PPPP 1..8
constexpr double threshold_step_db = 3.0;  // 14.1.1.6, after step 7
/// Steps 5 and 6: the reservation periods that a pool may allow (restrictResourceReservationPeriod).
constexpr int allowed_periods[] = {20, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000};

/// Calls mark(y) for each y of [first, last] with y + j * own == at for some j in [0, c_resel).
template <class Mark>
void for_each_meeting(std::int64_t first, std::int64_t last, int own, int c_resel, std::int64_t at, Mark&& mark) {
  if (at < first) return;
  if (own <= 0) {
    if (at <= last) mark(at);
    return;
  }
  const std::int64_t j_first = at <= last ? 0 : (at - last + own - 1) / own;
  for (std::int64_t j = j_first; j < c_resel && at - j * own >= first; ++j) mark(at - j * own);
}
/// Q of steps 5 and 6: a period below P_step recurs within the selection window.
int repetitions(int period, std::int64_t n, std::int64_t z) {
  return period < sensing_p_step && n - z <= period ? (sensing_p_step + period - 1) / period : 1;
}
}  // namespace

sensing_history::sensing_history(const sensing_config& config) : config_(config), ring_(sensing_window) {}

void sensing_history::clear() {
  std::fill(ring_.begin(), ring_.end(), record{});
  sci_.clear();
  unmonitored_.clear();
}

const sensing_history::record* sensing_history::at(std::int64_t y) const {
  if (y < 0) return nullptr;
  const record& r = ring_[y % sensing_window];
  return r.y == y ? &r : nullptr;
}

void sensing_history::subframe(std::int64_t y, bool monitored, std::span<const double> rssi_dbm) {
  if (y < 0) return;
  record& r = ring_[y % sensing_window];
  r.y = y;
  r.monitored = monitored;
  r.measured = monitored && !rssi_dbm.empty();
  if (r.measured)
    for (std::size_t m = 0; m < rssi_dbm.size() && m < max_subchannels; ++m)
      r.rssi_mw[m] = static_cast<float>(std::pow(10.0, rssi_dbm[m] / 10));
  if (!monitored) unmonitored_.push_back(y);
  std::erase_if(unmonitored_, [&](std::int64_t z) { return z < y - sensing_window || z > y; });
  while (!sci_.empty() && sci_.front().y < y - sensing_window) sci_.pop_front();
}

void sensing_history::heard(const sensed_sci& sci) {
  if (sci.n_subchannels < 1 || sci.first_subchannel < 0 ||
      sci.first_subchannel + sci.n_subchannels > config_.n_subchannels || sci.priority < 1 ||
      sci.priority > priorities || sci.period_subframes < 0)
    return;
  if (sci_.size() >= max_remembered_sci) sci_.pop_front();
  sci_.push_back(sci);
}

// Step 8. Without any measurement a resource counts as silent.
double sensing_history::mean_rssi(const candidate_resource& r, const selection_request& q) const {
  const int stride =
      q.period_subframes >= sensing_p_step || q.period_subframes == 0 ? sensing_p_step : q.period_subframes;
  double sum = 0;
  int n = 0;
  for (std::int64_t y = r.y - stride; y >= q.n - sensing_window; y -= stride) {
    const record* rec = at(y);
    if (rec == nullptr || !rec->measured) continue;
    for (int m = 0; m < q.n_subchannels; ++m) sum += rec->rssi_mw[r.first_subchannel + m];
    n += q.n_subchannels;
  }
  return n == 0 ? 0.0 : sum / n;
}

// Step 5: another UE may have announced any period in a subframe that was not heard.
void sensing_history::exclude_unmonitored(const selection_request& q, std::vector<char>& excluded) const {
  const std::int64_t first = q.n + q.t1, last = q.n + q.t2;
  for (const auto z : unmonitored_) {
    if (z < q.n - sensing_window || z >= q.n) continue;
    for (const int period : allowed_periods)
      for (int i = 1; i <= repetitions(period, q.n, z); ++i)
        for_each_meeting(first, last, q.period_subframes, q.c_resel, z + std::int64_t{i} * period,
                         [&](std::int64_t y) { excluded[y - first] = 1; });
  }
}

// Step 6: what the SCIs above the threshold reserve. True if there was one that meets the window.
bool sensing_history::mark_reserved(const selection_request& q, int threshold_raises, int columns,
                                    std::vector<char>& reserved) const {
  const std::int64_t first = q.n + q.t1, last = q.n + q.t2;
  bool any = false;
  for (const auto& s : sci_) {
    if (s.y < q.n - sensing_window) continue;
    const auto threshold = config_.threshold_dbm[(q.priority - 1) * priorities + (s.priority - 1)];
    if (s.rsrp_dbm <= threshold + threshold_step_db * threshold_raises) continue;
    const int x_first = std::max(0, s.first_subchannel - q.n_subchannels + 1);
    const int x_last = std::min(columns - 1, s.first_subchannel + s.n_subchannels - 1);
    const auto mark = [&](std::int64_t y) {
      any = true;
      for (int x = x_first; x <= x_last; ++x) reserved[(y - first) * columns + x] = 1;
    };
    // The second transmission that an SCI announces is noted as heard where it will be, so s.y may lie ahead.
    if (s.y >= q.n) for_each_meeting(first, last, q.period_subframes, q.c_resel, s.y, mark);
    if (s.period_subframes == 0) continue;
    for (int i = 1; i <= repetitions(s.period_subframes, q.n, s.y); ++i)
      for_each_meeting(first, last, q.period_subframes, q.c_resel, s.y + std::int64_t{i} * s.period_subframes, mark);
  }
  return any;
}

// Steps 8 and 9. Every resource as quiet as the last one kept stays in: without measurements that is all of them, not
// the earliest ones.
void sensing_history::keep_quietest(const selection_request& q, std::size_t keep,
                                    std::vector<candidate_resource>& out) const {
  if (out.size() <= keep) return;
  std::vector<std::pair<double, candidate_resource>> ranked;
  ranked.reserve(out.size());
  for (const auto& r : out) ranked.emplace_back(mean_rssi(r, q), r);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const double limit = ranked[keep - 1].first;
  out.clear();
  for (const auto& [e, r] : ranked)
    if (e <= limit) out.push_back(r);
}

selection_outcome sensing_history::candidates(const selection_request& q, std::vector<candidate_resource>& out) const {
  selection_outcome o;
  const int columns = config_.n_subchannels - q.n_subchannels + 1;
  out.clear();
  if (columns <= 0 || q.priority < 1 || q.priority > priorities || q.t2 < q.t1) return o;
  const int n_subframes = q.t2 - q.t1 + 1;
  const auto usable = [&](int i) { return q.usable.empty() || q.usable[i] != 0; };
  int n_usable = 0;
  for (int i = 0; i < n_subframes; ++i) n_usable += usable(i) ? 1 : 0;
  o.n_total = columns * n_usable;
  const double enough = config_.remaining_fraction * o.n_total;

  std::vector<char> unmonitored(n_subframes, 0);
  exclude_unmonitored(q, unmonitored);
  // A UE that transmits much has monitored little. Raising the threshold cannot help against step 5, so the step is
  // waived if it leaves too little (as TS 38.214 8.1.4 does for its successor).
  int n_open = 0;
  for (int i = 0; i < n_subframes; ++i) n_open += usable(i) && unmonitored[i] == 0 ? columns : 0;
  if (n_open < enough) std::fill(unmonitored.begin(), unmonitored.end(), 0);

  // Steps 4, 6 and 7.
  std::vector<char> reserved;
  for (;; ++o.threshold_raises) {
    reserved.assign(n_subframes * columns, 0);
    const bool any = mark_reserved(q, o.threshold_raises, columns, reserved);
    out.clear();
    for (int i = 0; i < n_subframes; ++i) {
      if (!usable(i) || unmonitored[i] != 0) continue;
      for (int x = 0; x < columns; ++x)
        if (reserved[i * columns + x] == 0) out.push_back({q.n + q.t1 + i, x});
    }
    if (static_cast<double>(out.size()) >= enough || !any) break;
  }
  o.n_after_exclusion = static_cast<int>(out.size());
  keep_quietest(q, static_cast<std::size_t>(std::ceil(enough)), out);
  return o;
}

}  // namespace prose::mac
