// The carrier of a UE and its pools: the keys carrier, pools and carrier_file, and what of them cannot work together.
#pragma once

#include <string>
#include <vector>

#include "apps/lib/common/config.h"
#include "apps/lib/listen/carrier_keys.h"
#include "common/result.h"
#include "phy/types/carrier.h"

namespace prose::apps {

struct program_config;

struct carrier_settings {
  config_section file;  ///< that holds the pools, at first the configuration; it takes the mistakes
  phy::transmission_mode tm = phy::transmission_mode::tm2;
  int n_prb = 25;
  phy::cyclic_prefix cp = phy::cyclic_prefix::normal;
  bool shared = false;             ///< a carrier file tells it
  std::string sync{};              ///< time.source of the carrier file; empty: not told
  std::vector<told_pool> pools{};  ///< empty: the default ones
};

/// Reads them, and sets what follows from prb, tm and cp in c. Each pool is right for itself; mistakes are those of the
/// files.
result<void> read_carrier(config_section& file, carrier_settings& carrier, program_config& c);

/// The pool of that kind in which the UE sends becomes that of c.ue, the others go to c.other_pools. `place`: the value
/// of transmit_pool in the section, 0 for the first of its kind.
void choose_communication_pool(carrier_settings& carrier, config_section& sidelink, int place, program_config& c);
void choose_discovery_pool(carrier_settings& carrier, config_section& discovery, int place, program_config& c);

/// A UE that announces in every subframe of its discovery pool hears nobody there: a mistake.
void check_announcements(const program_config& c, config_section& discovery);

/// What depends on all of the configuration: pools that share a PRB of a subframe, SLSS and V2X, retransmissions.
result<void> check_carrier(carrier_settings& carrier, program_config& c);

}  // namespace prose::apps
