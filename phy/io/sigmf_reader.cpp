#include "phy/io/sigmf_reader.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <unordered_map>

#include "phy/io/container.h"
#include "phy/io/json_text.h"
#include "phy/io/sample_format.h"

namespace prose::phy {
namespace {
constexpr std::int64_t block_frames = 16384;
constexpr std::size_t most_named = 10;      // recordings of an archive, in an error
constexpr std::size_t longest_shown = 200;  // octets of such a name

/// "x" of "x.sigmf-meta"; empty for other names.
std::string stem_of(const std::string& member) {
  constexpr std::string_view suffix = ".sigmf-meta";
  if (member.size() <= suffix.size() || member.compare(member.size() - suffix.size(), suffix.size(), suffix) != 0)
    return {};
  return member.substr(0, member.size() - suffix.size());
}

bool read_at(std::FILE* file, std::uint64_t at, std::span<std::uint8_t> out) {
  return fseeko(file, static_cast<off_t>(at), SEEK_SET) == 0 &&
         std::fread(out.data(), 1, out.size(), file) == out.size();
}
}  // namespace

/// The metadata's text of a recording of two files.
result<std::string> sigmf_reader::find_in_folder(const std::string& path) {
  const auto paths = sigmf_paths_of(path);
  meta_path_ = paths.meta;
  data_path_ = paths.data;
  return read_text_file(paths.meta, max_sigmf_meta_bytes);
}

/// The same of an archive.
result<std::string> sigmf_reader::find_in_archive(const sigmf_archive_path& path) {
  meta_path_ = data_path_ = path.archive;
  if (auto ok = list_archive(path.archive); !ok) return tl::unexpected(ok.error());
  const auto meta = choose(path);
  if (!meta) return tl::unexpected(meta.error());
  stem_ = stem_of((*meta)->name);
  if (!path.recording.empty()) meta_path_ += "/" + stem_;
  if ((*meta)->size > max_sigmf_meta_bytes)
    return fail(meta_path_ + ": the metadata is larger than " + std::to_string(max_sigmf_meta_bytes) + " bytes");
  std::string text((*meta)->size, '\0');
  if (!read_at(file_.get(), (*meta)->begin, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}))
    return fail(path.archive + ": cannot be read: " + std::strerror(errno));
  return text;
}

/// Of files with one name the last counts, as when the archive is unpacked.
result<void> sigmf_reader::list_archive(const std::string& path) {
  std::error_code ec;
  if (!std::filesystem::exists(path, ec)) return fail(path + ": no such file");
  if (!std::filesystem::is_regular_file(path, ec)) return fail(path + ": is no file, an archive is needed");
  file_.reset(std::fopen(path.c_str(), "rb"));
  if (!file_) return fail(path + ": cannot be opened: " + std::strerror(errno));
  std::vector<std::uint8_t> head(container_head_bytes);
  head.resize(std::fread(head.data(), 1, head.size(), file_.get()));
  const auto what = container_of(head);
  if (!what.empty() && what.find("tar") == std::string_view::npos)
    return fail(path + ": is " + std::string(what) + "; accepted: a tar archive, as SigMF has it");
  const auto read = [this](std::uint64_t at, std::span<std::uint8_t> out) { return read_at(file_.get(), at, out); };
  auto listed = list_tar(read, std::filesystem::file_size(path, ec), path);
  if (!listed) return tl::unexpected(listed.error());
  std::unordered_map<std::string, std::size_t> places;
  for (auto& m : *listed) {
    while (m.name.rfind("./", 0) == 0) m.name.erase(0, 2);
    const auto [same, is_new] = places.try_emplace(m.name, members_.size());
    if (is_new)
      members_.push_back(std::move(m));
    else
      members_[same->second] = std::move(m);
  }
  return {};
}

/// The recording that is asked for by its name in the archive, or by the last part of it, or that is the only one.
result<const tar_member*> sigmf_reader::choose(const sigmf_archive_path& path) {
  std::vector<const tar_member*> all, named;
  for (const auto& m : members_) {
    const std::string stem = stem_of(m.name), last = stem.substr(stem.find_last_of('/') + 1);
    // "._x" is what macOS adds to an archive.
    if (last.empty() || last[0] == '.') continue;
    all.push_back(&m);
    if (stem == path.recording) return &m;
    if (last == path.recording) named.push_back(&m);
  }
  const auto& found = path.recording.empty() ? all : named;
  if (found.size() == 1) return found.front();
  if (all.empty()) return fail(path.archive + ": holds 0 recordings; accepted: a SigMF archive of one or more");
  std::string accepted;
  for (std::size_t i = 0; i < std::min(all.size(), most_named); ++i)
    accepted += (i > 0 ? ", " : "") + path.archive + "/" + stem_of(all[i]->name).substr(0, longest_shown);
  if (all.size() > most_named) accepted += " and " + std::to_string(all.size() - most_named) + " more";
  return fail(path.archive +
              (path.recording.empty() ? ": holds " + std::to_string(all.size()) + " recordings"
                                      : ": holds " + std::string(found.empty() ? "no" : "more than one") +
                                            " recording '" + path.recording + "'") +
              "; accepted: " + accepted);
}

