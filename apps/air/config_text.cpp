#include "apps/air/config_text.h"

#include <cstdio>

#include "apps/lib/common/config_record.h"
#include "phy/air/air_link.h"

namespace prose::apps {
namespace {
namespace air = phy::air;

/// A value that the configuration has in another unit: without what the conversion adds.
std::string scaled(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.12g", value);
  return text;
}

std::string name_text(const air::name_text& name) { return yaml_of(std::string(air::to_string_view(name))); }

constexpr std::uint32_t all_fields = ~std::uint32_t{0};

void add_path(config_record& to, const air::path_params& p, std::uint32_t fields) {
  const auto set = [&](std::uint32_t field, const char* key, std::string value) {
    if ((fields & field) != 0) to.set(key, std::move(value));
  };
  set(air::field_gain, "gain_db", yaml_of(p.gain_db));
  set(air::field_delay, "delay_us", scaled(p.delay_s * 1e6));
  set(air::field_cfo, "cfo_hz", yaml_of(p.cfo_hz));
  set(air::field_drift, "drift_ppm", yaml_of(p.drift_ppm));
  set(air::field_doppler, "doppler_hz", yaml_of(p.doppler_hz));
  set(air::field_fading, "fading", std::string(air::name_of(p.fading)));
  set(air::field_burst_loss, "burst_loss", yaml_of(p.burst_loss));
  set(air::field_blocked, "blocked", p.blocked != 0 ? "true" : "false");
}

bool is_for_all(const air::pair_rule& r) {
  return air::to_string_view(r.from) == "*" && air::to_string_view(r.to) == "*";
}

void add_pairs(config_record& to, const air::air_settings& s) {
  std::uint32_t first = 0;
  if (s.n_pair_rules > 0 && is_for_all(s.pair_rules[0]))
    add_path(*to.map("default"), s.pair_rules[first++].params, all_fields);
  else if (s.n_pair_rules < air::max_pair_rules)  // it is a rule as well
    add_path(*to.map("default"), {}, all_fields);
  to.list("pairs");
  for (std::uint32_t i = first; i < s.n_pair_rules; ++i) {
    const auto rule = to.add("pairs");
    rule->set("from", name_text(s.pair_rules[i].from));
    rule->set("to", name_text(s.pair_rules[i].to));
    add_path(*rule, s.pair_rules[i].params, s.pair_rules[i].fields);
  }
}

void add_nodes(config_record& to, const air::air_settings& s) {
  const auto nodes = to.map("nodes");
  for (std::uint32_t i = 0; i < s.n_node_rules; ++i) {
    const auto& r = s.node_rules[i];
    const auto node = nodes->map(name_text(r.name));
    if ((r.fields & air::field_noise) != 0) node->set("noise_dbfs", yaml_of(r.noise_dbfs));
    if ((r.fields & air::field_clock) != 0) node->set("clock_ppm", yaml_of(r.clock_ppm));
  }
}

void add_faults(config_record& to, const air::air_config& c) {
  to.list("faults");
  for (std::uint32_t i = 0; i < c.settings.n_faults; ++i) {
    const auto& f = c.settings.faults[i];
    const auto fault = to.add("faults");
    fault->set("node", name_text(f.node));
    fault->set("kind", std::string(air::name_of(f.kind)));
    fault->set("after_s", yaml_of(f.after_s));
    if (f.every_s > 0) fault->set("every_s", yaml_of(f.every_s));
    fault->set(f.kind == air::fault_kind::clock_step ? "step_ms" : "length_ms", scaled(f.length_s * 1e3));
  }
  if (c.kill_hub_after_s < 0) return;
  const auto fault = to.add("faults");
  fault->set("kind", "kill_hub");
  fault->set("after_s", yaml_of(c.kill_hub_after_s));
}

}  // namespace

std::string to_yaml(const air::air_config& c) {
  const auto& s = c.settings;
  config_record out;
  out.set("air", yaml_of(c.air));
  out.set("speed", s.speed > 0 ? yaml_of(s.speed) : "max");
  out.set("seed", std::to_string(s.seed));
  out.set("lead_us", scaled(static_cast<double>(s.lead_ticks) / static_cast<double>(air::ticks_per_second) * 1e6));
  out.set("stall_ms", scaled(static_cast<double>(s.stall_ns) * 1e-6));
  out.set("adc_bits", std::to_string(s.adc_bits));
  add_nodes(out, s);
  add_pairs(out, s);
  add_faults(out, c);
  return out.yaml();
}

}  // namespace prose::apps
