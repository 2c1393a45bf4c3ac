// The dataclasses of prose.channels as what the physical layer takes.
#pragma once

#include <variant>

#include "apps/python/native/convert.h"
#include "phy/types/channels.h"

namespace prose::python {

struct psbch_identity {
  int n_sl_id = 0;
};
using channel_config = std::variant<psbch_identity, phy::pscch_config, phy::pssch_config, phy::psdch_config>;

/// TypeError unless it is a Psbch, Pscch, Pssch or Psdch. Values are not checked against a carrier.
channel_config channel_of(const py::handle& channel);
phy::pssch_config pssch_of(const py::handle& channel);
phy::psdch_config psdch_of(const py::handle& channel);

}  // namespace prose::python
