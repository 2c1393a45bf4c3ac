// Requests of the ProSe Function: whatever arrives is refused, or is a request that survives being written and read
// again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "apps/function/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prose::function;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto r = parse_request(text)) {
    const std::string written = to_text(*r);
    const auto again = parse_request(written);
    if (!again || to_text(*again) != written) std::abort();
  }
  if (const auto a = parse_answer(text)) {
    if (!parse_answer(to_text(*a))) std::abort();
  }
  frame_reader in(max_request_bytes);
  if (in.add(text)) {
    while (in.next()) {
    }
  }
  return 0;
}
