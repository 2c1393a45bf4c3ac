#include "apps/lib/common/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>
#include <sstream>

#include "apps/lib/common/safe_file.h"
#include "common/printable.h"
#include "phy/air/yaml_document.h"
#include "phy/io/json_text.h"

namespace prose::apps {
namespace {
constexpr std::size_t max_config_bytes = 4U << 20U;

std::string number_text(double v) {
  std::ostringstream s;
  s.precision(10);
  s << v;
  return s.str();
}
template <class T>
std::string range_text(T min, T max) {
  return number_text(static_cast<double>(min)) + " to " + number_text(static_cast<double>(max));
}
std::string shown(const std::string& s) { return "'" + (s.size() > 40 ? s.substr(0, 40) + "..." : s) + "'"; }

/// As postgresql://HOST/DATABASE, where a file is accepted too.
bool is_url(const std::string& path) { return path.find("://") != std::string::npos; }

/// The same file from everywhere. Empty, and standard output: as they are. Nothing is shortened: behind a symbolic
/// link `..` is elsewhere.
std::string absolute(const std::string& path) {
  if (is_url(path)) return path;
  std::error_code failed;
  const auto all = std::filesystem::absolute(path, failed);
  return path.empty() || path == "-" || failed ? path : all.string();
}
std::vector<std::string> absolute(std::vector<std::string> paths) {
  for (auto& p : paths) p = absolute(p);
  return paths;
}
}  // namespace

struct config_section::node {
  YAML::Node yaml;  ///< a map, or undefined for an absent section
  std::set<std::string, std::less<>> asked;
  std::string path;  ///< "radio.", empty at the top
};

struct config_section::document {
  std::string file;
  std::string error;
  std::vector<std::shared_ptr<node>> sections;  ///< all that were handed out
  void mistake(int line, const std::string& what) {
    if (error.empty()) error = file + ":" + std::to_string(line) + ": " + printable(what);
  }
};

result<config_section> config_section::load(const std::string& path) {
  std::error_code ignored;
  const bool there = std::filesystem::exists(path, ignored) && !std::filesystem::is_directory(path, ignored);
  const auto text =
      there ? read_configuration_file(path, max_config_bytes) : phy::read_text_file(path, max_config_bytes);
  if (!text) return tl::unexpected(text.error());
  return parse(*text, path);
}

result<config_section> config_section::load_again(const std::string& path) {
  const auto text = read_trusted_file(path, max_config_bytes);
  if (!text) return tl::unexpected(text.error());
  return parse(*text, path);
}

result<config_section> config_section::parse(const std::string& text, const std::string& name) {
  auto doc = std::make_shared<document>();
  doc->file = name;
  auto top = std::make_shared<node>();
  auto read = phy::air::load_yaml(text, name);
  if (!read) return tl::unexpected(read.error());
  top->yaml = std::move(*read);
  if (top->yaml.IsNull()) top->yaml = YAML::Node(YAML::NodeType::Map);
  if (!top->yaml.IsMap()) return fail(name + ":1: must be a map of keys");
  doc->sections.push_back(top);
  return config_section(std::move(doc), std::move(top), std::make_shared<config_record>());
}

bool config_section::has(std::string_view key) const {
  if (!node_->yaml.IsDefined() || !node_->yaml.IsMap()) return false;
  for (const auto& item : node_->yaml)
    if (item.first.IsScalar() && item.first.Scalar() == key) return !item.second.IsNull();
  return false;
}

int config_section::line() const { return node_->yaml.IsDefined() ? node_->yaml.Mark().line + 1 : 0; }

// kind: a YAML::NodeType value.
std::shared_ptr<config_section::node> config_section::find(std::string_view key, const char* accepted, int kind) {
  node_->asked.insert(std::string(key));
  if (!has(key)) return nullptr;
  auto found = std::make_shared<node>();
  for (const auto& item : node_->yaml)
    if (item.first.IsScalar() && item.first.Scalar() == key) found->yaml = item.second;
  found->path = node_->path + std::string(key) + ".";
  if (found->yaml.Type() != static_cast<YAML::NodeType::value>(kind)) {
    document_->mistake(found->yaml.Mark().line + 1, node_->path + std::string(key) + ": accepted: " + accepted);
    return nullptr;
  }
  return found;
}

std::optional<std::string> config_section::scalar(std::string_view key, const char* accepted) {
  const auto n = find(key, accepted, YAML::NodeType::Scalar);
  return n ? std::optional<std::string>(n->yaml.Scalar()) : std::nullopt;
}

void config_section::read(std::string_view key, std::string& value) {
  if (const auto s = scalar(key, "text")) value = *s;
  record_->set(key, yaml_of(value));
}

void config_section::read_path(std::string_view key, std::string& value) {
  if (const auto s = scalar(key, "text")) value = path_from_config(document_->file, *s);
  record_->set(key, yaml_of(absolute(value)));
}

void config_section::read_path_here(std::string_view key, std::string& value) {
  if (const auto s = scalar(key, "text")) value = *s;
  record_->set(key, yaml_of(absolute(value)));
}

void config_section::read(std::string_view key, bool& value) {
  if (const auto s = scalar(key, "true or false")) {
    if (*s != "true" && *s != "false") return reject(key, shown(*s) + " is neither true nor false");
    value = *s == "true";
  }
  record_->set(key, value ? "true" : "false");
}

// A default outside of the range stands for no value.
void config_section::read(std::string_view key, std::int64_t& value, std::int64_t min, std::int64_t max) {
  if (const auto s = scalar(key, "a whole number")) {
    std::int64_t v = 0;
    const auto [end, ec] = std::from_chars(s->data(), s->data() + s->size(), v);
    if (ec != std::errc() || end != s->data() + s->size() || v < min || v > max)
      return reject(key, shown(*s) + " is not a whole number of " + range_text(min, max));
    value = v;
  }
  record_->set(key, value < min || value > max ? yaml_nothing : std::to_string(value));
}

void config_section::read(std::string_view key, int& value, int min, int max) {
  std::int64_t v = value;
  read(key, v, static_cast<std::int64_t>(min), static_cast<std::int64_t>(max));
  value = static_cast<int>(v);
}

void config_section::read(std::string_view key, double& value, double min, double max) {
  if (const auto s = scalar(key, "a number")) {
    double v = 0;
    const auto [end, ec] = std::from_chars(s->data(), s->data() + s->size(), v);
    if (ec != std::errc() || end != s->data() + s->size() || !std::isfinite(v) || v < min || v > max)
      return reject(key, shown(*s) + " is not a number of " + range_text(min, max));
    value = v;
  }
  record_->set(key, value >= min && value <= max ? yaml_of(value) : yaml_nothing);
}

std::optional<std::vector<std::string>> config_section::texts(std::string_view key) {
  if (has(key))
    for (const auto& item : node_->yaml)
      if (item.first.IsScalar() && item.first.Scalar() == key && item.second.IsScalar()) {
        node_->asked.insert(std::string(key));
        return std::vector{item.second.Scalar()};
      }
  const auto n = find(key, "a list of texts", YAML::NodeType::Sequence);
  if (!n) return std::nullopt;
  std::vector<std::string> out;
  for (const auto& item : n->yaml) {
    if (!item.IsScalar()) {
      document_->mistake(item.Mark().line + 1, node_->path + std::string(key) + ": accepted: a list of texts");
      return std::nullopt;
    }
    out.push_back(item.Scalar());
  }
  return out;
}

void config_section::read(std::string_view key, std::vector<std::string>& value) {
  if (auto t = texts(key)) value = std::move(*t);
  record_->set(key, yaml_of(value));
}

void config_section::read_paths(std::string_view key, std::vector<std::string>& value) {
  if (auto t = texts(key)) {
    value = std::move(*t);
    for (auto& path : value) path = path_from_config(document_->file, path);
  }
  record_->set(key, yaml_of(absolute(value)));
}

void config_section::read_paths_here(std::string_view key, std::vector<std::string>& value) {
  if (auto t = texts(key)) value = std::move(*t);
  record_->set(key, yaml_of(absolute(value)));
}

void config_section::read_choice(std::string_view key, std::string& value, const std::vector<std::string>& accepted) {
  const auto is_one = [&](const std::string& word) {
    return std::find(accepted.begin(), accepted.end(), word) != accepted.end();
  };
  std::string list;
  for (const auto& a : accepted) list += (list.empty() ? "" : ", ") + a;
  if (const auto s = scalar(key, list.c_str())) {
    if (!is_one(*s)) return reject(key, shown(*s) + " is not known; accepted: " + list);
    value = *s;
  }
  record_->set(key, is_one(value) ? yaml_of(value) : yaml_nothing);
}

void config_section::require(std::string_view key) {
  node_->asked.insert(std::string(key));
  if (!has(key)) document_->mistake(std::max(line(), 1), node_->path + std::string(key) + " is missing");
}

config_section config_section::section(std::string_view key) {
  auto n = find(key, "a map of keys", YAML::NodeType::Map);
  if (!n) {
    n = std::make_shared<node>();
    n->yaml = YAML::Node(YAML::NodeType::Undefined);
    n->path = node_->path + std::string(key) + ".";
  } else {
    document_->sections.push_back(n);
  }
  return {document_, n, record_->map(key)};
}

config_section config_section::in_force() const {
  auto n = std::make_shared<node>();
  n->yaml = YAML::Node(YAML::NodeType::Undefined);
  n->path = node_->path;
  return {document_, n, record_};
}

std::vector<config_section> config_section::list(std::string_view key) {
  std::vector<config_section> out;
  record_->list(key);
  const auto n = find(key, "a list of maps", YAML::NodeType::Sequence);
  if (!n) return out;
  for (std::size_t i = 0; i < n->yaml.size(); ++i) {
    auto entry = std::make_shared<node>();
    entry->yaml = n->yaml[i];
    entry->path = node_->path + std::string(key) + "[" + std::to_string(i) + "].";
    if (!entry->yaml.IsMap()) {
      document_->mistake(entry->yaml.Mark().line + 1, node_->path + std::string(key) + ": accepted: a list of maps");
      return out;
    }
    document_->sections.push_back(entry);
    out.push_back({document_, entry, record_->add(key)});
  }
  return out;
}

std::vector<std::string> config_section::keys() const {
  std::vector<std::string> out;
  if (!node_->yaml.IsDefined() || !node_->yaml.IsMap()) return out;
  for (const auto& item : node_->yaml)
    if (item.first.IsScalar()) out.push_back(item.first.Scalar());
  return out;
}

int config_section::line_of(std::string_view key) const {
  int at = 0;
  if (node_->yaml.IsDefined() && node_->yaml.IsMap())
    for (const auto& item : node_->yaml)
      if (item.first.IsScalar() && item.first.Scalar() == key) at = item.first.Mark().line + 1;
  return at;
}

std::string config_section::where(std::string_view key) const {
  const int at = line_of(key);
  return at == 0 ? "" : document_->file + ":" + std::to_string(at) + ": " + node_->path + std::string(key);
}

void config_section::reject(std::string_view key, const std::string& message) {
  const int at = line_of(key);
  document_->mistake(at == 0 ? std::max(line(), 1) : at, node_->path + std::string(key) + ": " + message);
}

result<void> config_section::check() const {
  if (!document_->error.empty()) return fail(document_->error);
  for (const auto& s : document_->sections) {
    std::set<std::string> seen;
    for (const auto& item : s->yaml) {
      const std::string where = document_->file + ":" + std::to_string(item.first.Mark().line + 1) + ": ";
      if (!item.first.IsScalar()) return fail(where + "a key must be text");
      const std::string& key = item.first.Scalar();
      if (s->asked.find(key) == s->asked.end()) {
        std::string known;
        for (const auto& a : s->asked) known += (known.empty() ? "" : ", ") + a;
        return fail(where + printable(s->path + shown(key)) + " is not a known key; accepted: " + known);
      }
      if (!seen.insert(key).second) return fail(where + printable(s->path + key) + " is given twice");
    }
  }
  return {};
}

std::string path_from_config(const std::string& config_path, const std::string& path) {
  if (path.empty() || is_url(path) || std::filesystem::path(path).is_absolute()) return path;
  return (std::filesystem::path(config_path).parent_path() / path).string();
}

}  // namespace prose::apps
