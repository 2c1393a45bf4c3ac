#include "apps/sniffer/annotated_recording.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/sigmf_edit.h"
#include "phy/io/json_text.h"

namespace prose::apps {
namespace {
constexpr std::size_t copy_block = std::size_t{1} << 20;

double start_of(const nlohmann::json& annotation) {
  const auto it = annotation.is_object() ? annotation.find("core:sample_start") : annotation.end();
  return annotation.is_object() && it != annotation.end() && it->is_number() ? it->get<double>() : 0;
}

/// An earlier run's of ours, which this one replaces.
bool is_ours(const nlohmann::json& annotation) {
  return annotation.is_object() && annotation.contains("core:generator") &&
         annotation["core:generator"] == annotations_generator;
}

/// The list of the source, `there` as it reads and `kept` as it is written again, and ours between its entries.
nlohmann::ordered_json merged(const nlohmann::json& there, const nlohmann::ordered_json& kept,
                              const std::vector<phy::sigmf_annotation>& ours) {
  std::vector<std::pair<double, nlohmann::ordered_json>> all;
  for (std::size_t i = 0; there.is_array() && i < there.size(); ++i)
    if (!is_ours(there[i])) all.emplace_back(start_of(there[i]), kept[i]);
  for (const auto& a : ours) all.emplace_back(a.sample_start, nlohmann::ordered_json(phy::json_of(a)));
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  auto out = nlohmann::ordered_json::array();
  for (auto& [start, annotation] : all) out.push_back(std::move(annotation));
  return out;
}

/// What of the carrier is in the source is replaced, also what this one does not tell.
void put_extension(nlohmann::ordered_json& global, const std::string& prose) {
  std::vector<std::string> old;
  for (const auto& [key, value] : global.items())
    if (key.rfind("prose:", 0) == 0) old.push_back(key);
  for (const auto& key : old) global.erase(key);
  const auto ours = nlohmann::ordered_json::parse(prose);
  for (const auto& [key, value] : ours.items()) global["prose:" + key] = value;
  auto& list = global["core:extensions"];
  if (!list.is_array()) list = nlohmann::ordered_json::array();
  for (const auto& e : list)
    if (e.is_object() && e.value("name", nlohmann::ordered_json()) == "prose") return;
  list.push_back({{"name", "prose"}, {"version", "1.0.0"}, {"optional", true}});
}

/// What is in the source, its copies tell as well: to nobody else.
result<mode_t> mode_of(const phy::sigmf_reader& source) {
  struct stat data {};
  struct stat meta {};
  if (::stat(source.data_path().c_str(), &data) != 0)
    return fail(source.data_path() + ": cannot be looked at: " + std::strerror(errno));
  // Of a recording in an archive the metadata has no file of its own.
  const bool two_files = ::stat(source.meta_path().c_str(), &meta) == 0;
  return data.st_mode & (two_files ? meta.st_mode : 0666U) & 0666U;
}
}  // namespace

result<std::unique_ptr<annotated_recording>> annotated_recording::open(const std::string& path,
                                                                       const phy::sigmf_reader& source,
                                                                       const phy::carrier_config& carrier,
                                                                       std::string prose) {
  auto paths = phy::sigmf_output_paths(path);
  if (!paths) return fail("--annotate " + paths.error().message);
  for (const auto& name : {paths->meta, paths->data})
    if (!is_absent(name)) return fail("--annotate " + name + ": exists; accepted: a name that is not in use");
  const auto mode = mode_of(source);
  if (!mode) return fail("--annotate " + mode.error().message);
  if (looks_only()) {
    const auto ok = check_openable(paths->meta);
    return ok ? result<std::unique_ptr<annotated_recording>>(nullptr) : fail("--annotate " + ok.error().message);
  }
  auto meta = whole_file::create(paths->meta, *mode);
  if (!meta) return fail("--annotate " + meta.error().message);
  return std::unique_ptr<annotated_recording>(
      new annotated_recording(std::move(*paths), *mode, std::move(*meta), source, carrier, std::move(prose)));
}

result<std::string> annotated_recording::metadata() {
  const auto there = phy::parse_json(source_.meta_text(), source_.meta_path());
  if (!there) return tl::unexpected(there.error());
  auto ours = frames_.take();
  phy::fit_annotations(ours, source_.n_samples());
  for (auto& a : ours) a.sample_start += source_.meta().first_index;
  auto text = edit_sigmf(source_.meta_text(), source_.meta_path(), [&](nlohmann::ordered_json& root) {
    auto& global = root["global"];
    global.erase("core:dataset");
    if (!global.contains("core:sample_rate") || global["core:sample_rate"].is_null())
      global["core:sample_rate"] = source_.sample_rate_hz();
    if (decoded_ && !prose_.empty()) put_extension(global, prose_);
    root["annotations"] = merged(there->value("annotations", nlohmann::json()), root["annotations"], ours);
  });
  if (text && text->size() > phy::max_sigmf_meta_bytes)
    return fail(paths_.meta + ": would be larger than " + std::to_string(phy::max_sigmf_meta_bytes) +
                " octets with the annotations; accepted: a --duration");
  return text;
}

result<void> annotated_recording::copy_data(int from) const {
  auto out = whole_file::create(paths_.data, mode_);
  if (!out) return tl::unexpected(out.error());
  std::vector<std::uint8_t> block(copy_block);
  const std::int64_t begin = source_.data_begin(), end = begin + source_.data_bytes();
  for (std::int64_t at = begin; at < end;) {
    const auto n = ::pread(from, block.data(), std::min<std::int64_t>(end - at, copy_block), at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(source_.data_path() + ": cannot be read: " + (n < 0 ? std::strerror(errno) : "cut short"));
    if (auto ok = out->write(std::span(block).first(n)); !ok) return ok;
    at += n;
  }
  return out->commit();
}

result<void> annotated_recording::put_data() const {
  const file_descriptor from(::open(source_.data_path().c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st {};
  if (!from || ::fstat(from.get(), &st) != 0)
    return fail(source_.data_path() + ": cannot be opened: " + std::strerror(errno));
  if (source_.data_begin() == 0 && source_.data_bytes() == st.st_size) {
    if (::linkat(AT_FDCWD, source_.data_path().c_str(), AT_FDCWD, paths_.data.c_str(), AT_SYMLINK_FOLLOW) == 0)
      return {};
    if (errno == EEXIST) return fail(paths_.data + ": exists; accepted: a name that is not in use");
  }
  return copy_data(from.get());
}

result<void> annotated_recording::finish() {
  const auto text = metadata();
  if (!text) return fail("--annotate " + text.error().message);
  auto ok = meta_.write({reinterpret_cast<const std::uint8_t*>(text->data()), text->size()});
  if (ok) ok = put_data();
  if (!ok) return fail("--annotate " + ok.error().message);
  ok = meta_.commit();
  if (ok) return {};
  ::unlink(paths_.data.c_str());
  return fail("--annotate " + ok.error().message);
}

}  // namespace prose::apps
