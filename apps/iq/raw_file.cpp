#include "apps/iq/raw_file.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "apps/lib/common/stop.h"
#include "phy/io/container.h"
#include "phy/io/sample_format.h"

namespace prose::apps {
namespace {
constexpr std::size_t block_frames = 16384;
}

bool is_sigmf_name(const std::string& path) {
  for (const std::string_view suffix : {".sigmf-meta", ".sigmf-data"})
    if (path.size() > suffix.size() && path.compare(path.size() - suffix.size(), suffix.size(), suffix) == 0)
      return true;
  return false;
}

bool is_sigmf_archive_name(const std::string& path) { return phy::is_sigmf_archive_name(path); }

bool is_recording(const std::string& path) { return is_sigmf_name(path) || phy::sigmf_archive_of(path).has_value(); }

std::optional<phy::sigmf_datatype> datatype_of(const std::string& word) {
  if (word == "cf32" || word == "cf32_le" || word == "fc32") return phy::sigmf_datatype::cf32_le;
  if (word == "ci16" || word == "ci16_le" || word == "sc16") return phy::sigmf_datatype::ci16_le;
  return std::nullopt;
}

result<std::unique_ptr<raw_source>> raw_source::open(const std::string& path, phy::sigmf_datatype type, double rate_hz,
                                                     int n_channels) {
  if (!(rate_hz > 0) || !std::isfinite(rate_hz))
    return fail(path + ": a raw file needs --rate above 0 (samples a second)");
  std::error_code ec;
  if (std::filesystem::is_directory(path, ec)) return fail(path + ": is a directory, a file is needed");
  std::unique_ptr<raw_source> s(new raw_source);
  s->file_.reset(std::fopen(path.c_str(), "rb"));
  if (!s->file_) return fail(path + ": cannot be opened: " + std::strerror(errno));
  s->path_ = path;
  s->type_ = type;
  s->rate_hz_ = rate_hz;
  s->n_channels_ = n_channels;
  const std::size_t frame = phy::bytes_per_sample(type) * static_cast<std::size_t>(n_channels);
  s->block_.resize(block_frames * frame);
  s->head_.resize(phy::container_head_bytes);
  s->head_.resize(std::fread(s->head_.data(), 1, s->head_.size(), s->file_.get()));
  if (const auto what = phy::container_of(s->head_); !what.empty())
    return fail(path + ": is " + std::string(what) + ", not samples");
  if (std::filesystem::is_regular_file(path, ec))
    s->n_samples_ = static_cast<std::int64_t>(std::filesystem::file_size(path, ec) / frame);
  return s;
}

std::size_t raw_source::take(std::span<std::uint8_t> to) {
  const std::size_t n = std::min(to.size(), head_.size() - head_at_);
  std::copy_n(head_.begin() + head_at_, n, to.begin());
  head_at_ += n;
  return n < to.size() ? n + std::fread(to.data() + n, 1, to.size() - n, file_.get()) : n;
}

result<phy::read_status> raw_source::read(std::span<const std::span<phy::cf32>> out) {
  const std::size_t frame = phy::bytes_per_sample(type_) * static_cast<std::size_t>(n_channels_);
  phy::read_status status;
  status.first_tick = position_;
  for (std::size_t left = out[0].size(); left > 0;) {
    const std::size_t want = std::min(left, block_frames);
    const std::size_t octets = take(std::span(block_).first(want * frame)), got = octets / frame;
    partial_bytes_ = static_cast<std::int64_t>(octets % frame);
    phy::unpack_samples(block_.data(), type_, out, status.n_samples, got);
    status.n_samples += got;
    left -= got;
    if (got == want) continue;
    if (std::ferror(file_.get()) != 0 && errno == EINTR && stop_requested()) break;
    if (std::ferror(file_.get()) != 0) return fail(path_ + ": cannot be read: " + std::strerror(errno));
    status.end = true;
    break;
  }
  position_ += static_cast<std::int64_t>(status.n_samples);
  return status;
}

}  // namespace prose::apps
