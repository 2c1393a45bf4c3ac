#pragma once

#include <optional>
#include <string>

#include "phy/types/carrier.h"

namespace prose::python {

phy::cyclic_prefix prefix_from(const std::string& name);
phy::transmission_mode mode_from(int tm);

}  // namespace prose::python
