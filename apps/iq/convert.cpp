#include <spdlog/spdlog.h>

#include <filesystem>
#include <vector>

#include "apps/common/cli.h"
#include "apps/common/stop.h"
#include "apps/iq/commands.h"
#include "apps/iq/raw_file.h"
#include "phy/io/sigmf_reader.h"

namespace prose::apps {
namespace {

result<void> copy_raw(phy::sample_source& source, raw_sink& sink, std::uint64_t& gaps) {
  const auto n_channels = static_cast<std::size_t>(source.n_antennas());
  std::vector<std::vector<phy::cf32>> samples(n_channels, std::vector<phy::cf32>(65536));
  std::vector<std::span<phy::cf32>> out(samples.begin(), samples.end());
  std::vector<std::span<const phy::cf32>> in(n_channels);
  while (!stop_requested()) {
    const auto status = source.read(out);
    if (!status) return tl::unexpected(status.error());
    gaps += status->gap_before ? 1 : 0;
    for (std::size_t c = 0; c < n_channels; ++c) in[c] = out[c].first(status->n_samples);
    if (auto ok = sink.write(in); !ok) return ok;
    if (status->end) break;
  }
  return sink.finish();
}

std::vector<std::string> files_of(const std::string& path) {
  if (!is_sigmf_name(path)) return {path};
  const auto p = phy::sigmf_paths_of(path);
  return {p.meta, p.data};
}

/// Opening the output would empty the input, whatever the two are called.
bool is_input_itself(const convert_options& o) {
  std::error_code none;
  for (const auto& in : files_of(o.in))
    for (const auto& out : files_of(o.out))
      if (in == out || std::filesystem::equivalent(in, out, none)) return true;
  return false;
}

}  // namespace

int run_convert(const convert_options& o) {
  const auto in_type = datatype_of(o.in_type), out_type = datatype_of(o.out_type);
  for (const auto& [type, word] : {std::pair{in_type, o.in_type}, std::pair{out_type, o.out_type}})
    if (!type) return report(iq_program, "datatype '" + word + "' is not known; accepted: cf32, ci16", exit_usage);
  if (is_input_itself(o)) return report(iq_program, o.out + ": is the input itself", exit_usage);
  std::unique_ptr<phy::sample_source> source;
  double frequency_hz = o.frequency_hz;
  if (is_sigmf_name(o.in)) {
    auto reader = phy::sigmf_reader::open(o.in);
    if (!reader) return usage_error(iq_program, reader.error());
    frequency_hz = (*reader)->meta().captures.front().frequency_hz.value_or(frequency_hz);
    source = std::move(*reader);
  } else {
    auto raw = raw_source::open(o.in, *in_type, o.rate_hz, o.n_channels);
    if (!raw) return usage_error(iq_program, raw.error());
    source = std::move(*raw);
  }
  if (is_sigmf_name(o.out)) {
    const auto done = record(*source, {o.out, o.out_type, "", "", frequency_hz}, {});
    if (!done) return run_error(iq_program, done.error());
    if (done->failed) return report(iq_program, o.out + ": " + done->why + " after " + std::to_string(done->n_samples) + " samples", exit_failure);
    if (done->n_clipped > 0) spdlog::warn("{} samples were clipped", done->n_clipped);
    spdlog::info("{} samples in {} segments", done->n_samples, done->n_segments);
    return exit_ok;
  }
  auto sink = raw_sink::open(o.out, *out_type);
  if (!sink) return usage_error(iq_program, sink.error());
  std::uint64_t gaps = 0;
  if (auto ok = copy_raw(*source, **sink, gaps); !ok) return run_error(iq_program, ok.error());
  if (gaps > 0) spdlog::warn("{} gaps: a raw file cannot hold them, the samples follow each other", gaps);
  return exit_ok;
}

}  // namespace prose::apps
