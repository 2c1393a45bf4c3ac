#include "apps/iq/raw_file.h"

#include <cassert>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "phy/io/sample_format.h"

namespace prose::apps {
namespace {
constexpr std::size_t block_frames = 16384;
}

bool is_sigmf_name(const std::string& path) {
  for (const std::string_view suffix : {".sigmf-meta", ".sigmf-data"})
    if (path.size() > suffix.size() && path.compare(path.size() - suffix.size(), suffix.size(), suffix) == 0) return true;
  return false;
}

std::optional<phy::sigmf_datatype> datatype_of(const std::string& word) {
  if (word == "cf32" || word == "cf32_le" || word == "fc32") return phy::sigmf_datatype::cf32_le;
  if (word == "ci16" || word == "ci16_le" || word == "sc16") return phy::sigmf_datatype::ci16_le;
  return std::nullopt;
}

result<std::unique_ptr<raw_source>> raw_source::open(const std::string& path, phy::sigmf_datatype type, double rate_hz,
                                                     int n_channels) {
  if (!(rate_hz > 0) || !std::isfinite(rate_hz)) return fail(path + ": a raw file needs --rate above 0 (samples a second)");
  std::error_code ec;
  if (std::filesystem::is_directory(path, ec)) return fail(path + ": is a directory, a file is needed");
  std::unique_ptr<raw_source> s(new raw_source);
  s->file_.reset(std::fopen(path.c_str(), "rb"));
  if (!s->file_) return fail(path + ": cannot be opened: " + std::strerror(errno));
  s->path_ = path;
  s->type_ = type;
  s->rate_hz_ = rate_hz;
  s->n_channels_ = n_channels;
  s->block_.resize(block_frames * phy::bytes_per_sample(type) * static_cast<std::size_t>(n_channels));
  return s;
}

result<phy::read_status> raw_source::read(std::span<const std::span<phy::cf32>> out) {
  const std::size_t frame = phy::bytes_per_sample(type_) * static_cast<std::size_t>(n_channels_);
  phy::read_status status;
  status.first_tick = position_;
  for (std::size_t left = out[0].size(); left > 0;) {
    const std::size_t want = std::min(left, block_frames);
    const std::size_t got = std::fread(block_.data(), frame, want, file_.get());
    phy::unpack_samples(block_.data(), type_, out, status.n_samples, got);
    status.n_samples += got;
    left -= got;
    if (got == want) continue;
    if (std::ferror(file_.get()) != 0) return fail(path_ + ": cannot be read: " + std::strerror(errno));
    status.end = true;
    break;
  }
  position_ += static_cast<std::int64_t>(status.n_samples);
  return status;
}

result<std::unique_ptr<raw_sink>> raw_sink::open(const std::string& path, phy::sigmf_datatype type) {
  std::unique_ptr<raw_sink> s(new raw_sink);
  s->file_.reset(std::fopen(path.c_str(), "wb"));
  if (!s->file_) return fail(path + ": cannot be created: " + std::strerror(errno));
  s->path_ = path;
  s->type_ = type;
  return s;
}

result<void> raw_sink::write(std::span<const std::span<const phy::cf32>> in) {
  block_.resize(in[0].size() * in.size() * phy::bytes_per_sample(type_));
  const auto packed = phy::pack_samples(in, 0, in[0].size(), type_, block_.data());
  if (std::fwrite(block_.data(), 1, packed.n_bytes, file_.get()) != packed.n_bytes)
    return fail(path_ + ": cannot be written: " + std::strerror(errno));
  return {};
}

result<void> raw_sink::finish() {
  if (std::fclose(file_.release()) != 0) return fail(path_ + ": cannot be completed: " + std::strerror(errno));
  return {};
}

}  // namespace prose::apps
