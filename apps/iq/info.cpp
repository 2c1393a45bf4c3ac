#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "apps/iq/commands.h"
#include "apps/lib/common/cli.h"
#include "apps/lib/common/events.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/progress.h"
#include "apps/lib/common/remarks.h"
#include "apps/lib/common/sha512.h"
#include "apps/lib/common/stop.h"
#include "common/printable.h"
#include "phy/io/sigmf_reader.h"
#include "phy/types/carrier.h"

namespace prose::apps {
namespace {

constexpr double loudest = 1e4;  // +40 dBFS: full scale is 1, and no receiver gives a mean power of this

struct measured {
  double power = 0, peak = 0;
  std::uint64_t n = 0, non_finite = 0;
};

result<measured> measure(phy::sigmf_reader& reader) {
  const std::size_t n_channels = reader.n_antennas();
  std::vector<std::vector<phy::cf32>> samples(n_channels, std::vector<phy::cf32>(65536));
  std::vector<std::span<phy::cf32>> out(samples.begin(), samples.end());
  progress_bar progress("reading");
  measured m;
  while (!stop_requested()) {
    const auto status = reader.read(out);
    if (!status) return tl::unexpected(status.error());
    for (std::size_t c = 0; c < n_channels; ++c)
      for (const auto& v : out[c].first(status->n_samples)) {
        ++m.n;
        const double p = static_cast<double>(v.real()) * v.real() + static_cast<double>(v.imag()) * v.imag();
        if (!std::isfinite(p)) {
          ++m.non_finite;
          continue;
        }
        m.power += p;
        m.peak = std::max(m.peak, p);
      }
    progress.update(static_cast<double>(reader.position()) / static_cast<double>(reader.n_samples()));
    if (status->end) return m;
  }
  return fail("stopped after " + std::to_string(reader.position()) + " of " + std::to_string(reader.n_samples()) +
              " samples");
}

result<std::string> digest_of(const phy::sigmf_reader& r) {
  const std::string& path = r.data_path();
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> f(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!f || fseeko(f.get(), r.data_begin(), SEEK_SET) != 0) return fail(path + ": cannot be opened");
  sha512 d;
  std::vector<std::uint8_t> block(1U << 20U);
  const auto size = static_cast<std::uint64_t>(r.data_bytes());
  std::uint64_t done = 0;
  while (const auto n = std::fread(block.data(), 1, std::min<std::uint64_t>(block.size(), size - done), f.get())) {
    d.add({block.data(), n});
    done += n;
    if (stop_requested())
      return fail("stopped after " + std::to_string(done) + " of " + std::to_string(size) + " bytes of the digest");
  }
  if (std::ferror(f.get()) != 0) return fail(path + ": cannot be read");
  return d.finish();
}

/// Hexadecimal digits as people and programs write them: capitals, blanks around.
std::string plain_digest(const std::string& text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  const auto begin = std::find_if_not(text.begin(), text.end(), is_blank);
  const auto end = std::find_if_not(text.rbegin(), std::make_reverse_iterator(begin), is_blank).base();
  std::string out(begin, end);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
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
std::string db(double power, const measured& m) {
  char t[32];
  if (m.n == m.non_finite) return "none (no sample is finite)";
  if (power <= 0) return "none (all zero)";
  std::snprintf(t, sizeof t, "%.1f dBFS", 10 * std::log10(power));
  return t;
}

struct checksum_state {
  std::string text;
  bool mismatch = false;
};

/// Reads the samples again only if `verify` is set and the recording gives a checksum.
result<checksum_state> checksum_of(const phy::sigmf_reader& r, bool verify) {
  const std::string& given = r.meta().sha512;
  if (given.empty()) return checksum_state{"not given", false};
  if (!verify) return checksum_state{"not compared", false};
  const auto d = digest_of(r);
  if (!d) return tl::unexpected(d.error());
  const bool mismatch = *d != plain_digest(given);
  return checksum_state{mismatch ? "does not match" : "matches", mismatch};
}

/// What both forms of the output tell, beside the metadata.
struct recording_facts {
  measured samples;
  bool any_finite = false;
  double mean_power = 0;  ///< of the finite samples
  std::string checksum;
  std::size_t n_segments = 0, gaps = 0;
  double rate_hz = 0, seconds = 0;
};

recording_facts facts_of(const phy::sigmf_reader& r, const measured& m, const std::string& checksum) {
  recording_facts f;
  f.samples = m;
  f.any_finite = m.n > m.non_finite;
  f.mean_power = f.any_finite ? m.power / static_cast<double>(m.n - m.non_finite) : 0;
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
  if (!f.any_finite)
    log_warning("{}: no sample is finite: is this {}?", r.data_path(), phy::name_of(r.meta().datatype));
  if (f.mean_power > loudest)
    log_warning("{}: a mean power of {} is no signal's: is this {}?", r.data_path(), db(f.mean_power, f.samples),
                phy::name_of(r.meta().datatype));
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
  j.add("mean_power", f.any_finite ? f.mean_power : unknown)
      .add("peak_power", f.any_finite ? f.samples.peak : unknown)
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
  std::printf("mean power    %s\npeak power    %s\n", db(f.mean_power, f.samples).c_str(),
              db(f.samples.peak, f.samples).c_str());
  std::printf("not finite    %llu samples\n", static_cast<unsigned long long>(f.samples.non_finite));
  std::printf("sha512        %s\n", f.checksum.c_str());
}

}  // namespace

int run_info(const info_options& o) {
  auto opened = phy::sigmf_reader::open(o.in, {.rate_hz = o.rate_hz, .rate_required = false});
  if (!opened) return usage_error(iq_program, opened.error());
  auto& r = **opened;
  const auto m = measure(r);
  if (!m) return run_error(iq_program, m.error());
  const auto checksum = checksum_of(r, o.verify);
  if (!checksum) return run_error(iq_program, checksum.error());
  const auto facts = facts_of(r, *m, checksum->text);
  tell_remarks(r, o.rate_hz);
  warn_of_oddities(r, facts);
  if (o.json)
    print_json(r, facts);
  else
    print_text(r, facts);
  if (checksum->mismatch)
    return report(iq_program, r.meta_path() + ": global.core:sha512 does not match " + r.data_path(), exit_failure);
  return exit_ok;
}

}  // namespace prose::apps
