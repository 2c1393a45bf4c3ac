#include "phy/io/sigmf_meta.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "phy/io/json_text.h"

namespace prose::phy {
namespace {
using nlohmann::json;

constexpr double max_exact_integer = 9007199254740992.0;  // 2^53: beyond it a JSON number need not be an integer

/// Reads keys of one object; the first mistake stays.
class object_reader {
 public:
  object_reader(const json& object, std::string file, std::string path)
      : object_(object), file_(std::move(file)), path_(std::move(path)) {}

  const json* find(const char* key) const {
    const auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }
  void string(const char* key, std::string& out) {
    const json* v = find(key);
    if (v == nullptr) return;
    if (!v->is_string()) return wrong(key, "must be a string");
    out = v->get<std::string>();
  }
  void number(const char* key, std::optional<double>& out) {
    const json* v = find(key);
    if (v == nullptr) return;
    if (!v->is_number() || !std::isfinite(v->get<double>())) return wrong(key, "must be a finite number");
    out = v->get<double>();
  }
  void count(const char* key, std::optional<std::int64_t>& out) {
    std::optional<double> v;
    number(key, v);
    if (!v) return;
    if (*v < 0 || *v > max_exact_integer || *v != std::floor(*v)) return wrong(key, "must be a whole number of 0 or more");
    out = static_cast<std::int64_t>(*v);
  }
  void wrong(const char* key, const std::string& what) {
    if (error_.empty()) error_ = file_ + ": " + path_ + key + " " + what;
  }
  const std::string& error() const { return error_; }

 private:
  const json& object_;
  std::string file_, path_, error_;
};

/// A file name from outside stays in the recording's folder.
bool is_plain_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

void read_global(object_reader& r, sigmf_meta& m) {
  std::string datatype;
  r.string("core:datatype", datatype);
  if (const auto t = sigmf_datatype_from(datatype)) {
    m.datatype = *t;
  } else {
    r.wrong("core:datatype", (datatype.empty() ? "is missing" : std::string("'").append(datatype, 0, 24).append("' is not supported")) +
                                 std::string("; accepted: cf32_le, ci16_le"));
  }
  std::optional<double> rate;
  r.number("core:sample_rate", rate);
  if (!rate) r.wrong("core:sample_rate", "is missing");
  if (rate && (*rate <= 0 || *rate > 1e12)) r.wrong("core:sample_rate", "must be above 0 and at most 1e12 (samples a second)");
  m.sample_rate_hz = rate.value_or(0);
  std::optional<std::int64_t> channels, offset, trailing;
  r.count("core:num_channels", channels);
  if (channels && (*channels < 1 || *channels > max_sigmf_channels))
    r.wrong("core:num_channels", "must be 1 to " + std::to_string(max_sigmf_channels));
  m.n_channels = static_cast<int>(channels.value_or(1));
  r.count("core:offset", offset);
  m.offset = offset.value_or(0);
  r.count("core:trailing_bytes", trailing);
  m.trailing_bytes = trailing.value_or(0);
  r.string("core:dataset", m.dataset);
  if (r.find("core:dataset") != nullptr && !is_plain_file_name(m.dataset))
    r.wrong("core:dataset", "must be the name of a file in the same folder");
  r.string("core:sha512", m.sha512);
  r.string("core:description", m.description);
  r.string("core:hw", m.hw);
  r.string("core:author", m.author);
  r.string("core:recorder", m.recorder);
  if (const json* only = r.find("core:metadata_only"); only != nullptr && only->is_boolean() && only->get<bool>())
    r.wrong("core:metadata_only", "is true: there are no samples to read");
}

result<void> read_captures(const json& list, const std::string& file, sigmf_meta& m) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string path = "captures[" + std::to_string(i) + "].";
    if (!list[i].is_object()) return fail(file + ": captures[" + std::to_string(i) + "] must be an object");
    object_reader r(list[i], file, path);
    sigmf_capture c;
    std::optional<std::int64_t> start, header;
    r.count("core:sample_start", start);
    if (!start) r.wrong("core:sample_start", "is missing");
    c.sample_start = start.value_or(0);
    if (!m.captures.empty() && c.sample_start <= m.captures.back().sample_start)
      r.wrong("core:sample_start", "must be larger than that of the capture before it");
    r.count("core:global_index", c.global_index);
    r.count("core:header_bytes", header);
    if (header.value_or(0) != 0) r.wrong("core:header_bytes", "is not supported; accepted: data files without headers");
    r.number("core:frequency", c.frequency_hz);
    r.string("core:datetime", c.datetime);
    if (!r.error().empty()) return fail(r.error());
    m.captures.push_back(std::move(c));
  }
  // An empty list says nothing about the samples; they are one segment then.
  if (m.captures.empty()) m.captures.emplace_back();
  return {};
}

}  // namespace

