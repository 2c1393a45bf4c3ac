#include "apps/page/bounded_json.h"

#include <cmath>
#include <set>
#include <vector>

namespace prose::page {

std::optional<json> object_of(std::string_view text) {
  bool refused = false;
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto watch = [&](int depth, json::parse_event_t e, json& v) {
    const bool opens = e == json::parse_event_t::object_start || e == json::parse_event_t::array_start;
    if (opens && depth >= most_levels) refused = true;
    if (refused) return false;
    if (e == json::parse_event_t::object_start) keys.emplace_back();
    if (e == json::parse_event_t::object_end) keys.pop_back();
    if (e == json::parse_event_t::key && !keys.back().insert(v.get_ref<const std::string&>()).second) refused = true;
    return !refused;
  };
  json j = json::parse(text, watch, false);
  if (refused || !j.is_object()) return std::nullopt;
  return j;
}

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string string_at(const json& object, const char* key, std::size_t most) {
  const auto at = object.find(key);
  if (at == object.end() || !at->is_string()) return {};
  const auto& text = at->get_ref<const std::string&>();
  return text.size() <= most ? text : std::string();
}

double number_at(const json& object, const char* key, double otherwise) {
  const auto at = object.find(key);
  if (at == object.end() || !at->is_number()) return otherwise;
  const auto v = at->get<double>();
  return std::isfinite(v) ? v : otherwise;
}

bool true_at(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_boolean() && at->get<bool>();
}

}  // namespace prose::page
