#include "phy/io/sigmf_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "phy/io/sample_format.h"

namespace prose::phy {
namespace {
constexpr std::size_t block_frames = 16384;

bool is_full(int e) { return e == ENOSPC || e == EFBIG || e == EDQUOT; }

/// Writes all of it, or as much as the device takes; errno tells why it stopped.
std::size_t write_all(int fd, std::span<const std::uint8_t> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}
}  // namespace

result<std::unique_ptr<sigmf_writer>> sigmf_writer::make(sigmf_writer_config config) {
  if (!(config.sample_rate_hz > 0) || !std::isfinite(config.sample_rate_hz))
    return fail(config.path + ": sample rate must be above 0");
  if (config.n_channels < 1 || config.n_channels > max_sigmf_channels)
    return fail(config.path + ": channels must be 1 to " + std::to_string(max_sigmf_channels));
  auto paths = sigmf_output_paths(config.path);
  if (!paths) return tl::unexpected(paths.error());
  std::unique_ptr<sigmf_writer> w(new sigmf_writer);
  w->paths_ = std::move(*paths);
  w->meta_.datatype = config.datatype;
  w->meta_.sample_rate_hz = config.sample_rate_hz;
  w->meta_.n_channels = config.n_channels;
  w->meta_.description = config.description;
  w->meta_.hw = config.hw;
  w->meta_.recorder = config.recorder;
  w->meta_.prose = config.prose;
  w->config_ = std::move(config);
  w->block_.resize(block_frames * w->meta_.bytes_per_frame());
  w->fd_ = ::open(w->paths_.data.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (w->fd_ < 0) return fail(w->paths_.data + ": cannot be created: " + std::strerror(errno));
  if (auto ok = w->save_meta(); !ok) return tl::unexpected(ok.error());
  return w;
}

sigmf_writer::~sigmf_writer() {
  if (fd_ >= 0) ::close(fd_);
}

result<void> sigmf_writer::save_meta() {
  // Beside, then over the old one: no moment without complete metadata.
  const std::string text = to_json_text(meta_), part = paths_.meta + ".part";
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  save_errno_ = fd < 0 ? errno : 0;
  if (fd < 0) return fail(part + ": cannot be created: " + std::strerror(errno));
  const auto done = write_all(fd, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  if (done != text.size()) save_errno_ = errno;
  if (::close(fd) != 0 && save_errno_ == 0) save_errno_ = errno;
  if (save_errno_ != 0) {
    ::unlink(part.c_str());
    return fail(paths_.meta + ": cannot be written: " + std::strerror(save_errno_));
  }
  if (std::rename(part.c_str(), paths_.meta.c_str()) != 0)
    return fail(paths_.meta + ": cannot be written: " + std::strerror(errno));
  return {};
}

result<write_stop> sigmf_writer::put(std::size_t n_bytes) {
  const std::size_t frame = meta_.bytes_per_frame();
  errno = 0;
  const std::size_t done = write_all(fd_, {block_.data(), n_bytes});
  const int why = errno;
  const std::size_t whole = done - done % frame;
  n_samples_ += static_cast<std::int64_t>(whole / frame);
  next_tick_ += static_cast<std::int64_t>(whole / frame);
  if (config_.on_bytes) config_.on_bytes({block_.data(), whole});
  if (done == n_bytes) return write_stop::none;
  if (whole != done && ::ftruncate(fd_, n_samples_ * static_cast<std::int64_t>(frame)) != 0)
    return fail(paths_.data + ": the last sample is cut and cannot be removed: " + std::strerror(errno));
  stopped_ = write_stop::disk_full;
  if (is_full(why)) return stopped_;
  return fail(paths_.data + ": cannot be written: " + std::strerror(why));
}

result<write_stop> sigmf_writer::write(std::span<const std::span<const cf32>> in, std::int64_t first_tick,
                                       bool gap_before) {
  assert(static_cast<int>(in.size()) == meta_.n_channels);
  if (stopped_ != write_stop::none) return stopped_;
  std::size_t n = in[0].size();
  if (n == 0) return write_stop::none;
  if (config_.max_bytes != 0) {
    const auto room = static_cast<std::int64_t>(config_.max_bytes / meta_.bytes_per_frame()) - n_samples_;
    if (static_cast<std::int64_t>(n) >= room) {
      n = static_cast<std::size_t>(std::max<std::int64_t>(room, 0));
      stopped_ = write_stop::size_limit;
      if (n == 0) return stopped_;
    }
  }
  if (meta_.captures.empty() || gap_before || first_tick != next_tick_ ||
      meta_.captures.back().frequency_hz != config_.frequency_hz) {
    sigmf_capture c;
    c.sample_start = n_samples_;
    // SigMF's index has no sign; device time before 0 does not occur on a radio.
    c.global_index = std::max<std::int64_t>(first_tick, 0);
    c.frequency_hz = config_.frequency_hz;
    if (meta_.captures.empty()) c.datetime = config_.start_datetime;
    meta_.captures.push_back(std::move(c));
    next_tick_ = first_tick;
    if (auto ok = save_meta(); !ok) {
      meta_.captures.pop_back();
      stopped_ = write_stop::disk_full;
      if (is_full(save_errno_)) return stopped_;
      return tl::unexpected(ok.error());
    }
  }
  const write_stop wanted = stopped_;
  for (std::size_t at = 0; at < n;) {
    const std::size_t now = std::min(n - at, block_frames);
    const auto packed = pack_samples(in, at, now, meta_.datatype, block_.data());
    n_clipped_ += packed.n_clipped;
    const auto put_result = put(packed.n_bytes);
    if (!put_result || *put_result != write_stop::none) return put_result;
    at += now;
  }
  return wanted;
}

result<void> sigmf_writer::finish(const std::string& sha512, std::vector<sigmf_annotation> annotations) {
  // A capture must not start beyond the data: a disk that became full right after a gap leaves one that has no sample.
  if (meta_.captures.size() > 1 && meta_.captures.back().sample_start >= n_samples_) meta_.captures.pop_back();
  meta_.sha512 = sha512;
  if (fd_ >= 0) {
    const int closed = ::close(fd_);
    fd_ = -1;
    if (closed != 0) return fail(paths_.data + ": cannot be completed: " + std::strerror(errno));
  }
  fit_annotations(annotations, n_samples_);
  meta_.annotations = std::move(annotations);
  auto saved = save_meta();
  if (saved || meta_.annotations.empty()) return saved;
  // There may be room for what is needed to read the samples.
  meta_.annotations.clear();
  (void)save_meta();
  return saved;
}

}  // namespace prose::phy
