// The air's YAML and the devices' arguments: any bytes give a configuration or one line of complaint.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "phy/air/air_config.h"
#include "phy/air/device_args.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto c = prose::phy::air::parse_air_config(text, "fuzz");
  if (!c && c.error().message.empty()) std::abort();
  const auto cut = text.find('=');
  if (cut != std::string::npos) (void)prose::phy::air::parse_device_args({{text.substr(0, cut), text.substr(cut + 1)}});
  return 0;
}
