#include "apps/lib/common/config_record.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

namespace prose::apps {
namespace {

bool is_plain(const std::string& text) {
  constexpr std::string_view accepted = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  // yaml-cpp takes these for no value.
  for (const char* nothing : {"", "null", "Null", "NULL"})
    if (text == nothing) return false;
  return text.front() != '-' && text.find_first_not_of(accepted) == std::string::npos;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7f) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\x%02x", octet);
      out += escaped.data();
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::string yaml_of(const std::string& text) { return is_plain(text) ? text : quoted(text); }

std::string yaml_of(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& t : texts) out += (out.empty() ? "" : ", ") + quoted(t);
  return "[" + out + "]";
}

std::string yaml_of(double number) {
  std::array<char, 40> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  std::string out(text.data(), end);
  // 5.9e+09 is 5.9e9.
  if (auto at = out.find('e'); at != std::string::npos) {
    at += out[at + 1] == '-' ? 2 : 1;
    out.erase(at, out.find_first_not_of("+0", at) - at);
  }
  return out;
}

config_record::entry& config_record::entry_of(std::string_view key, kind what) {
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const entry& e) { return e.key == key; });
  if (at != entries_.end()) return *at;
  return entries_.emplace_back(entry{std::string(key), what, {}, {}, {}});
}

void config_record::set(std::string_view key, std::string yaml) { entry_of(key, kind::value).value = std::move(yaml); }

void config_record::set_list(std::string_view key, std::vector<std::string> yaml) {
  auto& e = entry_of(key, kind::list);
  e.maps.clear();
  e.lines = std::move(yaml);
}

std::shared_ptr<config_record> config_record::map(std::string_view key) {
  auto& e = entry_of(key, kind::map);
  if (e.maps.empty()) e.maps.push_back(std::make_shared<config_record>());
  return e.maps.front();
}

std::shared_ptr<config_record> config_record::add(std::string_view key) {
  return entry_of(key, kind::list).maps.emplace_back(std::make_shared<config_record>());
}

std::string config_record::yaml(const std::string& indent) const {
  std::string out;
  for (const auto& e : entries_) {
    out += indent + e.key + ":";
    if (e.what == kind::value) {
      out += " " + e.value + "\n";
      continue;
    }
    if (e.what == kind::map) {
      const auto text = e.maps.empty() ? "" : e.maps.front()->yaml(indent + "  ");
      out += text.empty() ? " {}\n" : "\n" + text;
      continue;
    }
    out += e.maps.empty() && e.lines.empty() ? " []\n" : "\n";
    for (const auto& line : e.lines) out += indent + "  - " + line + "\n";
    for (const auto& m : e.maps) {
      auto text = m->yaml(indent + "    ");
      if (text.empty()) text = indent + "    {}\n";
      text[indent.size() + 2] = '-';
      out += text;
    }
  }
  return out;
}

}  // namespace prose::apps
