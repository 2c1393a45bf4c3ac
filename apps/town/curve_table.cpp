#include "apps/town/curve_table.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

namespace prose::apps::town_texts {
extern const std::string_view curves_csv;
}

namespace prose::apps::town {
namespace {

std::optional<channel> channel_from(std::string_view name) {
  if (name == "psdch") return channel::psdch;
  if (name == "pscch") return channel::pscch;
  if (name == "pssch") return channel::pssch;
  return std::nullopt;
}

}  // namespace

result<curve_table> curve_table::parse(std::string_view csv) {
  curve_table t;
  for (int number = 1; !csv.empty(); ++number) {
    const auto end = std::min(csv.find('\n'), csv.size());
    const std::string line(csv.substr(0, end));
    csv.remove_prefix(std::min(end + 1, csv.size()));
    if (line.empty() || line.front() == '#' || line.starts_with("channel,")) continue;
    char name[16] = {};
    int tm = 0, mcs = 0, n_prb = 0;
    double snr_db = 0;
    long trials = 0, errors = 0;
    if (std::sscanf(line.c_str(), "%15[^,],%d,%d,%d,%lf,%ld,%ld", name, &tm, &mcs, &n_prb, &snr_db, &trials, &errors) !=
            7 ||
        trials < 1 || errors < 0 || errors > trials)
      return fail("line " + std::to_string(number) + " is no row of a table of curves");
    const auto of = channel_from(name);
    if (!of) continue;  // PSBCH: UEs with GNSS time send none
    if (t.curves_.empty() || t.curves_.back().of != *of || t.curves_.back().tm != tm || t.curves_.back().n_prb != n_prb)
      t.curves_.push_back({*of, tm, n_prb, {}, {}});
    auto& c = t.curves_.back();
    if (!c.snr_db.empty() && snr_db <= c.snr_db.back())
      return fail("line " + std::to_string(number) + ": SNRs must ascend");
    // A chance rise from one point to the next is none of the receiver's.
    const double rate = static_cast<double>(errors) / static_cast<double>(trials);
    c.rate.push_back(c.rate.empty() ? rate : std::min(rate, c.rate.back()));
    c.snr_db.push_back(snr_db);
  }
  if (t.curves_.empty()) return fail("there are no curves");
  return t;
}

const curve_table& curve_table::built_in() {
  static const auto table = parse(town_texts::curves_csv);
  if (!table) std::abort();  // a test reads the same text
  return *table;
}

double curve_table::error_rate(channel of, int tm, int n_prb, double snr_db) const {
  const curve* best = nullptr;
  for (const auto& c : curves_)
    if (c.of == of && c.tm == tm && (best == nullptr || std::abs(c.n_prb - n_prb) < std::abs(best->n_prb - n_prb)))
      best = &c;
  if (best == nullptr || snr_db < best->snr_db.front()) return 1;
  const auto after = std::upper_bound(best->snr_db.begin(), best->snr_db.end(), snr_db);
  if (after == best->snr_db.end()) return 0;
  const auto i = static_cast<std::size_t>(after - best->snr_db.begin());
  const double part = (snr_db - best->snr_db[i - 1]) / (best->snr_db[i] - best->snr_db[i - 1]);
  return best->rate[i - 1] + part * (best->rate[i] - best->rate[i - 1]);
}

}  // namespace prose::apps::town
