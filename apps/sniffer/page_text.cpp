#include "apps/sniffer/page_text.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/lib/common/sha256.h"
#include "apps/sniffer/png.h"

namespace prose::apps {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\n':
        out += c;
        break;
      default:
        out += c >= ' ' && c <= '~' ? c : '.';
    }
  return out;
}

std::string in_script(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json)
    if (c == '<')  // only strings of JSON hold one
      out += "\\u003c";
    else
      out += c;
  return out;
}

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string json_number(double v, int digits) {
  if (!std::isfinite(v)) return "null";
  char text[400];
  std::snprintf(text, sizeof text, "%.*f", digits, v);
  return text;
}

std::string filled(std::string_view text, const std::function<std::string(std::string_view)>& value) {
  std::string out;
  while (true) {
    const auto begin = text.find("{{"), end = begin == text.npos ? begin : text.find("}}", begin);
    if (end == text.npos) return out.append(text);
    out.append(text.substr(0, begin)).append(value(text.substr(begin + 2, end - begin - 2)));
    text.remove_prefix(end + 2);
  }
}

std::string policy_hash(std::string_view text) {
  sha256 digest;
  digest.add({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  return "'sha256-" + base64(digest.finish()) + "'";
}

}  // namespace prose::apps
