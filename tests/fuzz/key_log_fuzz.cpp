// Key logs, and frames that a key log is tried on.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "apps/lib/capture/link_opener.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prose::apps;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto keys = parse_key_log(text, "x");
  if (!keys && keys.error().message.rfind("x:", 0) != 0) std::abort();
  link_opener o(keys ? std::move(*keys) : std::vector<prose::security::logged_key>{});
  captured_frame f;
  f.octets.assign(data, data + size);
  for (int i = 0; i < 2; ++i) o.add(f, [](const link_opener::opened&) {});
  return 0;
}
