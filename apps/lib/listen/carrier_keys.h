// The keys of a carrier and of its pools in YAML: in the configurations of prose-sniffer and prose-ue, and in the file
// that both may name (carrier_file).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/lib/common/config.h"
#include "apps/lib/listen/scene.h"
#include "common/result.h"
#include "phy/modem/monitor.h"

namespace prose::apps {

/// carrier.prb, carrier.tm, carrier.cp, over what the scene holds.
void read_carrier_keys(config_section& carrier, scene& s);

/// A pool, and the map that tells it.
struct told_pool {
  phy::monitor_pool pool;
  config_section keys;
};
/// The list `pools`, at most phy::max_monitor_pools. Mistakes are the file's, and such pools are left out.
std::vector<told_pool> read_pools(config_section& file);

/// Adds a mistake "KEY what is wrong" at the line of the pool's key; a key of data has "data." before it.
void reject_pool(config_section& pool, std::string message);

/// Reads `carrier_file`. With it the file's own `carrier` and `pools` are mistakes.
void read_carrier_file_key(config_section& file, std::string& path);

/// What a carrier file holds. Who reads it may add mistakes of his own: file.check().
struct shared_carrier {
  config_section file, carrier;
  scene known;       ///< without pools
  std::string sync;  ///< gnss, slss; empty: not told
  std::vector<told_pool> pools;
};
result<shared_carrier> load_carrier_file(const std::string& path);
result<shared_carrier> parse_carrier_file(const std::string& text, const std::string& path);

}  // namespace prose::apps
