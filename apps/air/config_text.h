// --print-config of prose-air.
#pragma once

#include <string>

#include "phy/air/air_config.h"

namespace prose::apps {

/// The configuration as air::parse_air_config() takes it, with every default. Rules of both directions are two.
std::string to_yaml(const phy::air::air_config& config);

}  // namespace prose::apps
