#include "apps/town/output.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "apps/lib/common/events.h"
#include "apps/lib/common/gnuplot.h"

namespace prose::apps::town {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

double share(std::uint64_t part, std::uint64_t of) {
  return of == 0 ? none : static_cast<double>(part) / static_cast<double>(of);
}

json_object counters(const air_counters& n) {
  json_object o;
  o.add("heard", n.heard).add("half_duplex", n.half_duplex).add("collided", n.collided).add("weak", n.weak);
  return o;
}

/// How well a listener follows links or radios: guesses by a feature, how many were right, and the share by chance.
json_object guesses(const std::vector<residual>& all) {
  json_object o;
  for (const auto& r : all) {
    json_object one;
    one.add("trials", r.trials).add("right", r.right).add("success", r.success).add("chance", r.chance);
    o.add(r.feature, one);
  }
  return o;
}

json_object verdict_of(const verdict& v) {
  json_object o;
  double least_p = 1;
  for (const auto& s : v.statistics) least_p = std::min(least_p, s.p_value);
  o.add("outcome", name_of(v.outcome)).add("reason", v.reason);
  o.add("findings", static_cast<std::uint64_t>(v.findings.size())).add("least_p", least_p);
  o.add("frames", v.frames).add("records", v.records).add("links", v.links);
  o.add("radios_by_cfo", v.radios_by_cfo);
  std::vector<residual> followed;
  for (const auto& f : v.followed)
    if (f.radio == 0) followed.push_back(f.by);
  return o.add("by_traffic", guesses(v.traffic))
      .add("by_radio", guesses(v.residuals))
      .add("followed", guesses(followed));
}

/// The numbers that tables show, and how to write them.
struct column {
  const char* name;
  const char* title;
  double scale;
  const char* format;
};
constexpr std::array<column, 9> columns{{
    {"discovery_median_ms", "discovery ms", 1, "%.0f"},
    {"discovered_share", "found %", 100, "%.1f"},
    {"slots_heard_share", "slots heard %", 100, "%.1f"},
    {"linked_share", "linked %", 100, "%.1f"},
    {"set_up_success", "set-up %", 100, "%.1f"},
    {"set_up_median_ms", "set-up ms", 1, "%.0f"},
    {"delivered_share", "delivered %", 100, "%.1f"},
    {"psdch_collided_share", "collided %", 100, "%.1f"},
    {"hearers", "in reach", 1, "%.0f"},
}};

using group = std::tuple<int, double, int>;  ///< TM, density, UEs
std::map<group, std::vector<const town_row*>> grouped(const std::vector<town_row>& rows) {
  std::map<group, std::vector<const town_row*>> g;
  for (const auto& r : rows) g[{r.tm, r.density, r.ues}].push_back(&r);
  return g;
}

struct spread {
  double mean = none, low = none, high = none;
};
spread spread_of(const std::vector<const town_row*>& rows, const std::string& name) {
  spread s{0, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  int n = 0;
  for (const auto* r : rows) {
    const auto at = r->figures.find(name);
    if (at == r->figures.end() || std::isnan(at->second)) continue;
    ++n, s.mean += at->second, s.low = std::min(s.low, at->second), s.high = std::max(s.high, at->second);
  }
  if (n == 0) return {};
  s.mean /= n;
  return s;
}

std::string number(const char* format, double v) {
  char out[32];
  std::snprintf(out, sizeof out, format, v);
  return std::isnan(v) ? "-" : out;
}

}  // namespace

std::string to_line(const town_config& c, const town_result& r, bool cost) {
  const auto& f = r.figures;
  const double density = c.ues / (c.ground.side_m * c.ground.side_m) * 1e6;
  json_object o;
  o.add("event", "town").add("t", c.seconds).add("town", name_of(c));
  o.add("tm", c.tm).add("ues", c.ues).add("density_per_km2", density).add("seed", c.seed).add("hearers", f.hearers);
  o.add("directions", f.directions).add("discovered", f.discovered);
  o.add("discovered_share", share(f.discovered, f.directions));
  o.add("discovery_median_ms", f.discovery_median_ms).add("discovery_p95_ms", f.discovery_p95_ms);
  o.add("slots", f.slots).add("slots_heard", f.slots_heard).add("slots_heard_share", share(f.slots_heard, f.slots));
  o.add("pairs", f.pairs).add("linked", f.linked).add("linked_share", share(f.linked, f.pairs));
  o.add("established", f.established).add("failed", f.failed).add("lost", f.lost);
  // One set-up is told by both ends, a failed attempt by the one that asked.
  o.add("set_up_success", share(f.established, f.established + 2 * f.failed));
  o.add("set_up_median_ms", f.set_up_median_ms);
  o.add("sent", f.sent).add("delivered", f.delivered).add("delivered_share", share(f.delivered, f.sent));
  o.add("delivery_mean_ms", f.delivery_mean_ms).add("receptions", f.counted.receptions);
  o.add("messages_sent", f.messages_sent).add("messages_heard", f.messages_heard);
  const auto& d = f.counted.psdch;
  o.add("psdch_collided_share", share(d.collided, d.heard + d.collided + d.half_duplex));
  o.add("psdch", counters(f.counted.psdch))
      .add("pscch", counters(f.counted.pscch))
      .add("pssch", counters(f.counted.pssch));
  if (f.judged) o.add("verdict", verdict_of(*f.judged));
  if (!cost) return o.text();
  json_object k;
  k.add("cpu_s", r.cost.cpu_s).add("steps", r.cost.steps);
  k.add("steps_per_s", static_cast<double>(r.cost.steps) / r.cost.cpu_s);
  k.add("us_per_reception", 1e6 * r.cost.cpu_s / static_cast<double>(std::max<std::uint64_t>(f.counted.receptions, 1)));
  k.add("kib_per_ue", static_cast<double>(r.cost.memory_octets) / 1024 / c.ues);
  k.add("verdict_cpu_s", r.cost.verdict_cpu_s).add("verdict_frames", r.cost.verdict_frames);
  return o.add("cost", k).text();
}

result<town_row> read_line(const std::string& line) {
  const auto j = nlohmann::json::parse(line, nullptr, false);
  const auto is = [&](const char* key, auto type) { return j.contains(key) && (j[key].*type)(); };
  using json = nlohmann::json;
  if (!j.is_object() || !is("town", &json::is_string) || !is("tm", &json::is_number_integer) ||
      !is("ues", &json::is_number_integer) || !is("density_per_km2", &json::is_number))
    return fail("is no result of prose-town");
  town_row r{
      j["town"].get<std::string>(), j["tm"].get<int>(), j["ues"].get<int>(), j["density_per_km2"].get<double>(), {}};
  const auto take = [&](const json& object, const std::string& before) {
    for (const auto& [name, value] : object.items())
      if (value.is_number()) r.figures[before + name] = value.get<double>();
  };
  take(j, "");
  for (const char* part : {"verdict", "cost"})
    if (j.contains(part) && j[part].is_object()) take(j[part], std::string(part) + ".");
  return r;
}

std::string table_of(const std::vector<town_row>& rows) {
  char out[64];
  std::string text = "TM   UEs  per km2 towns";
  for (const auto& c : columns) {
    std::snprintf(out, sizeof out, " | %-19s", c.title);
    text += out;
  }
  text += '\n';
  for (const auto& [key, members] : grouped(rows)) {
    std::snprintf(out, sizeof out, "%-2d %5d %8.0f %5zu", std::get<0>(key), std::get<2>(key), std::get<1>(key),
                  members.size());
    text += out;
    for (const auto& c : columns) {
      const auto s = spread_of(members, c.name);
      std::string cell = number(c.format, c.scale * s.mean);
      if (members.size() > 1 && !std::isnan(s.mean))
        cell += " [" + number(c.format, c.scale * s.low) + ", " + number(c.format, c.scale * s.high) + "]";
      std::snprintf(out, sizeof out, " | %-19s", cell.c_str());
      text += out;
    }
    text += '\n';
  }
  return text;
}

namespace {

struct line_of {
  const char* name;
  const char* title;
  double scale;
};

/// One of the pictures: each figure of each TM over x, with the least and the largest value.
std::string panel(const std::vector<town_row>& rows, bool over_density, const char* title, const char* y,
                  std::initializer_list<line_of> lines) {
  std::string plots, data;
  int colour = 0;
  const auto groups = grouped(rows);
  for (const auto& l : lines) {
    ++colour;
    for (const int tm : {2, 4}) {
      std::string points;
      char row[160];
      for (const auto& [key, members] : groups) {
        const auto s = spread_of(members, l.name);
        if (std::get<0>(key) != tm || std::isnan(s.mean)) continue;
        std::snprintf(row, sizeof row, "%g %g %g %g\n", over_density ? std::get<1>(key) : std::get<2>(key),
                      l.scale * s.mean, l.scale * s.low, l.scale * s.high);
        points += row;
      }
      if (points.empty()) continue;
      std::snprintf(row, sizeof row, "%s'-' with yerrorlines lc %d dt %d pt 7 ps 0.6 lw 1.5 title 'TM%d: %s'",
                    plots.empty() ? "plot " : ", ", colour, tm == 2 ? 1 : 2, tm, l.title);
      plots += row;
      data += points + "e\n";
    }
  }
  if (plots.empty()) return "set multiplot next\n";
  return std::string("set title '") + title + "'; set ylabel '" + y + "'\n" + plots + "\n" + data;
}

}  // namespace

result<void> plot(const std::string& path, const std::vector<town_row>& rows) {
  std::set<double> densities;
  for (const auto& r : rows) densities.insert(std::round(r.density * 1000));
  const bool over_density = densities.size() > 1;
  auto opened = gnuplot::png(path, 1100, 800);
  if (!opened) return tl::unexpected(opened.error());
  opened->command(
      std::string("set multiplot layout 2,2; set logscale x; set grid lc rgb '#cccccc'; set key bottom left font "
                  "',9'; set yrange [0:*]\nset xlabel '") +
      (over_density ? "UEs a km^2" : "UEs") + "'\n" +
      panel(rows, over_density, "Discovery", "ms",
            {{"discovery_median_ms", "median", 1}, {"discovery_p95_ms", "95 %", 1}}) +
      panel(rows, over_density, "Links", "%",
            {{"linked_share", "pairs linked", 100},
             {"set_up_success", "set-ups that succeed", 100},
             {"delivered_share", "messages delivered", 100}}) +
      panel(rows, over_density, "Discovery messages", "%",
            {{"psdch_collided_share", "collided", 100}, {"slots_heard_share", "slots with the peer heard", 100}}) +
      panel(rows, over_density, "Frames of the listener, thousands", "",
            {{"verdict.frames", "frames judged", 0.001}, {"verdict.records", "records", 0.001}}) +
      "unset multiplot\n");
  return opened->finish();
}

}  // namespace prose::apps::town
