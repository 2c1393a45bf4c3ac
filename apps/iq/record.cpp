#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <optional>
#include <vector>

#include "apps/iq/commands.h"
#include "apps/iq/raw_file.h"
#include "apps/lib/common/disk_room.h"
#include "apps/lib/common/progress.h"
#include "apps/lib/common/sample_power.h"
#include "apps/lib/common/sha512.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/listen/recorded_time.h"
#include "phy/io/sigmf_writer.h"

namespace prose::apps {
namespace {
/// 0: no limit, or less than a sample.
std::int64_t wanted_samples(const phy::sample_source& source, const record_limits& limits) {
  return static_cast<std::int64_t>(limits.duration_s * source.sample_rate_hz());
}

std::string now_iso8601() {
  const std::time_t t = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&t, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

/// What is asked for can be recorded. Gives the type of the samples.
result<phy::sigmf_datatype> check_request(const phy::sample_source& source, const record_target& target,
                                          const record_limits& limits) {
  const auto type = datatype_of(target.type);
  if (!type) return fail("datatype '" + target.type + "' is not known; accepted: cf32, ci16");
  const std::filesystem::path out_path(target.path);
  std::error_code ec;
  if (!out_path.has_filename() || out_path.filename() == "." || out_path.filename() == ".." ||
      std::filesystem::is_directory(out_path, ec))
    return fail("'" + target.path + "': accepted is the name of a file");
  const auto sample_bytes = phy::bytes_per_sample(*type) * static_cast<std::size_t>(source.n_antennas());
  if (limits.duration_s > 0 && wanted_samples(source, limits) == 0)
    return fail("--duration " + std::to_string(limits.duration_s) + ": that is less than a sample");
  if (limits.max_bytes > 0 && limits.max_bytes < sample_bytes)
    return fail("--max-size " + std::to_string(limits.max_bytes) + ": a sample alone has " +
                std::to_string(sample_bytes) + " bytes");
  return *type;
}

phy::sigmf_writer_config writer_config(const phy::sample_source& source, const record_target& target,
                                       const record_limits& limits, phy::sigmf_datatype type, sha512& digest) {
  phy::sigmf_writer_config config;
  config.path = target.path;
  config.datatype = type;
  config.sample_rate_hz = source.sample_rate_hz();
  config.n_channels = source.n_antennas();
  if (target.frequency_hz > 0) config.frequency_hz = target.frequency_hz;
  config.description = target.description;
  config.hw = target.hw;
  config.recorder = iq_program;
  config.prose = target.prose;
  config.start_datetime = now_iso8601();
  config.max_bytes = limits.max_bytes;
  config.on_bytes = [&digest](std::span<const std::uint8_t> b) { digest.add(b); };
  return config;
}

/// A limit in the recording's time, gaps included. It counts from the first sample that is read.
class duration_limit {
public:
  /// wanted: in ticks; 0: no limit.
  explicit duration_limit(std::int64_t wanted) : wanted_(wanted) {}
  /// How many of the samples that were read are within the limit. Nothing: all are, and more may be.
  std::optional<std::size_t> last_samples(const phy::read_status& status) {
    if (wanted_ <= 0) return std::nullopt;
    if (!std::exchange(begun_, true)) end_ = status.first_tick + wanted_;
    if (status.first_tick + static_cast<std::int64_t>(status.n_samples) < end_) return std::nullopt;
    return static_cast<std::size_t>(std::max<std::int64_t>(end_ - status.first_tick, 0));
  }

private:
  std::int64_t wanted_;
  bool begun_ = false;
  std::int64_t end_ = 0;  // tick
};

/// Why the recording ends: what the writer reports goes before every other reason.
void note_write(const result<phy::write_stop>& stop, bool source_ended, record_report& report) {
  if (!stop) {
    report.failed = true;
    report.why = stop.error().message;
  } else if (*stop == phy::write_stop::disk_full) {
    report.failed = true;
    report.why = "disk full";
  } else if (*stop == phy::write_stop::size_limit) {
    report.why = "size limit";
  } else if (source_ended && report.why.empty()) {
    report.why = "end of the source";
  }
}

void show_progress(progress_bar& progress, const phy::sigmf_writer& writer, double rate_hz, std::size_t sample_bytes,
                   double duration_s) {
  const double seconds = static_cast<double>(writer.n_samples()) / rate_hz;
  char note[96];
  std::snprintf(note, sizeof note, "%.1f s, %.1f MB, %zu segments", seconds,
                static_cast<double>(writer.n_samples()) * static_cast<double>(sample_bytes) / 1e6, writer.n_segments());
  progress.update(duration_s > 0 ? seconds / duration_s : -1, note);
}
}  // namespace

result<record_report> record(phy::sample_source& source, const record_target& target, const record_limits& limits) {
  const auto type = check_request(source, target, limits);
  if (!type) return tl::unexpected(type.error());
  sha512 digest;
  auto opened = phy::sigmf_writer::make(writer_config(source, target, limits, *type, digest));
  if (!opened) return tl::unexpected(opened.error());
  auto& writer = **opened;

  const std::size_t n_channels = source.n_antennas();
  const auto sample_bytes = phy::bytes_per_sample(*type) * n_channels;
  const auto block = static_cast<std::size_t>(std::max(1000.0, source.sample_rate_hz() / 100));
  std::vector<std::vector<phy::cf32>> samples(n_channels, std::vector<phy::cf32>(block));
  std::vector<std::span<phy::cf32>> out(samples.begin(), samples.end());
  std::vector<std::span<const phy::cf32>> in(n_channels);
  duration_limit duration(wanted_samples(source, limits));
  recorded_time time;
  tell_room(target.path, {source.sample_rate_hz() * static_cast<double>(sample_bytes), limits.duration_s,
                          static_cast<std::uint64_t>(limits.max_bytes)});
  progress_bar progress("recording");
  sample_watch watch(target.path, "", source.sample_rate_hz());
  record_report report;
  while (report.why.empty()) {
    if (stop_requested()) {
      report.why = "stopped";
      break;
    }
    auto status = source.read(out);
    if (!status) {  // what came before the fault is kept
      report.failed = true;
      report.why = status.error().message;
      break;
    }
    *status = time.of(*status);
    const auto last = duration.last_samples(*status);
    if (last) report.why = "duration";
    for (std::size_t c = 0; c < n_channels; ++c) {
      in[c] = out[c].first(last.value_or(status->n_samples));
      watch.add(in[c]);
    }
    const auto stop = writer.write(in, status->first_tick, status->gap_before && writer.n_samples() > 0);
    note_write(stop, status->end, report);
    show_progress(progress, writer, source.sample_rate_hz(), sample_bytes, limits.duration_s);
  }
  watch.end();
  const auto finished = writer.finish(digest.finish());
  report.n_samples = writer.n_samples();
  report.n_segments = writer.n_segments();
  report.n_clipped = writer.n_clipped();
  // On a full disk the metadata of before is complete but for the checksum.
  if (!finished && !report.failed) return tl::unexpected(finished.error());
  return report;
}

}  // namespace prose::apps