std::string_view name_of(sigmf_datatype t) { return t == sigmf_datatype::cf32_le ? "cf32_le" : "ci16_le"; }

std::optional<sigmf_datatype> sigmf_datatype_from(std::string_view name) {
  if (name == "cf32_le") return sigmf_datatype::cf32_le;
  if (name == "ci16_le") return sigmf_datatype::ci16_le;
  return std::nullopt;
}

result<sigmf_meta> parse_sigmf_meta(std::string_view text, const std::string& file) {
  const auto root = parse_json(text, file);
  if (!root) return tl::unexpected(root.error());
  if (!root->is_object()) return fail(file + ": must be a JSON object with global and captures");
  for (const char* key : {"global", "captures"})
    if (!root->contains(key)) return fail(file + ": " + key + " is missing");
  if (!(*root)["global"].is_object()) return fail(file + ": global must be an object");
  if (!(*root)["captures"].is_array()) return fail(file + ": captures must be a list");
  sigmf_meta m;
  object_reader r((*root)["global"], file, "global.");
  read_global(r, m);
  if (!r.error().empty()) return fail(r.error());
  if (auto ok = read_captures((*root)["captures"], file, m); !ok) return tl::unexpected(ok.error());
  return m;
}

result<void> check_against_length(const sigmf_meta& meta, std::int64_t n_samples, const std::string& file) {
  for (std::size_t i = 0; i < meta.captures.size(); ++i)
    if (meta.captures[i].sample_start >= n_samples)
      return fail(file + ": captures[" + std::to_string(i) + "].core:sample_start " +
                  std::to_string(meta.captures[i].sample_start) + " lies beyond the data, which has " +
                  std::to_string(n_samples) + " samples");
  return {};
}

std::string to_json_text(const sigmf_meta& m) {
  json global = {{"core:datatype", name_of(m.datatype)},
                 {"core:sample_rate", m.sample_rate_hz},
                 {"core:version", "1.0.0"},
                 {"core:num_channels", m.n_channels}};
  if (m.offset != 0) global["core:offset"] = m.offset;
  const auto text = [&global](const char* key, const std::string& v) {
    if (!v.empty()) global[key] = v;
  };
  text("core:dataset", m.dataset);
  text("core:sha512", m.sha512);
  text("core:description", m.description);
  text("core:hw", m.hw);
  text("core:author", m.author);
  text("core:recorder", m.recorder);
  json captures = json::array();
  for (const auto& c : m.captures) {
    json v = {{"core:sample_start", c.sample_start}};
    if (c.global_index) v["core:global_index"] = *c.global_index;
    if (c.frequency_hz) v["core:frequency"] = *c.frequency_hz;
    if (!c.datetime.empty()) v["core:datetime"] = c.datetime;
    captures.push_back(std::move(v));
  }
  const json root = {{"global", std::move(global)}, {"captures", std::move(captures)}, {"annotations", json::array()}};
  return root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

sigmf_paths sigmf_paths_of(const std::string& path) {
  std::string stem = path;
  for (const std::string_view suffix : {".sigmf-meta", ".sigmf-data"})
    if (stem.size() > suffix.size() && stem.compare(stem.size() - suffix.size(), suffix.size(), suffix) == 0) {
      stem.resize(stem.size() - suffix.size());
      break;
    }
  return {stem + ".sigmf-meta", stem + ".sigmf-data"};
}

}  // namespace prose::phy
