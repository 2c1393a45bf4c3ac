// Messages of the ProSe Function: whatever arrives is a request or an answer that survives being written and read
// again, or is refused for a reason that can be told to the other side.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "apps/lib/function/message.h"

namespace {

void tell(const prose::error& e) {
  using namespace prose::function;
  const auto back = parse_answer(to_text(answer(error_answer{e.message})));
  if (!back || std::get<error_answer>(*back).reason != e.message) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prose::function;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto r = parse_request(text)) {
    const std::string written = to_text(*r);
    const auto again = parse_request(written);
    if (!again || to_text(*again) != written) std::abort();
  } else {
    tell(r.error());
  }
  if (const auto a = parse_answer(text)) {
    if (!parse_answer(to_text(*a))) std::abort();
  } else {
    tell(a.error());
  }
  frame_reader in(max_request_bytes);
  if (in.add(text)) {
    while (in.next()) {
    }
  }
  return 0;
}
