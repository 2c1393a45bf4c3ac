#include "phy/io/sigmf_meta.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "common/printable.h"
#include "phy/io/json_text.h"

namespace prose::phy {
namespace {
using nlohmann::json;

constexpr std::size_t most_remarks = 8;                   // a file can give reason for millions
constexpr std::string_view extension_prefix = "prose:";   // NOT 3GPP, nor of SigMF's own: docs/captures.md
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
    const json* v = find(key);
    if (v == nullptr) return;
    constexpr auto largest = std::numeric_limits<std::int64_t>::max();
    if (v->is_number_unsigned() && v->get<std::uint64_t>() <= static_cast<std::uint64_t>(largest)) {
      out = static_cast<std::int64_t>(v->get<std::uint64_t>());
    } else if (v->is_number_float() && v->get<double>() >= 0 && v->get<double>() < 0x1p63 &&
               v->get<double>() == std::floor(v->get<double>())) {
      out = static_cast<std::int64_t>(v->get<double>());
      if (v->get<double>() > max_exact_integer)
        remark(key, "is written with a point or an exponent: its last digits may be rounded");
    } else if (v->is_number_integer() && v->get<std::int64_t>() == 0) {
      out = 0;  // -0
    } else {
      wrong(key, "must be a whole number from 0 to " + std::to_string(largest));
    }
  }
  void remark(const char* key, const std::string& what) { remarks_.push_back(path_ + key + " " + what); }
  std::vector<std::string> take_remarks() { return std::move(remarks_); }
  void wrong(const char* key, const std::string& what) {
    if (error_.empty()) error_ = file_ + ": " + path_ + key + " " + printable(what);
  }
  const std::string& error() const { return error_; }

private:
  const json& object_;
  std::string file_, path_, error_;
  std::vector<std::string> remarks_;
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
    r.wrong("core:datatype",
            (datatype.empty() ? "is missing" : std::string("'").append(datatype, 0, 24).append("' is not supported")) +
                std::string("; accepted: cf32_le, ci16_le"));
  }
  std::optional<double> rate;
  r.number("core:sample_rate", rate);
  if (rate && (*rate <= 0 || *rate > 1e12))
    r.wrong("core:sample_rate", "must be above 0 and at most 1e12 (samples a second)");
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

/// Copying and writing a value go as deep as it does: a hostile one would exhaust the stack.
bool is_flat(const json& v, int depth = 8) {
  return !v.is_structured() ||
         (depth > 0 && std::all_of(v.begin(), v.end(), [=](auto& x) { return is_flat(x, depth - 1); }));
}

std::string extension_of(const json& global, object_reader& r) {
  json own = json::object();
  for (const auto& [key, value] : global.items()) {
    if (key.rfind(extension_prefix, 0) != 0) continue;
    if (is_flat(value))
      own[key.substr(extension_prefix.size())] = value;
    else
      r.remark("prose", "extension: a value of it is nested too deeply, it was left out");
  }
  return own.empty() ? std::string() : own.dump(-1, ' ', false, json::error_handler_t::replace);
}

void add_extension(const std::string& text, json& global) {
  if (text.empty()) return;
  const auto own = json::parse(text, nullptr, /*allow_exceptions=*/false);
  for (const auto& [key, value] : own.items()) global[std::string(extension_prefix) + key] = value;
  global["core:extensions"] = json::array({{{"name", "prose"}, {"version", "1.0.0"}, {"optional", true}}});
}

void add_remarks(sigmf_meta& m, std::vector<std::string> more) {
  for (auto& r : more)
    if (m.remarks.size() < most_remarks) m.remarks.push_back(std::move(r));
}

/// The list in order of the samples; what is odd about it is told once, however often it occurs.
void put_in_order(sigmf_meta& m) {
  const auto earlier = [](const sigmf_capture& a, const sigmf_capture& b) { return a.sample_start < b.sample_start; };
  if (!std::is_sorted(m.captures.begin(), m.captures.end(), earlier)) {
    std::stable_sort(m.captures.begin(), m.captures.end(), earlier);
    add_remarks(m, {"captures are not in order of core:sample_start: they were put in order"});
  }
  const auto same = std::adjacent_find(
      m.captures.begin(), m.captures.end(),
      [](const sigmf_capture& a, const sigmf_capture& b) { return a.sample_start == b.sample_start; });
  if (same != m.captures.end())
    add_remarks(m, {"captures[" + std::to_string(same->number) + "] and captures[" +
                    std::to_string((same + 1)->number) + "] begin at the same sample " +
                    std::to_string(m.first_index + same->sample_start) + ": the samples count to the latter"});
}

/// Indices from the beginning of the file. n_given: captures, the last ones, that tell where they begin.
void count_from_file(sigmf_meta& m, std::ptrdiff_t n_given) {
  const std::span given(m.captures.end() - n_given, m.captures.end());
  if (std::ranges::any_of(given, [&](const sigmf_capture& c) { return c.sample_start < m.offset; })) return;
  m.first_index = m.offset;
  for (auto& c : given) c.sample_start -= m.offset;
}

