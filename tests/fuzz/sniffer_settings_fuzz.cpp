// configs/sniffer.yaml, and the file that it and UEs may name for carrier and pools: whatever they hold, settings or
// one line.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "apps/lib/listen/carrier_keys.h"
#include "apps/lib/listen/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto shared = prose::apps::parse_carrier_file(text, "c.yaml");
  if (!shared && shared.error().message.rfind("c.yaml:", 0) != 0) std::abort();
  if (text.find("carrier_file") != std::string::npos) return 0;  // would read a file of any name
  prose::apps::sniffer_settings s;
  const auto ok = prose::apps::parse_settings(text, "s.yaml", s);
  if (!ok && ok.error().message.rfind("s.yaml:", 0) != 0) std::abort();
  if (ok) {
    s.scene_path.clear();  // no files here
    (void)prose::apps::scene_of(s);
  }
  return 0;
}
