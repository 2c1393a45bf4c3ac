#include "phy/io/sigmf_reader.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "phy/io/container.h"
#include "phy/io/json_text.h"
#include "phy/io/sample_format.h"

namespace prose::phy {
namespace {
constexpr std::int64_t block_frames = 16384;
}  // namespace

/// The metadata's text of a recording of two files.
result<std::string> sigmf_reader::find_in_folder(const std::string& path) {
  const auto paths = sigmf_paths_of(path);
  meta_path_ = paths.meta;
  data_path_ = paths.data;
  return read_text_file(paths.meta, max_sigmf_meta_bytes);
}

/// The same of an archive, whose files it lists.
result<std::string> sigmf_reader::find_in_archive(const std::string& path) {
  meta_path_ = data_path_ = path;
  std::error_code ec;
  if (!std::filesystem::exists(path, ec)) return fail(path + ": no such file");
  if (!std::filesystem::is_regular_file(path, ec)) return fail(path + ": is no file, an archive is needed");
  file_.reset(std::fopen(path.c_str(), "rb"));
  if (!file_) return fail(path + ": cannot be opened: " + std::strerror(errno));
  const auto read = [this](std::uint64_t at, std::span<std::uint8_t> out) {
    return fseeko(file_.get(), static_cast<off_t>(at), SEEK_SET) == 0 &&
           std::fread(out.data(), 1, out.size(), file_.get()) == out.size();
  };
  std::vector<std::uint8_t> head(container_head_bytes);
  head.resize(std::fread(head.data(), 1, head.size(), file_.get()));
  const auto what = container_of(head);
  if (!what.empty() && what.find("tar") == std::string_view::npos)
    return fail(path + ": is " + std::string(what) + "; accepted: a tar archive, as SigMF has it");
  auto members = list_tar(read, std::filesystem::file_size(path, ec), path);
  if (!members) return tl::unexpected(members.error());
  members_ = std::move(*members);
  const tar_member* meta = nullptr;
  int n = 0;
  for (const auto& m : members_) {
    constexpr std::string_view suffix = ".sigmf-meta";
    const auto name = m.name.substr(m.name.find_last_of('/') + 1);
    // "._x" is what macOS adds to an archive.
    if (name.size() <= suffix.size() || name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0 ||
        name[0] == '.')
      continue;
    meta = &m;
    ++n;
    stem_ = m.name.substr(0, m.name.size() - suffix.size());
  }
  if (n != 1)
    return fail(path + ": holds " + std::to_string(n) + " recordings; accepted: one (tar -xf takes them out)");
  if (meta->size > max_sigmf_meta_bytes)
    return fail(path + ": the metadata is larger than " + std::to_string(max_sigmf_meta_bytes) + " bytes");
  std::string text(meta->size, '\0');
  if (!read(meta->begin, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}))
    return fail(path + ": cannot be read: " + std::strerror(errno));
  return text;
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

result<std::unique_ptr<sigmf_reader>> sigmf_reader::open(const std::string& path, sigmf_open_options options) {
  std::unique_ptr<sigmf_reader> r(new sigmf_reader);
  auto text = is_sigmf_archive_name(path) ? r->find_in_archive(path) : r->find_in_folder(path);
  if (!text) return tl::unexpected(text.error());
  auto meta = parse_sigmf_meta(*text, r->meta_path_);
  if (!meta) return tl::unexpected(meta.error());
  r->meta_ = std::move(*meta);
  if (options.keep_text) r->meta_text_ = std::move(*text);
  if (r->meta_.sample_rate_hz == 0) r->meta_.sample_rate_hz = options.rate_hz;
  if (r->meta_.sample_rate_hz == 0 && options.rate_required)
    return fail(r->meta_path_ + ": global.core:sample_rate is missing, and --rate does not tell it");
  if (auto ok = r->find_data(); !ok) return tl::unexpected(ok.error());
  const std::int64_t bytes = r->data_bytes_;
  if (r->meta_.trailing_bytes > bytes)
    return fail(r->meta_path_ + ": global.core:trailing_bytes is larger than the data file " + r->data_path_);
  const auto frame = static_cast<std::int64_t>(r->meta_.bytes_per_frame());
  r->n_samples_ = (bytes - r->meta_.trailing_bytes) / frame;
  r->partial_bytes_ = (bytes - r->meta_.trailing_bytes) % frame;
  if (r->n_samples_ == 0)
    return fail(r->data_path_ + ": holds no sample (" + std::to_string(bytes) +
                " bytes; one sample of global.core:datatype " + std::string(name_of(r->meta_.datatype)) + " has " +
                std::to_string(frame) + ")");
  std::vector<std::uint8_t> head(static_cast<std::size_t>(std::min<std::int64_t>(bytes, container_head_bytes)));
  if (fseeko(r->file_.get(), r->data_begin_, SEEK_SET) != 0 ||
      std::fread(head.data(), 1, head.size(), r->file_.get()) != head.size())
    return fail(r->data_path_ + ": cannot be read: " + std::strerror(errno));
  if (const auto what = container_of(head); !what.empty())
    return fail(r->data_path_ + ": is " + std::string(what) + ", not samples");
  if (auto ok = fit_to_length(r->meta_, r->n_samples_, r->meta_path_); !ok) return tl::unexpected(ok.error());
  r->lay_out_segments();
  r->block_.resize(block_frames * frame);
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
  if (c.front().sample_start > 0) segments_.push_back({0, c.front().sample_start, offset, false});
  bool told = false;
  std::optional<std::size_t> last;  // segment that has samples, and its frequency
  std::optional<double> last_hz;
  if (!segments_.empty()) last = 0;
  for (std::size_t i = 0; i < c.size(); ++i) {
    segment s{c[i].sample_start, i + 1 < c.size() ? c[i + 1].sample_start : n_samples_, offset + c[i].sample_start,
              false};
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
  const auto at = data_begin_ + sample * static_cast<std::int64_t>(meta_.bytes_per_frame());
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
