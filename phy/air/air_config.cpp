#include "phy/air/air_config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "phy/air/air_link.h"
#include "phy/air/yaml_document.h"

namespace prose::phy::air {
namespace {

// Inside this file errors travel as exceptions, as yaml-cpp's own do; load and parse turn them into results.
struct config_failure {
  YAML::Mark mark;
  std::string text;
};

[[noreturn]] void reject(const YAML::Node& at, const std::string& text) { throw config_failure{at.Mark(), text}; }

/// yaml-cpp takes the first of two equal keys and says nothing.
void check_once(const YAML::Node& map, const std::string& what) {
  std::set<std::string> seen;
  for (const auto& kv : map)
    if (const auto key = kv.first.as<std::string>(""); !seen.insert(key).second)
      reject(kv.first, "'" + key + "' is given twice in " + what);
}

void check_keys(const YAML::Node& map, const std::string& what, std::initializer_list<const char*> accepted) {
  if (!map.IsMap()) reject(map, what + ": accepted is a map");
  check_once(map, what);
  for (const auto& kv : map) {
    const auto key = kv.first.as<std::string>("");
    if (std::any_of(accepted.begin(), accepted.end(), [&](const char* a) { return key == a; })) continue;
    std::string list;
    for (const char* a : accepted) list += (list.empty() ? "" : ", ") + std::string(a);
    reject(kv.first, "unknown key '" + key + "' in " + what + ": accepted are " + list);
  }
}

double number(const YAML::Node& n, const std::string& what, double low, double high) {
  double v = 0.0;
  if (!n.IsScalar() || !YAML::convert<double>::decode(n, v) || !(v >= low && v <= high)) {
    std::ostringstream s;
    s << what << ": accepted is a number from " << low << " to " << high;
    reject(n, s.str());
  }
  return v;
}

std::uint64_t whole_number(const YAML::Node& n, const std::string& what, double low, double high) {
  const double v = number(n, what, low, high);
  if (v != std::floor(v)) reject(n, what + " '" + n.as<std::string>() + "': accepted is a whole number");
  return static_cast<std::uint64_t>(v);
}

std::string name_of(const YAML::Node& n, const std::string& what) {
  const auto name = n.IsScalar() ? n.as<std::string>() : std::string{};
  if (name != "*" && !is_valid_name(name))
    reject(n, what + " '" + name + "': accepted are 1 to 31 letters, digits, '_', '-', '.', or \"*\"");
  return name;
}

constexpr std::array<std::pair<std::string_view, fault_kind>, 9> fault_names{
    {{"overflow", fault_kind::overflow},
     {"underflow", fault_kind::underflow},
     {"late", fault_kind::late},
     {"drop", fault_kind::drop},
     {"kill", fault_kind::kill},
     {"late_command", fault_kind::late_command},
     {"outage", fault_kind::outage},
     {"unplug", fault_kind::unplug},
     {"clock_step", fault_kind::clock_step}}};
constexpr std::array<std::pair<std::string_view, fading_profile>, 3> fading_names{
    {{"none", fading_profile::none}, {"epa", fading_profile::epa}, {"eva", fading_profile::eva}}};

pair_rule parse_path(const YAML::Node& n) {
  pair_rule r;
  if (n["gain_db"]) {
    r.fields |= field_gain;
    r.params.gain_db = number(n["gain_db"], "gain_db", -200, 60);
  }
  if (n["delay_us"]) {
    r.fields |= field_delay;
    r.params.delay_s = number(n["delay_us"], "delay_us", 0, max_delay_s * 1e6) * 1e-6;
  }
  if (n["cfo_hz"]) {
    r.fields |= field_cfo;
    r.params.cfo_hz = number(n["cfo_hz"], "cfo_hz", -1e6, 1e6);
  }
  if (n["drift_ppm"]) {
    r.fields |= field_drift;
    r.params.drift_ppm = number(n["drift_ppm"], "drift_ppm", -100, 100);
  }
  if (n["doppler_hz"]) {
    r.fields |= field_doppler;
    r.params.doppler_hz = number(n["doppler_hz"], "doppler_hz", 0, 5000);
  }
  if (n["burst_loss"]) {
    r.fields |= field_burst_loss;
    r.params.burst_loss = number(n["burst_loss"], "burst_loss", 0, 1);
  }
  if (n["blocked"]) {
    bool b = false;
    if (!YAML::convert<bool>::decode(n["blocked"], b)) reject(n["blocked"], "blocked: accepted are true and false");
    r.fields |= field_blocked;
    r.params.blocked = b ? 1 : 0;
  }
  if (n["fading"]) {
    const auto f = n["fading"].as<std::string>("");
    r.fields |= field_fading;
    const auto known =
        std::find_if(fading_names.begin(), fading_names.end(), [&](const auto& x) { return x.first == f; });
    if (known == fading_names.end()) reject(n["fading"], "fading '" + f + "': accepted are none, epa, eva");
    r.params.fading = known->second;
  }
  return r;
}

void add_pair(air_settings& s, const YAML::Node& at, pair_rule r, const std::string& from, const std::string& to) {
  if (s.n_pair_rules == max_pair_rules)
    reject(at, "pairs: accepted are up to " + std::to_string(max_pair_rules) + " rules");
  r.from = to_name_text(from);
  r.to = to_name_text(to);
  s.pair_rules[s.n_pair_rules++] = r;
}

void parse_pairs(const YAML::Node& list, air_settings& s) {
  if (!list.IsSequence()) reject(list, "pairs: accepted is a list");
  for (const auto& n : list) {
    check_keys(n, "pairs",
               {"from", "to", "between", "gain_db", "delay_us", "cfo_hz", "drift_ppm", "doppler_hz", "fading",
                "burst_loss", "blocked"});
    const pair_rule r = parse_path(n);
    if (n["between"]) {
      const auto& b = n["between"];
      if (n["from"] || n["to"] || !b.IsSequence() || b.size() != 2)
        reject(n, "pairs: accepted are from and to, or between: [a, b]");
      const std::string a = name_of(b[0], "between");
      const std::string c = name_of(b[1], "between");
      add_pair(s, n, r, a, c);
      pair_rule back = r;
      back.params.cfo_hz = -r.params.cfo_hz;  // what one hears too high the other hears too low
      back.params.drift_ppm = -r.params.drift_ppm;
      add_pair(s, n, back, c, a);
    } else if (n["from"] && n["to"]) {
      add_pair(s, n, r, name_of(n["from"], "from"), name_of(n["to"], "to"));
    } else {
      reject(n, "pairs: accepted are from and to, or between: [a, b]");
    }
  }
}

void parse_nodes(const YAML::Node& map, air_settings& s) {
  if (!map.IsMap()) reject(map, "nodes: accepted is a map from name to settings");
  check_once(map, "nodes");
  for (const auto& kv : map) {
    check_keys(kv.second, "nodes", {"noise_dbfs", "clock_ppm"});
    if (s.n_node_rules == max_node_rules)
      reject(kv.first, "nodes: accepted are up to " + std::to_string(max_node_rules));
    node_rule r;
    r.name = to_name_text(name_of(kv.first, "node name"));
    if (kv.second["noise_dbfs"]) {
      r.fields |= field_noise;
      r.noise_dbfs = number(kv.second["noise_dbfs"], "noise_dbfs", -200, 20);
    }
    if (kv.second["clock_ppm"]) {
      r.fields |= field_clock;
      r.clock_ppm = number(kv.second["clock_ppm"], "clock_ppm", -100, 100);
    }
    s.node_rules[s.n_node_rules++] = r;
  }
}

constexpr double largest_step_ms = 1e8;  // more than a day

void parse_faults(const YAML::Node& list, air_config& c) {
  if (!list.IsSequence()) reject(list, "faults: accepted is a list");
  for (const auto& n : list) {
    check_keys(n, "faults", {"node", "kind", "after_s", "every_s", "length_ms", "step_ms"});
    fault_rule f;
    const auto kind = n["kind"] ? n["kind"].as<std::string>("") : std::string{};
    if (n["after_s"]) f.after_s = number(n["after_s"], "after_s", 0, 1e6);
    if (n["every_s"]) f.every_s = number(n["every_s"], "every_s", 1e-3, 1e6);
    if (n["length_ms"]) f.length_s = number(n["length_ms"], "length_ms", 1e-3, 1e5) * 1e-3;
    if (kind == "kill_hub") {
      c.kill_hub_after_s = f.after_s;
      continue;
    }
    const auto known =
        std::find_if(fault_names.begin(), fault_names.end(), [&](const auto& x) { return x.first == kind; });
    if (known == fault_names.end()) {
      std::string accepted;
      for (const auto& x : fault_names) accepted += std::string(x.first) + ", ";
      reject(n, "fault kind '" + kind + "': accepted are " + accepted + "kill_hub");
    }
    f.kind = known->second;
    if (!n["node"]) reject(n, "faults: a fault needs a node");
    const bool steps = f.kind == fault_kind::clock_step;
    if (steps != n["step_ms"].IsDefined() || (steps && n["length_ms"]))
      reject(n, "faults: step_ms belongs to clock_step, which needs it and has no length_ms");
    if (steps) f.length_s = number(n["step_ms"], "step_ms", -largest_step_ms, largest_step_ms) * 1e-3;
    f.node = to_name_text(name_of(n["node"], "node"));
    if (c.settings.n_faults == max_faults) reject(n, "faults: accepted are up to " + std::to_string(max_faults));
    c.settings.faults[c.settings.n_faults++] = f;
  }
}

air_config parse(const YAML::Node& root) {
  air_config c;
  air_settings& s = c.settings;
  if (root.IsNull()) return c;
  check_keys(root, "the file",
             {"air", "speed", "seed", "lead_us", "stall_ms", "adc_bits", "default", "nodes", "pairs", "faults"});
  if (root["air"]) {
    c.air = name_of(root["air"], "air");
    if (c.air == "*") reject(root["air"], "air '*': accepted are 1 to 31 letters, digits, '_', '-', '.'");
  }
  if (root["speed"]) {
    const auto v = parse_speed(root["speed"].as<std::string>(""));
    if (!v) reject(root["speed"], v.error().message);
    s.speed = *v;
  }
  if (root["seed"]) s.seed = whole_number(root["seed"], "seed", 0, 9e15);
  if (root["lead_us"])
    s.lead_ticks =
        std::llround(number(root["lead_us"], "lead_us", 1, 100e3) * 1e-6 * static_cast<double>(ticks_per_second));
  if (root["stall_ms"]) s.stall_ns = std::llround(number(root["stall_ms"], "stall_ms", 100, 3600e3) * 1e6);
  if (root["adc_bits"]) s.adc_bits = static_cast<std::uint32_t>(whole_number(root["adc_bits"], "adc_bits", 0, 16));
  if (root["default"]) {
    check_keys(root["default"], "default",
               {"gain_db", "delay_us", "cfo_hz", "drift_ppm", "doppler_hz", "fading", "burst_loss", "blocked"});
    add_pair(s, root["default"], parse_path(root["default"]), "*", "*");
  }
  if (root["nodes"]) parse_nodes(root["nodes"], s);
  if (root["pairs"]) parse_pairs(root["pairs"], s);
  if (root["faults"]) parse_faults(root["faults"], c);
  double longest = 0.0;
  for (std::uint32_t i = 0; i < s.n_pair_rules; ++i) longest = std::max(longest, s.pair_rules[i].params.delay_s);
  s.keep_ticks = static_cast<std::int64_t>((longest + drift_span_s + 10e-6) * static_cast<double>(ticks_per_second));
  return c;
}

template <class Names, class Value>
std::string_view name_in(const Names& names, Value value) {
  const auto at = std::find_if(names.begin(), names.end(), [&](const auto& x) { return x.second == value; });
  return at == names.end() ? "" : at->first;
}

}  // namespace

std::string_view name_of(fault_kind kind) { return name_in(fault_names, kind); }
std::string_view name_of(fading_profile profile) { return name_in(fading_names, profile); }

result<double> parse_speed(const std::string& text) {
  if (text == "max") return 0.0;
  double v = 0.0;
  std::istringstream in(text);
  if (!(in >> v) || !in.eof() || !(v >= 0.001 && v <= 1000.0))
    return fail("speed '" + text + "': accepted are max or a number from 0.001 to 1000");
  return v;
}

result<air_config> parse_air_config(const std::string& yaml, const std::string& source) {
  const auto at = [&](const YAML::Mark& m) {
    return source + ":" + (m.is_null() ? std::string("1") : std::to_string(m.line + 1)) + ": ";
  };
  const auto root = load_yaml(yaml, source);
  if (!root) return tl::unexpected(root.error());
  try {
    return parse(*root);
  } catch (const config_failure& e) {
    return fail(at(e.mark) + e.text);
  } catch (const YAML::Exception& e) {
    return fail(at(e.mark) + "malformed YAML: " + e.msg);
  }
}

}  // namespace prose::phy::air
