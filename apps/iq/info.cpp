#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "apps/iq/checksum.h"
#include "apps/iq/commands.h"
#include "apps/lib/common/cli.h"
#include "apps/lib/common/events.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/progress.h"
#include "apps/lib/common/remarks.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/sample_power.h"
#include "apps/lib/common/stop.h"
#include "common/printable.h"
#include "phy/io/sigmf_reader.h"
#include "phy/types/carrier.h"

namespace prose::apps {
namespace {

result<sample_power> measure(phy::sigmf_reader& reader) {
  const std::size_t n_channels = reader.n_antennas();
  std::vector<std::vector<phy::cf32>> samples(n_channels, std::vector<phy::cf32>(65536));
  std::vector<std::span<phy::cf32>> out(samples.begin(), samples.end());
  progress_bar progress("reading");
  sample_power m;
  while (!stop_requested()) {
    const auto status = reader.read(out);
    if (!status) return tl::unexpected(status.error());
    for (const auto& channel : out) m.add(channel.first(status->n_samples));
    progress.update(static_cast<double>(reader.position()) / static_cast<double>(reader.n_samples()));
    if (status->end) return m;
  }
  return fail("stopped after " + std::to_string(reader.position()) + " of " + std::to_string(reader.n_samples()) +
              " samples");
}

std::string carriers_of(double rate_hz) {
  std::string out;
  for (const int n : phy::bandwidths_prb)
    for (const double share : {1.0, 0.75})
      if (std::abs(rate_hz - phy::standard_fft_size(n) * share * phy::subcarrier_spacing_hz) <= 1.0)
        out += (out.empty() ? "" : ", ") + std::to_string(n) + " PRB" + (share < 1 ? " (3/4 rate)" : "");
  return out.empty() ? "none" : out;
}

std::string rate_text(double rate_hz) {
  if (rate_hz <= 0) return "not given (core:sample_rate); --rate tells it";
  char t[64];
  std::snprintf(t, sizeof t, "%.10g samples a second; LTE carriers of this rate: ", rate_hz);
  return t + carriers_of(rate_hz);
}

/// Of the finite samples.
std::string db(double power, const sample_power& m) {
  char t[32];
  if (!m.any_finite()) return "none (no sample is finite)";
  if (power <= 0) return "none (all zero)";
  std::snprintf(t, sizeof t, "%.1f dBFS", 10 * std::log10(power));
  return t;
}

std::string words_of(checksum c) {
  switch (c) {
    case checksum::absent:
      return "not given";
    case checksum::matches:
      return "matches";
    case checksum::differs:
      return "does not match";
  }
  return {};
}

/// What both forms of the output tell, beside the metadata.
struct recording_facts {
  sample_power samples;
  std::string checksum;
  std::size_t n_segments = 0, gaps = 0;
  double rate_hz = 0, seconds = 0;
};

recording_facts facts_of(const phy::sigmf_reader& r, const sample_power& m, const std::string& checksum) {
  recording_facts f;
  f.samples = m;
  f.checksum = checksum;
  f.n_segments = r.meta().captures.size() + (r.meta().captures.front().sample_start > 0 ? 1 : 0);
  for (std::size_t i = 0; i < f.n_segments; ++i) f.gaps += r.gap_before_segment(i) ? 1 : 0;
  f.rate_hz = r.sample_rate_hz();
  f.seconds = static_cast<double>(r.n_samples()) / f.rate_hz;
  return f;
}

/// Facts by which the recording may be something else than its metadata says.
void warn_of_oddities(const phy::sigmf_reader& r, const recording_facts& f) {
  if (f.rate_hz <= 0) log_warning("{}: global.core:sample_rate is not given; --rate tells it", r.meta_path());
  tell_oddity(r, f.samples);
}

/// What is not known is null: JSON has no infinity and no NaN.
void print_json(const phy::sigmf_reader& r, const recording_facts& f) {
  const double unknown = std::nan("");
  json_object j;
  j.add("datatype", phy::name_of(r.meta().datatype))
      .add("sample_rate_hz", f.rate_hz > 0 ? f.rate_hz : unknown)
      .add("channels", r.n_antennas());
  j.add("samples", r.n_samples()).add("duration_s", f.rate_hz > 0 ? f.seconds : unknown);
  j.add("partial_bytes", r.partial_bytes())
      .add("segments", static_cast<std::uint64_t>(f.n_segments))
      .add("gaps", static_cast<std::uint64_t>(f.gaps));
  j.add("mean_power", f.samples.any_finite() ? f.samples.mean() : unknown)
      .add("peak_power", f.samples.any_finite() ? f.samples.peak : unknown)
      .add("non_finite_samples", f.samples.non_finite)
      .add("sha512", f.checksum);
  std::printf("%s\n", j.text().c_str());
}

void print_text(const phy::sigmf_reader& r, const recording_facts& f) {
  std::printf("recording     %s\n", printable(r.meta_path()).c_str());
  if (!r.meta().description.empty()) std::printf("description   %s\n", printable(r.meta().description).c_str());
  if (!r.meta().hw.empty()) std::printf("hardware      %s\n", printable(r.meta().hw).c_str());
  std::printf("samples       %lld of %s, %d channel(s)", static_cast<long long>(r.n_samples()),
              std::string(phy::name_of(r.meta().datatype)).c_str(), r.n_antennas());
  std::printf(f.rate_hz > 0 ? ", %.6f s\n" : "\n", f.seconds);
  if (r.partial_bytes() > 0)
    std::printf("cut           the last %lld bytes are no whole sample\n", static_cast<long long>(r.partial_bytes()));
  std::printf("rate          %s\n", rate_text(f.rate_hz).c_str());
  for (const auto& c : r.meta().captures)
    std::printf("segment       from sample %lld (stream %lld)%s%s, captures[%zu]\n",
                static_cast<long long>(c.sample_start), static_cast<long long>(r.tick_of(c.sample_start)),
                c.frequency_hz ? (", " + std::to_string(*c.frequency_hz / 1e6) + " MHz").c_str() : "",
                c.datetime.empty() ? "" : (", " + printable(c.datetime)).c_str(), c.number);
  std::printf("gaps          %zu\n", f.gaps);
  std::printf("mean power    %s\npeak power    %s\n", db(f.samples.mean(), f.samples).c_str(),
              db(f.samples.peak, f.samples).c_str());
  std::printf("not finite    %llu samples\n", static_cast<unsigned long long>(f.samples.non_finite));
  std::printf("sha512        %s\n", f.checksum.c_str());
}

}  // namespace

int run_info(const info_options& o) {
  auto opened = phy::sigmf_reader::open(o.in, {.rate_hz = o.rate_hz, .rate_required = false});
  if (!opened) return usage_error(iq_program, opened.error());
  if (looks_only()) return exit_ok;
  auto& r = **opened;
  const auto m = measure(r);
  if (!m) return run_error(iq_program, m.error());
  std::string told = r.meta().sha512.empty() ? "not given" : "not compared";
  checksum state = checksum::absent;
  if (o.verify) {
    const auto compared = compare_checksum(r);
    if (!compared) return run_error(iq_program, compared.error());
    state = *compared;
    told = words_of(state);
  }
  const auto facts = facts_of(r, *m, told);
  tell_remarks(r, o.rate_hz);
  warn_of_oddities(r, facts);
  if (o.json)
    print_json(r, facts);
  else
    print_text(r, facts);
  if (state == checksum::differs)
    return report(iq_program, r.meta_path() + ": global.core:sha512 does not match " + r.data_path(), exit_failure);
  return exit_ok;
}

}  // namespace prose::apps
