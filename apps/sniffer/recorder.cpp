#include "apps/sniffer/recorder.h"

#include <ctime>

#include "apps/lib/common/safe_file.h"

namespace prose::apps {
namespace {
std::string now_iso8601() {
  const std::time_t t = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&t, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}
}  // namespace

result<std::unique_ptr<recorder>> recorder::open(const sniffer_settings& s, const phy::carrier_config& carrier,
                                                 int n_antennas, const phy::sigmf_reader* source) {
  if (looks_only()) {
    const auto paths = phy::sigmf_output_paths(s.record);
    const auto ok = paths ? check_openable(paths->data) : result<void>(tl::unexpected(paths.error()));
    return ok ? result<std::unique_ptr<recorder>>(nullptr) : fail("--record " + ok.error().message);
  }
  auto r = std::make_unique<recorder>();
  phy::sigmf_writer_config c;
  c.path = s.record;
  c.datatype = s.record_type == "ci16" ? phy::sigmf_datatype::ci16_le : phy::sigmf_datatype::cf32_le;
  c.sample_rate_hz = carrier.sample_rate_hz();
  c.n_channels = n_antennas;
  if (!s.device.empty()) {
    c.frequency_hz = s.radio.center_freq_hz;
    c.hw = s.device;
    c.start_datetime = now_iso8601();
  }
  c.recorder = "prose-sniffer";
  c.on_bytes = [digest = &r->digest_](std::span<const std::uint8_t> b) { digest->add(b); };
  phy::sigmf_capture first;
  first.frequency_hz = c.frequency_hz;
  r->frames_.emplace(carrier, std::vector{first});
  auto w = phy::sigmf_writer::make(std::move(c));
  if (!w) return fail("--record " + w.error().message);
  r->writer_ = std::move(*w);
  r->path_ = s.record;
  r->source_ = source;
  return r;
}

/// Of a recording each segment may have its own, and no block lies in two.
void recorder::follow_frequency() {
  if (source_ == nullptr) return;
  phy::sigmf_capture c;
  c.sample_start = writer_->n_samples();
  c.frequency_hz = phy::frequency_at(source_->meta().captures, c.sample_start % source_->n_samples());
  if (c.frequency_hz == frequency_hz_) return;
  frequency_hz_ = c.frequency_hz;
  writer_->set_frequency(c.frequency_hz);
  frames_->add(c);
}

bool recorder::add(std::span<const std::span<const phy::cf32>> samples, std::int64_t first_tick, bool gap_before) {
  follow_frequency();
  const auto stop = writer_->write(samples, first_tick, gap_before);
  if (!stop)
    trouble_ = stop.error().message;
  else if (*stop != phy::write_stop::none)
    trouble_ = path_ + ": disk full";
  return trouble_.empty();
}

result<void> recorder::finish() {
  if (decoded_) writer_->set_prose(carrier_);
  const auto finished = writer_->finish(digest_.finish(), frames_->take());
  if (!trouble_.empty()) return fail("--record " + trouble_);
  return finished;
}

}  // namespace prose::apps