/// Opens the data and finds where it lies.
result<void> sigmf_reader::find_data() {
  const std::string key = meta_.dataset.empty() ? "" : " (" + meta_path_ + ": global.core:dataset)";
  if (!stem_.empty()) {
    const auto slash = stem_.find_last_of('/');
    const std::string name = meta_.dataset.empty()
                                 ? stem_ + ".sigmf-data"
                                 : stem_.substr(0, slash == std::string::npos ? 0 : slash + 1) + meta_.dataset;
    const auto it = std::find_if(members_.begin(), members_.end(), [&](const tar_member& m) { return m.name == name; });
    if (it == members_.end()) return fail(data_path_ + ": holds the metadata, but no data file" + key);
    data_begin_ = static_cast<std::int64_t>(it->begin);
    data_bytes_ = static_cast<std::int64_t>(it->size);
    return {};
  }
  if (!meta_.dataset.empty()) data_path_ = (std::filesystem::path(meta_path_).parent_path() / meta_.dataset).string();
  std::error_code ec;
  if (!std::filesystem::is_regular_file(data_path_, ec)) return fail(data_path_ + ": no such data file" + key);
  data_bytes_ = static_cast<std::int64_t>(std::filesystem::file_size(data_path_, ec));
  if (ec) return fail(data_path_ + ": size cannot be read: " + ec.message());
  file_.reset(std::fopen(data_path_.c_str(), "rb"));
  if (!file_) return fail(data_path_ + ": cannot be opened: " + std::strerror(errno));
  return {};
}

/// The first octets behind the headers look like samples.
result<void> sigmf_reader::check_head() {
  std::int64_t left = data_bytes_;
  for (const auto& c : meta_.captures)
    if (c.sample_start == 0) left -= std::min(left, c.header_bytes);
  std::vector<std::uint8_t> head(std::min<std::int64_t>(left, container_head_bytes));
  if (!read_at(file_.get(), static_cast<std::uint64_t>(data_begin_ + data_bytes_ - left), head))
    return fail(data_path_ + ": cannot be read: " + std::strerror(errno));
  if (const auto what = container_of(head); !what.empty())
    return fail(data_path_ + ": is " + std::string(what) + ", not samples");
  return {};
}

result<void> sigmf_reader::measure_data() {
  const std::int64_t bytes = data_bytes_ - meta_.trailing_bytes;
  if (bytes < 0) return fail(meta_path_ + ": global.core:trailing_bytes is larger than the data file " + data_path_);
  if (auto ok = check_head(); !ok) return ok;
  const auto n = fit_to_length(meta_, bytes, meta_path_);
  if (!n) return tl::unexpected(n.error());
  const auto frame = static_cast<std::int64_t>(meta_.bytes_per_frame());
  n_samples_ = *n;
  if (n_samples_ == 0)
    return fail(data_path_ + ": holds no sample (" + std::to_string(data_bytes_) +
                " bytes; one sample of global.core:datatype " + std::string(name_of(meta_.datatype)) + " has " +
                std::to_string(frame) + ")");
  partial_bytes_ = bytes - n_samples_ * frame;
  for (const auto& c : meta_.captures) partial_bytes_ -= c.header_bytes;
  lay_out_segments();
  return {};
}

result<std::unique_ptr<sigmf_reader>> sigmf_reader::open(const std::string& path, sigmf_open_options options) {
  std::unique_ptr<sigmf_reader> r(new sigmf_reader);
  const auto archive = sigmf_archive_of(path);
  auto text = archive ? r->find_in_archive(*archive) : r->find_in_folder(path);
  if (!text) return tl::unexpected(text.error());
  auto meta = parse_sigmf_meta(*text, r->meta_path_);
  if (!meta) return tl::unexpected(meta.error());
  r->meta_ = std::move(*meta);
  if (options.keep_text) r->meta_text_ = std::move(*text);
  if (r->meta_.sample_rate_hz == 0) r->meta_.sample_rate_hz = options.rate_hz;
  if (r->meta_.sample_rate_hz == 0 && options.rate_required)
    return fail(r->meta_path_ + ": global.core:sample_rate is missing, and --rate does not tell it");
  if (auto ok = r->find_data(); !ok) return tl::unexpected(ok.error());
  if (auto ok = r->measure_data(); !ok) return tl::unexpected(ok.error());
  r->block_.resize(block_frames * r->meta_.bytes_per_frame());
  if (auto ok = r->seek(0); !ok) return tl::unexpected(ok.error());
  return r;
}

