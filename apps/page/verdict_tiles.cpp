#include "apps/page/verdict_tiles.h"

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <string>

namespace prose::page {
namespace {

const json& part(const json& report, const char* key) {
  static const json nothing;
  const auto at = report.find(key);
  return at == report.end() ? nothing : *at;
}

json tile(const char* state, const std::string& sentence) { return {{"state", state}, {"sentence", sentence}}; }

/// The first finding of one of these aspects; null: none.
const json* finding(const json& report, std::initializer_list<const char*> aspects) {
  for (const auto& f : part(report, "findings"))
    if (f.is_object() &&
        std::any_of(aspects.begin(), aspects.end(), [&](const char* a) { return string_at(f, "aspect") == a; }))
      return &f;
  return nullptr;
}

json failed(const json& f) {
  json t = tile("failed", string_at(f, "reason"));
  const auto frames = f.find("frames");
  if (frames != f.end() && frames->is_array()) t["frames"] = *frames;
  return t;
}

std::string whole(double v) { return std::to_string(static_cast<long long>(std::clamp(v, 0.0, 1e15))); }
std::string percent(double v) { return whole(100 * std::clamp(v, 0.0, 1.0) + 0.5) + " %"; }

json content(const json& report, const json& counts) {
  if (const auto* f = finding(report, {"content"})) return failed(*f);
  const double records = number_at(counts, "records");
  if (records < 1) return tile("not_run", "No message was heard.");
  return tile("passed", "Nothing readable in " + whole(records) + " messages of " +
                            whole(number_at(counts, "record_octets")) + " octets.");
}

json identity(const json& report, const json& counts) {
  if (const auto* f = finding(report, {"identity", "presence"})) return failed(*f);
  const double seen = number_at(counts, "discovery") + number_at(counts, "links");
  if (seen < 1) return tile("not_run", "No discovery message and no link was heard.");
  return tile("passed", "No name, and no identifier that tells who somebody is, in " +
                            whole(number_at(counts, "discovery")) + " discovery messages and " +
                            whole(number_at(counts, "links")) + " pairs of addresses.");
}

json stolen_keys(const json& report, const json& counts) {
  if (const auto* f = finding(report, {"compromise"})) return failed(*f);
  const double keys = number_at(counts, "keys_tried");
  if (keys < 1) return tile("not_run", "No stolen key was given.");
  double own = 0;
  for (const auto& o : part(report, "opened_links"))
    if (o.is_object()) own += number_at(o, "records_opened");
  return tile("passed", "The stolen keys open " + whole(own) + " messages of their owner and none of others (" +
                            whole(number_at(counts, "trials")) + " trials).");
}

json radio(const json& report) {
  const json* best = nullptr;
  for (const char* list : {"residual_across_rotations", "residual"})
    for (const auto& r : part(report, list)) {
      if (!r.is_object() || number_at(r, "trials") < 1) continue;
      const auto gain = [](const json& x) { return number_at(x, "low") - number_at(x, "chance"); };
      if (best == nullptr || gain(r) > gain(*best)) best = &r;
    }
  if (best == nullptr) return tile("not_run", "Too little was heard to compare radios.");
  const auto text = string_at(*best, "feature") + " alone is right in " + percent(number_at(*best, "success")) +
                    " of " + whole(number_at(*best, "trials")) + " cases, guessing in " +
                    percent(number_at(*best, "chance")) + ".";
  return number_at(*best, "low") > number_at(*best, "chance") ? tile("failed", "Radios can be told apart: " + text)
                                                              : tile("passed", "Radios look alike: " + text);
}

/// What a page lists: the first few, with their first few frames.
json findings(const json& report) {
  constexpr std::size_t most = 20;
  json out = json::array();
  for (const auto& f : part(report, "findings")) {
    if (!f.is_object() || out.size() == most) continue;
    json frames = json::array();
    for (const auto& n : part(f, "frames"))
      if (n.is_number_unsigned() && frames.size() < most) frames.push_back(n);
    out.push_back({{"aspect", string_at(f, "aspect")},
                   {"check", string_at(f, "check")},
                   {"reason", string_at(f, "reason")},
                   {"frames", std::move(frames)}});
  }
  return out;
}

}  // namespace

json tiles_of(const json& report) {
  const json& counts = part(report, "counts");
  const json empty = json::object();
  const json& c = counts.is_object() ? counts : empty;
  json out{{"outcome", string_at(report, "outcome")},
           {"reason", string_at(report, "reason")},
           {"findings", findings(report)},
           {"tiles",
            {{"content", content(report, c)},
             {"identity", identity(report, c)},
             {"stolen_keys", stolen_keys(report, c)},
             {"radio", radio(report)}}}};
  if (const auto said = string_at(report, "headline"); !said.empty()) out["headline"] = said;
  return out;
}

}  // namespace prose::page
