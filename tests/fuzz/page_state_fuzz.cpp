// Lines of every program that tells prose-page something, as hostile as may be: each line of the input goes to the
// source that its first octet names. What a browser gets is one line of JSON, of a bounded size.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "apps/page/lines.h"
#include "apps/page/page_state.h"

using namespace prose::page;

namespace {
void demand(bool what) {
  if (!what) std::abort();
}

void check(const page_event& e) {
  demand(!e.name.empty() && e.data.find('\n') == std::string::npos);
  const auto value = json::parse(e.data, nullptr, false);
  demand(!value.is_discarded());
  if (e.name == "frames" || e.name == "ue") demand(value.is_array() && value.size() <= page_state::frames_an_event);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  page_state state({"mary", "john", "peter"}, check);
  line_splitter lines(4096);
  double now_s = 0;
  const auto take = [&](std::string_view line) {
    const auto text = line.substr(1);
    switch (line[0]) {
      case 'l':
        return state.on_look(text);
      case 's':
        return state.on_sniffer(text, now_s);
      case 'm':
        return state.on_ue("mary", text);
      case 'j':
        return state.on_ue("john", text);
      case 'c':
        return state.on_control(text, now_s);
      case 'v':
        return state.on_verdict(text);
      default:
        now_s += 0.5;
        state.tick(now_s, 1);
    }
  };
  lines.add({reinterpret_cast<const char*>(data), size}, take);
  state.on_control_ended();
  state.tick(now_s + 10, 0);
  for (const auto& e : state.beginning()) check(e);
  return 0;
}
