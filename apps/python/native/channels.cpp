#include "apps/python/native/channels.h"

namespace prose::python {
namespace {

bool is_a(const py::handle& object, const char* name) {
  return py::isinstance(object, python_class("prose.channels", name));
}

}  // namespace

phy::pssch_config pssch_of(const py::handle& channel) {
  if (!is_a(channel, "Pssch")) throw py::type_error("channel: accepted: Pssch");
  phy::pssch_config c;
  c.prb_start = attribute<int>(channel, "prb_start");
  c.n_prb = attribute<int>(channel, "n_prb");
  c.tbs = attribute<int>(channel, "tbs");
  c.modulation_order = attribute<int>(channel, "modulation_order");
  c.rv = attribute<int>(channel, "rv");
  c.n_x_id = attribute<std::uint32_t>(channel, "n_x_id");
  c.n_ssf = attribute<int>(channel, "n_ssf");
  c.last_symbol_rate_matched = attribute<bool>(channel, "last_symbol_rate_matched");
  return c;
}

phy::psdch_config psdch_of(const py::handle& channel) {
  if (!is_a(channel, "Psdch")) throw py::type_error("channel: accepted: Psdch");
  return {attribute<int>(channel, "prb"), attribute<int>(channel, "rv"), attribute<int>(channel, "prb_second")};
}

channel_config channel_of(const py::handle& channel) {
  if (is_a(channel, "Psbch")) return psbch_identity{attribute<int>(channel, "n_sl_id")};
  if (is_a(channel, "Pscch"))
    return phy::pscch_config{attribute<int>(channel, "prb"), attribute<int>(channel, "cyclic_shift")};
  if (is_a(channel, "Pssch")) return pssch_of(channel);
  if (is_a(channel, "Psdch")) return psdch_of(channel);
  throw py::type_error("channel: accepted: Psbch, Pscch, Pssch, Psdch");
}

}  // namespace prose::python
