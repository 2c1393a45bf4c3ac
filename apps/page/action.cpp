#include "apps/page/action.h"

#include <algorithm>

namespace prose::page {
namespace {

bool has(const std::vector<std::string>& all, const std::string& one) {
  return !one.empty() && std::find(all.begin(), all.end(), one) != all.end();
}

result<void> copy_name(const json& from, json& to, const char* key, const std::vector<std::string>& names) {
  const auto name = string_at(from, key, 64);
  if (!has(names, name)) return fail(std::string(key) + ": accepted is the name of a UE");
  to[key] = name;
  return {};
}

result<void> copy_pair(const json& from, json& to, const std::vector<std::string>& names) {
  for (const char* key : {"from", "to"})
    if (auto ok = copy_name(from, to, key, names); !ok) return ok;
  if (to["from"] == to["to"]) return fail("to: accepted is another UE than from");
  return {};
}

/// Octets of a base64 text with its padding; nothing if it is none.
std::optional<std::size_t> base64_octets(const std::string& text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const bool digits = std::all_of(text.begin(), text.end() - static_cast<std::ptrdiff_t>(padding), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  });
  if (!digits) return std::nullopt;
  return text.size() / 4 * 3 - padding;
}

/// A name that no program takes for a path, an option or a control sequence.
bool plain_file_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.front() != '-' && name.find('/') == std::string::npos &&
         std::none_of(name.begin(), name.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

result<void> copy_file(const json& from, json& to) {
  const auto name = string_at(from, "name", 100);
  if (!plain_file_name(name)) return fail("name: accepted is a file name of 1 to 100 octets without a folder");
  const auto data = string_at(from, "data", (most_file_octets + 2) / 3 * 4);
  const auto octets = base64_octets(data);
  if (!octets || *octets == 0 || *octets > most_file_octets)
    return fail("data: accepted are 1 to " + std::to_string(most_file_octets) + " octets in base64");
  to["name"] = name;
  to["data"] = data;
  return {};
}

result<void> copy_text(const json& from, json& to) {
  const auto text = string_at(from, "text", most_text_octets);
  if (text.empty()) return fail("text: accepted are 1 to " + std::to_string(most_text_octets) + " octets");
  to["text"] = text;
  return {};
}

result<void> copy_seconds(const json& from, json& to) {
  const double seconds = number_at(from, "seconds");
  if (!(seconds > 0) || seconds > most_jam_s)
    return fail("seconds: accepted is a number above 0 up to " + std::to_string(static_cast<int>(most_jam_s)));
  to["seconds"] = seconds;
  return {};
}

}  // namespace

result<json> action_of(std::string_view body, const std::vector<std::string>& offered,
                       const std::vector<std::string>& names) {
  const auto asked = object_of(body);
  if (!asked) return fail("accepted is one JSON object");
  const auto what = string_at(*asked, "action", 32);
  if (!has(offered, what)) {
    std::string known;
    for (const auto& o : offered) known += (known.empty() ? "" : ", ") + o;
    return fail("action: accepted " + (known.empty() ? "is none now" : "are " + known));
  }
  json out{{"action", what}};
  result<void> ok;
  if (what == "send" || what == "file" || what == "withdraw") ok = copy_pair(*asked, out, names);
  if (ok && what == "send") ok = copy_text(*asked, out);
  if (ok && what == "file") ok = copy_file(*asked, out);
  if (ok && what == "restart") ok = copy_name(*asked, out, "name", names);
  if (ok && what == "jam") ok = copy_seconds(*asked, out);
  if (!ok) return tl::unexpected(ok.error());
  return out;
}

}  // namespace prose::page