result<void> read_captures(const json& list, const std::string& file, sigmf_meta& m) {
  std::ptrdiff_t n_given = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string path = "captures[" + std::to_string(i) + "].";
    if (!list[i].is_object()) return fail(file + ": captures[" + std::to_string(i) + "] must be an object");
    object_reader r(list[i], file, path);
    sigmf_capture c;
    std::optional<std::int64_t> start, header;
    r.count("core:sample_start", start);
    c.sample_start = start.value_or(0);
    c.number = i;
    r.count("core:global_index", c.global_index);
    r.count("core:header_bytes", header);
    c.header_bytes = header.value_or(0);
    if (c.header_bytes > 0 && !start && i > 0)
      r.wrong("core:header_bytes", "needs core:sample_start: nobody can tell where the header lies");
    r.number("core:frequency", c.frequency_hz);
    r.string("core:datetime", c.datetime);
    if (!r.error().empty()) return fail(r.error());
    if (!start && i == 0) r.remark("core:sample_start", "is missing: 0 was taken");
    if (!start && i > 0) r.remark("core:sample_start", "is missing: nobody can tell where it begins, it was left out");
    add_remarks(m, r.take_remarks());
    if (start) ++n_given;
    if (start || i == 0)
      m.captures.push_back(std::move(c));
    else if (c.frequency_hz)
      m.unplaced_hz.push_back(*c.frequency_hz);
  }
  count_from_file(m, n_given);
  put_in_order(m);
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
  m.prose = extension_of((*root)["global"], r);
  add_remarks(m, r.take_remarks());
  if (auto ok = read_captures((*root)["captures"], file, m); !ok) return tl::unexpected(ok.error());
  return m;
}

result<std::int64_t> fit_to_length(sigmf_meta& meta, std::int64_t data_bytes, const std::string& file) {
  const auto frame = static_cast<std::int64_t>(meta.bytes_per_frame());
  std::int64_t n_samples = data_bytes / frame;
  auto beyond = meta.captures.begin();
  for (; beyond != meta.captures.end() && beyond->header_bytes <= data_bytes; ++beyond) {
    const std::int64_t with_header = (data_bytes - beyond->header_bytes) / frame;
    if (beyond->sample_start >= with_header) break;
    data_bytes -= beyond->header_bytes;
    n_samples = with_header;
  }
  if (beyond == meta.captures.end()) return n_samples;
  // What is left of a header that the end cuts is no samples.
  n_samples = std::min(n_samples, beyond->sample_start);
  if (n_samples == 0) return 0;
  const std::string what = "captures[" + std::to_string(beyond->number) + "].core:sample_start " +
                           std::to_string(meta.first_index + beyond->sample_start);
  const std::string length = std::to_string(n_samples) + " samples";
  if (beyond == meta.captures.begin()) return fail(file + ": " + what + " lies beyond the data, which has " + length);
  const auto n = meta.captures.end() - beyond;
  const std::string others = n > 1 ? " (and " + std::to_string(n - 1) + " more)" : "";
  add_remarks(meta,
              {beyond->sample_start == n_samples
                   ? what + others + " is the end of the data: there are no samples, it was left out"
                   : what + others + " lies beyond the data, which has " + length + ": cut short? It was left out"});
  meta.captures.erase(beyond, meta.captures.end());
  return n_samples;
}

std::optional<double> frequency_at(const std::vector<sigmf_capture>& captures, std::int64_t sample) {
  const auto next = std::ranges::upper_bound(captures, sample, {}, &sigmf_capture::sample_start);
  return next == captures.begin() ? std::nullopt : std::prev(next)->frequency_hz;
}

std::string to_json_text(const sigmf_meta& m) {
  json global = {
      {"core:datatype", name_of(m.datatype)}, {"core:version", "1.0.0"}, {"core:num_channels", m.n_channels}};
  if (m.sample_rate_hz > 0) global["core:sample_rate"] = m.sample_rate_hz;
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
  add_extension(m.prose, global);
  json captures = json::array();
  for (const auto& c : m.captures) {
    json v = {{"core:sample_start", m.first_index + c.sample_start}};
    if (c.header_bytes > 0) v["core:header_bytes"] = c.header_bytes;
    if (c.global_index) v["core:global_index"] = *c.global_index;
    if (c.frequency_hz) v["core:frequency"] = *c.frequency_hz;
    if (!c.datetime.empty()) v["core:datetime"] = c.datetime;
    captures.push_back(std::move(v));
  }
  json annotations = json::array();
  for (sigmf_annotation a : m.annotations) {
    a.sample_start += m.first_index;
    annotations.push_back(json_of(a));
  }
  const json root = {
      {"global", std::move(global)}, {"captures", std::move(captures)}, {"annotations", std::move(annotations)}};
  return root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

bool is_sigmf_archive_name(const std::string& path) {
  constexpr std::string_view suffix = ".sigmf";
  return path.size() > suffix.size() && path.compare(path.size() - suffix.size(), suffix.size(), suffix) == 0;
}

std::optional<sigmf_archive_path> sigmf_archive_of(const std::string& path) {
  if (is_sigmf_archive_name(path)) return sigmf_archive_path{path, {}};
  constexpr std::string_view inside = ".sigmf/";
  for (auto at = path.find(inside); at != std::string::npos; at = path.find(inside, at + 1)) {
    const std::string archive = path.substr(0, at + inside.size() - 1);
    std::error_code ec;
    if (std::filesystem::is_directory(archive, ec)) continue;
    std::string name = sigmf_paths_of(path.substr(at + inside.size())).meta;
    name.resize(name.rfind('.'));
    return sigmf_archive_path{archive, name};
  }
  return std::nullopt;
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

result<sigmf_paths> sigmf_output_paths(const std::string& path) {
  if (is_sigmf_archive_name(path))
    return fail(path +
                ": a recording grows as two files, which an archive cannot; accepted: a name ending in .sigmf-meta "
                "(convert makes an archive of it)");
  auto paths = sigmf_paths_of(path);
  if (path == "-" || paths.meta.substr(paths.meta.find_last_of('/') + 1) == ".sigmf-meta")
    return fail("'" + path + "': accepted is the name of a file");
  return paths;
}

}  // namespace prose::phy
