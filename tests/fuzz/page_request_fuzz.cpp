// What a browser, or anybody, sends to prose-page: Host, Origin and Cookie, the name of a file, the body of an action,
// parted by lines. None of it gets further than it should.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "apps/page/access.h"
#include "apps/page/action.h"

using namespace prose::page;
using gatekeeper = prose::page::access;  // the C library has an access() too

namespace {
void demand(bool what) {
  if (!what) std::abort();
}

void check_action(std::string_view body) {
  static const std::vector<std::string> offered{"send", "file", "withdraw", "restart", "jam", "steal"},
      names{"mary", "john"};
  const auto a = action_of(body, offered, names);
  if (!a) return demand(a.error().message.find('\n') == std::string::npos && !a.error().message.empty());
  const auto what = string_at(*a, "action");
  demand(std::find(offered.begin(), offered.end(), what) != offered.end());
  for (const char* key : {"from", "to"})
    if (a->contains(key)) demand(std::find(names.begin(), names.end(), string_at(*a, key)) != names.end());
  if (what == "file") {
    demand(string_at(*a, "name").find('/') == std::string::npos && string_at(*a, "name")[0] != '.');
    demand((*a)["data"].get_ref<const std::string&>().size() <= (most_file_octets + 2) / 3 * 4);
  }
  // A line for the program that does it.
  demand(text_of(*a).find('\n') == std::string::npos && object_of(text_of(*a)) == *a);
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::array<std::string_view, 3> headers;
  for (auto& h : headers) {
    const auto end = std::min(text.find('\n'), text.size());
    h = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  gatekeeper gate([] { return std::string("0123456789abcdef"); });
  gate.listens_on("127.0.0.1", 8000);
  (void)gate.exchange(gate.new_token());
  if (gate.right_host(headers[0]))
    demand(headers[0].size() <= 14 && headers[0].substr(headers[0].size() - 5) == ":8000");
  if (gatekeeper::right_origin(headers[1], headers[0])) demand(headers[1].size() == headers[0].size() + 7);
  if (gate.has_session(headers[2])) demand(headers[2].find("prose_page=0123456789abcdef") != std::string_view::npos);
  check_action(text);
  return 0;
}