void sigmf_reader::lay_out_segments() {
  // Every tick up to the end of the data must fit: what would not is not used.
  const std::int64_t highest = std::numeric_limits<std::int64_t>::max() - n_samples_;
  const std::int64_t offset = meta_.offset <= highest ? meta_.offset : 0;
  if (offset != meta_.offset)
    meta_.remarks.emplace_back("global.core:offset is too large for the data after it: it is not used");
  const auto& c = meta_.captures;
  // Samples before the first capture belong to no segment by the standard; they are samples all the same.
  if (c.front().sample_start > 0) segments_.push_back({0, c.front().sample_start, offset, false, 0});
  bool told = false;
  std::optional<std::size_t> last;  // segment that has samples, and its frequency
  std::optional<double> last_hz;
  if (!segments_.empty()) last = 0;
  std::int64_t headers = 0;
  for (std::size_t i = 0; i < c.size(); ++i) {
    headers += c[i].header_bytes;
    segment s{c[i].sample_start, i + 1 < c.size() ? c[i + 1].sample_start : n_samples_, offset + c[i].sample_start,
              false, headers};
    auto index = c[i].global_index;
    if (index && *index > highest + c[i].sample_start) {
      if (!told)
        meta_.remarks.push_back("captures[" + std::to_string(c[i].number) +
                                "].core:global_index is too large for the data after it: it is not used");
      told = true;
      index.reset();
    }
    if (!last) {
      s.tick = index.value_or(s.tick);
    } else {
      const segment& before = segments_[*last];
      const std::int64_t next = before.tick + (before.end - before.start);
      // A stream index that runs backwards is a lie; the samples stay in order.
      s.tick = std::max(index.value_or(next), next);
      const bool retuned = (c.front().sample_start == 0 || *last > 0) && c[i].frequency_hz != last_hz;
      s.gap = s.end > s.start && (!(index && *index == next) || retuned);
    }
    if (s.end > s.start) {
      last = segments_.size();
      last_hz = c[i].frequency_hz;
    }
    segments_.push_back(s);
  }
}

std::size_t sigmf_reader::segment_at(std::int64_t sample) const {
  const auto it = std::upper_bound(segments_.begin(), segments_.end(), sample,
                                   [](std::int64_t s, const segment& g) { return s < g.start; });
  return static_cast<std::size_t>(it - segments_.begin()) - 1;
}

std::int64_t sigmf_reader::tick_of(std::int64_t sample) const {
  const segment& s = segments_[segment_at(std::max<std::int64_t>(sample, 0))];
  return s.tick + (sample - s.start);
}

std::int64_t sigmf_reader::sample_of(std::int64_t tick) const {
  const auto it = std::upper_bound(segments_.begin(), segments_.end(), tick,
                                   [](std::int64_t t, const segment& g) { return t < g.tick; });
  if (it == segments_.begin()) return tick - segments_.front().tick;
  const segment& s = *(it - 1);
  const std::int64_t sample = s.start + (tick - s.tick);
  return it == segments_.end() ? sample : std::min(sample, it->start);
}

result<void> sigmf_reader::seek(std::int64_t sample) {
  assert(sample >= 0 && sample <= n_samples_);
  const auto at =
      data_begin_ + segments_[segment_at(sample)].headers + sample * static_cast<std::int64_t>(meta_.bytes_per_frame());
  if (fseeko(file_.get(), at, SEEK_SET) != 0) return fail(data_path_ + ": cannot be read: " + std::strerror(errno));
  position_ = sample;
  return {};
}

result<read_status> sigmf_reader::read(std::span<const std::span<cf32>> out) {
  assert(static_cast<int>(out.size()) == meta_.n_channels);
  read_status status;
  if (position_ >= n_samples_) {
    status.end = true;
    status.first_tick = tick_of(n_samples_);
    return status;
  }
  const segment& s = segments_[segment_at(position_)];
  status.first_tick = s.tick + (position_ - s.start);
  status.gap_before = s.gap && position_ == s.start;
  if (s.headers > 0 && position_ == s.start)
    if (auto ok = seek(position_); !ok) return tl::unexpected(ok.error());
  auto left = std::min<std::int64_t>(static_cast<std::int64_t>(out[0].size()), s.end - position_);
  while (left > 0) {
    const std::size_t want = std::min(left, block_frames);
    const std::size_t got = std::fread(block_.data(), meta_.bytes_per_frame(), want, file_.get());
    unpack_samples(block_.data(), meta_.datatype, out, status.n_samples, got);
    status.n_samples += got;
    position_ += static_cast<std::int64_t>(got);
    left -= static_cast<std::int64_t>(got);
    if (got == want) continue;
    if (std::ferror(file_.get()) != 0) return fail(data_path_ + ": cannot be read: " + std::strerror(errno));
    n_samples_ = position_;  // the file became shorter while it was read
    break;
  }
  status.end = position_ >= n_samples_;
  return status;
}

std::size_t zero_non_finite(std::span<cf32> samples) {
  constexpr float limit = 1e12F;
  std::size_t zeroed = 0;
  for (auto& v : samples) {
    // Written so that a NaN fails the comparison.
    if (std::abs(v.real()) <= limit && std::abs(v.imag()) <= limit) continue;
    v = {};
    ++zeroed;
  }
  return zeroed;
}

}  // namespace prose::phy
