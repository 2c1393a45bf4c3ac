// configs/*.yaml of prose-ue: any text gives a configuration that the modem takes or refuses in words, or one line of complaint.
#include <cstdlib>
#include <string>

#include "apps/common/config.h"
#include "apps/ue/frame_modem.h"
#include "apps/ue/program_config.h"

using namespace prose::apps;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (text.find("radio_profile") != std::string::npos) return 0;  // would read a file of any name
  auto file = config_section::parse(text, "fuzz.yaml");
  if (!file) return 0;
  const auto c = read_program_config(*file, "fuzz.yaml");
  if (!c) {
    if (c.error().message.empty() || c.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  const auto modem = frame_modem::make({c->ue, c->radio.sample_rate_hz, c->radio.n_rx_antennas, c->tx_power_db, c->rsrp_offset_db});
  if (!modem && modem.error().message.empty()) std::abort();
  return 0;
}
