#include "apps/lib/common/sigmf_edit.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace prose::apps {
namespace {
constexpr int deepest = 200;

/// Objects and lists within each other. Text in quotes does not count.
int depth_of(const std::string& text) {
  int depth = 0, most = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\')
      ++i;
    else if (c == '"')
      quoted = !quoted;
    else if (!quoted && (c == '[' || c == '{'))
      most = std::max(most, ++depth);
    else if (!quoted && (c == ']' || c == '}'))
      --depth;
  }
  return most;
}

/// Numbers as texts, so that writing them again rounds none: each one `mark` and its digits, in quotes. `text` is JSON.
std::string numbers_as_text(const std::string& text, const std::string& mark) {
  std::string out;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!quoted && (c == '-' || (c >= '0' && c <= '9'))) {
      const auto end = std::min(text.find_first_not_of("+-.0123456789Ee", i), text.size());
      out += '"' + mark + text.substr(i, end - i) + '"';
      i = end - 1;
      continue;
    }
    if (c == '"') quoted = !quoted;
    out += c;
    if (quoted && c == '\\' && i + 1 < text.size()) out += text[++i];
  }
  return out;
}

/// The numbers again.
std::string text_as_numbers(const std::string& text, const std::string& mark) {
  const std::string quote_and_mark = '"' + mark;
  std::string out;
  std::size_t done = 0;
  for (auto at = text.find(quote_and_mark); at != std::string::npos; at = text.find(quote_and_mark, done)) {
    const auto number = at + quote_and_mark.size(), end = text.find('"', number);
    out.append(text, done, at - done).append(text, number, end - number);
    done = end + 1;
  }
  return out.append(text, done);
}

std::string json_text(const nlohmann::ordered_json& value) {
  return value.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// What stands nowhere in a text, which json_text() wrote: there no letter is escaped.
std::string mark_for(const std::string& text) {
  std::string mark = "number:";
  while (text.find(mark) != std::string::npos) mark += ':';
  return mark;
}
}  // namespace

result<std::string> edit_sigmf(const std::string& text, const std::string& file,
                               const std::function<void(nlohmann::ordered_json&)>& edit) {
  if (depth_of(text) > deepest) return fail(file + ": nested too deeply; accepted: " + std::to_string(deepest));
  // No number is looked at here.
  const auto mark = mark_for(json_text(nlohmann::ordered_json::parse(text, nullptr, false)));
  auto value = nlohmann::ordered_json::parse(numbers_as_text(text, mark), nullptr, false);
  if (!value.is_object() || !value.contains("global") || !value["global"].is_object())
    return fail(file + ": changed while it was read");
  edit(value);
  return text_as_numbers(json_text(value), mark) + "\n";
}

}  // namespace prose::apps
