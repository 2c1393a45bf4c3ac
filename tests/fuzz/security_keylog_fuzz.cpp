// Text as a key-log line; what parses must open nothing by itself.
#include <string_view>

#include "security/export.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prose::security;
  const auto key = parse_key_log_line({reinterpret_cast<const char*>(data), size});
  if (key && open_with(*key, 1, {data, size})) __builtin_trap();
  return 0;
}
