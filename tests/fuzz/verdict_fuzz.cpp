// judge() over arbitrary frames, and stolen files of arbitrary text. The first octet of each piece says what it is, the
// second how long.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "apps/lib/verdict/verdict.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prose::apps;
  verdict_options o;
  auto stolen = std::make_shared<std::vector<stolen_file>>();
  std::vector<captured_frame> frames;
  for (std::size_t at = 0; at + 2 <= size && frames.size() < 64;) {
    const std::size_t n = std::min<std::size_t>(data[at + 1], size - at - 2);
    const std::uint8_t* p = data + at + 2;
    if (data[at] == 'k') {
      if (auto f = parse_stolen_state({reinterpret_cast<const char*>(p), n}, "f")) stolen->push_back(std::move(*f));
    } else {
      captured_frame f;
      f.number = frames.size();
      f.kind = static_cast<frame_kind>(data[at] & 3);
      f.repetition = (data[at] & 4) != 0;
      f.time_s = data[at];
      f.octets.assign(p, p + n);
      frames.push_back(f);
    }
    at += 2 + n;
  }
  if (stolen->size() > 2) stolen->resize(2);
  o.compromised = stolen;
  const auto v = judge(frames, o);
  (void)to_json(v);
  (void)to_text(v);
  return 0;
}
