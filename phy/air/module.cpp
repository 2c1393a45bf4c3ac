// What UHD finds in UHD_MODULE_PATH: registers type=virtual and nothing else.
#include <uhd/device.hpp>
#include <uhd/utils/static.hpp>

#include "phy/air/virtual_device.h"

namespace {

// Answers to type=virtual alone, so that plain discovery by a user with real radios is unchanged. Whether the air runs
// is found out by opening: the error then says what is missing, where an empty list would say "no devices".
uhd::device_addrs_t find(const uhd::device_addr_t& hint) {
  if (hint.get("type", "") != "virtual") return {};
  const prose::phy::air::device_args defaults;
  uhd::device_addr_t found;
  found["type"] = "virtual";
  found["product"] = "emulated air";
  found["name"] = hint.get("name", defaults.name);
  found["serial"] = found["name"];
  found["air"] = hint.get("air", defaults.air);
  const double hidden_s = hint.cast<double>("hidden_ms", 0.0) * 1e-3;
  if (prose::phy::air::is_used_elsewhere("found " + found["air"] + "/" + found["name"], hidden_s)) return {};
  if (hint.has_key("serial") && hint["serial"] != found["serial"]) return {};
  return {found};
}

uhd::device::sptr make(const uhd::device_addr_t& args) {
  return std::make_shared<prose::phy::air::virtual_device>(args);
}

}  // namespace

UHD_STATIC_BLOCK(register_prose_virtual_device) { uhd::device::register_device(&find, &make, uhd::device::USRP); }
