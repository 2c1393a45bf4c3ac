#include "apps/lib/listen/carrier_keys.h"

#include <algorithm>
#include <utility>

namespace prose::apps {
namespace {

/// The map as text of the pool keys, those of a map under "data" with "data." before them.
std::string pool_text(config_section& map, const std::string& prefix) {
  std::string text;
  for (const auto& key : map.keys()) {
    if (prefix.empty() && key == "data") {
      auto inner = map.section(key);
      const auto more = pool_text(inner, "data.");
      text += (text.empty() || more.empty() ? "" : ",") + more;
      continue;
    }
    std::string value;
    map.read(key, value);
    if (key.find_first_of(",=") != std::string::npos || value.find_first_of(",=") != std::string::npos) {
      map.reject(key, "'" + value + "' is no value of a pool");
      return {};
    }
    text += (text.empty() ? "" : ",") + prefix + key + "=" + value;
  }
  return text;
}

result<shared_carrier> read_carrier_file(result<config_section> file) {
  if (!file) return tl::unexpected(file.error());
  auto carrier = file->section("carrier");
  shared_carrier out{*file, carrier, {}, {}, {}};
  read_carrier_keys(carrier, out.known);
  file->read_choice("sync", out.sync, {"gnss", "slss"});
  out.pools = read_pools(*file);
  if (auto ok = file->check(); !ok) return tl::unexpected(ok.error());
  return out;
}

}  // namespace

void read_carrier_keys(config_section& carrier, scene& s) {
  std::string prb = s.n_prb ? std::to_string(*s.n_prb) : "", tm = s.tm ? std::to_string(static_cast<int>(*s.tm)) : "",
              cp = !s.cp                                 ? ""
                   : *s.cp == phy::cyclic_prefix::normal ? "normal"
                                                         : "extended";
  carrier.read_choice("prb", prb, {"6", "15", "25", "50", "75", "100"});
  carrier.read_choice("tm", tm, {"1", "2", "3", "4"});
  carrier.read_choice("cp", cp, {"normal", "extended"});
  if (!prb.empty()) s.n_prb = std::stoi(prb);
  if (!tm.empty()) s.tm = static_cast<phy::transmission_mode>(std::stoi(tm));
  if (!cp.empty()) s.cp = cp == "normal" ? phy::cyclic_prefix::normal : phy::cyclic_prefix::extended;
}

void reject_pool(config_section& pool, std::string message) {
  message.erase(0, message.find_first_not_of(": ."));
  const auto blank = std::min(message.find(' '), message.size());
  std::string key = message.substr(0, blank);
  if (!key.empty() && key.back() == ':') key.pop_back();
  if (const auto dot = key.rfind('.'); dot != std::string::npos) key.erase(0, dot + 1);
  if (pool.has(key))
    pool.reject(key, message.substr(std::min(blank + 1, message.size())));
  else
    pool.reject("kind", message);
}

std::vector<told_pool> read_pools(config_section& file) {
  std::vector<told_pool> pools;
  auto maps = file.list("pools");
  if (maps.size() > phy::max_monitor_pools)
    file.reject("pools",
                "are " + std::to_string(maps.size()) + "; accepted: up to " + std::to_string(phy::max_monitor_pools));
  for (auto& map : maps) {
    const auto text = pool_text(map, "");
    scene one;
    if (const auto ok = apply_pool_text(text, "", one); !ok)
      reject_pool(map, ok.error().message);
    else
      pools.push_back({std::move(one.pools.front()), map});
  }
  return pools;
}

void read_carrier_file_key(config_section& file, std::string& path) {
  file.read_path("carrier_file", path);
  if (path.empty()) return;
  for (const char* key : {"carrier", "pools"})
    if (file.has(key)) file.reject(key, "carrier_file tells it too; accepted: one of them");
}

result<shared_carrier> parse_carrier_file(const std::string& text, const std::string& path) {
  return read_carrier_file(config_section::parse(text, path));
}

result<shared_carrier> load_carrier_file(const std::string& path) {
  return read_carrier_file(config_section::load(path));
}

}  // namespace prose::apps
