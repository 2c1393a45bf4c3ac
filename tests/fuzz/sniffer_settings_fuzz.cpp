// configs/sniffer.yaml: whatever the file holds, settings or one line.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "apps/lib/listen/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  prose::apps::sniffer_settings s;
  const auto ok = prose::apps::parse_settings(std::string(reinterpret_cast<const char*>(data), size), "s.yaml", s);
  if (!ok && ok.error().message.rfind("s.yaml:", 0) != 0) std::abort();
  if (ok) {
    s.scene_path.clear();  // no files here
    (void)prose::apps::scene_of(s);
  }
  return 0;
}
