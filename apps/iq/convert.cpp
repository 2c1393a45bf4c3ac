#include <vector>

#include "apps/iq/checksum.h"
#include "apps/iq/commands.h"
#include "apps/iq/converted.h"
#include "apps/iq/raw_file.h"
#include "apps/lib/common/cli.h"
#include "apps/lib/common/file_roles.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/progress.h"
#include "apps/lib/common/remarks.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/sample_power.h"
#include "apps/lib/common/stop.h"
#include "phy/io/sigmf_reader.h"

namespace prose::apps {
namespace {
struct totals {
  std::uint64_t gaps = 0;
  sample_power samples;
};

/// n_samples: of the source; negative: not known.
result<totals> copy(phy::sample_source& source, converted& out_file, std::int64_t n_samples) {
  const std::size_t n_channels = source.n_antennas();
  std::vector<std::vector<phy::cf32>> samples(n_channels, std::vector<phy::cf32>(65536));
  std::vector<std::span<phy::cf32>> out(samples.begin(), samples.end());
  std::vector<std::span<const phy::cf32>> in(n_channels);
  progress_bar progress("converting");
  totals t;
  while (!stop_requested()) {
    const auto status = source.read(out);
    if (!status) return tl::unexpected(status.error());
    t.gaps += status->gap_before ? 1 : 0;
    for (std::size_t c = 0; c < n_channels; ++c) {
      in[c] = out[c].first(status->n_samples);
      t.samples.add(in[c]);
    }
    if (auto ok = out_file.write(in); !ok) return tl::unexpected(ok.error());
    if (status->end) return t;
    progress.update(n_samples > 0 ? static_cast<double>(out_file.n_samples()) / static_cast<double>(n_samples) : -1);
  }
  return fail("stopped after " + std::to_string(out_file.n_samples()) +
              (n_samples >= 0 ? " of " + std::to_string(n_samples) : std::string()) + " samples");
}

/// Writing the output would replace the input, whatever the two are called.
bool is_input_itself(const convert_options& o) {
  file_roles files;
  if (is_recording(o.in))
    files.reads_recording("input", o.in);
  else
    files.reads("input", o.in);
  if (is_sigmf_name(o.out))
    files.writes_recording("output", o.out);
  else
    files.writes("output", o.out);
  return !files.check();
}

/// What is damaged must not get a checksum that matches.
result<void> check_checksum(const phy::sigmf_reader& r, bool verify) {
  if (!verify) return {};
  const auto compared = compare_checksum(r);
  if (!compared) return tl::unexpected(compared.error());
  if (*compared != checksum::differs) return {};
  return fail(r.meta_path() + ": global.core:sha512 does not match " + r.data_path() +
              "; accepted: --no-verify, if the samples are right all the same");
}

/// What lies in the data file beside the samples.
void tell_left_out(const std::string& name, const phy::sigmf_reader& r) {
  std::int64_t headers = 0;
  for (const auto& c : r.meta().captures) headers += c.header_bytes;
  if (headers > 0) log_warning("{}: the {} bytes before the samples (core:header_bytes) stay behind", name, headers);
  if (r.meta().trailing_bytes > 0)
    log_warning("{}: the {} bytes after the samples (core:trailing_bytes) stay behind", name, r.meta().trailing_bytes);
}

void tell(const convert_options& o, const totals& t, const converted& out, bool raw_in, std::string_view type) {
  if (const auto odd = t.samples.oddity(); !odd.empty())
    log_warning("{}: {}: is this {}?{}", o.in, odd, type, raw_in ? " --in-type tells what it is" : "");
  else if (t.samples.non_finite > 0)
    log_warning("{} samples are not finite", t.samples.non_finite);
  if (out.n_clipped() > 0) log_warning("{} samples were clipped", out.n_clipped());
}

}  // namespace

int run_convert(const convert_options& o) {
  const auto in_type = datatype_of(o.in_type), out_type = datatype_of(o.out_type);
  for (const auto& [type, word] : {std::pair{in_type, o.in_type}, std::pair{out_type, o.out_type}})
    if (!type) return report(iq_program, "datatype '" + word + "' is not known; accepted: cf32, ci16", exit_usage);
  if (is_input_itself(o)) return report(iq_program, o.out + ": is the input itself", exit_usage);
  std::unique_ptr<phy::sigmf_reader> recording;
  std::unique_ptr<raw_source> raw;
  if (is_recording(o.in)) {
    auto opened = phy::sigmf_reader::open(o.in, {.rate_hz = o.rate_hz, .rate_required = false, .keep_text = true});
    if (!opened) return usage_error(iq_program, opened.error());
    recording = std::move(*opened);
    if (auto ok = check_checksum(*recording, o.verify && !looks_only()); !ok) return run_error(iq_program, ok.error());
  } else {
    auto opened = raw_source::open(o.in, *in_type, o.rate_hz, o.n_channels);
    if (!opened) return usage_error(iq_program, opened.error());
    raw = std::move(*opened);
  }
  phy::sample_source& source = recording ? static_cast<phy::sample_source&>(*recording) : *raw;
  if (looks_only()) {
    const auto ok = check_openable(is_sigmf_name(o.out) ? phy::sigmf_paths_of(o.out).data : o.out);
    return ok ? exit_ok : usage_error(iq_program, ok.error());
  }
  auto out = converted::open(o.out, *out_type);
  if (!out) return usage_error(iq_program, out.error());
  const auto done = copy(source, *out, recording ? recording->n_samples() : raw->n_samples());
  if (!done) {
    const auto& what = done.error().message;
    return report(iq_program, what.rfind("stopped", 0) == 0 ? o.out + ": " + what : what, exit_failure);
  }
  if (out->n_samples() == 0)
    return report(iq_program, o.in + ": holds no sample of " + std::string(phy::name_of(*in_type)), exit_usage);
  std::size_t n_segments = 1;
  const auto metadata = [&](const std::string& sha512) -> result<std::string> {
    if (recording) {
      n_segments = recording->meta().captures.size();
      return with_datatype(recording->meta_text(), recording->meta_path(), *out_type, sha512, o.rate_hz,
                           o.frequency_hz);
    }
    phy::sigmf_meta m;  // nothing is known of when these samples were taken
    m.datatype = *out_type;
    m.sample_rate_hz = raw->sample_rate_hz();
    m.n_channels = raw->n_antennas();
    m.sha512 = sha512;
    m.recorder = iq_program;
    m.captures.emplace_back();
    if (o.frequency_hz > 0) m.captures[0].frequency_hz = o.frequency_hz;
    return to_json_text(m);
  };
  if (auto ok = out->finish(metadata); !ok) return run_error(iq_program, ok.error());

  if (recording) tell_remarks(*recording, o.rate_hz);
  if (recording) tell_left_out(o.in, *recording);
  if (const auto n = recording ? recording->partial_bytes() : raw->partial_bytes(); n > 0)
    log_warning("{}: the last {} bytes are no whole sample and are left out", o.in, n);
  tell(o, *done, *out, raw != nullptr, recording ? phy::name_of(recording->meta().datatype) : phy::name_of(*in_type));
  if (is_sigmf_name(o.out) || is_sigmf_archive_name(o.out)) {
    log_info("{} samples in {} segments", out->n_samples(), n_segments);
    return exit_ok;
  }
  if (done->gaps > 0) log_warning("{} gaps: a raw file cannot hold them, the samples follow each other", done->gaps);
  return exit_ok;
}

}  // namespace prose::apps
