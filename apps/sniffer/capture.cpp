#include "apps/sniffer/capture.h"

#include "apps/sniffer/event_json.h"

namespace prose::apps {
namespace {
constexpr int max_antennas = 4;

void add(phy::monitor_statistics& sum, const phy::monitor_statistics& s) {
  sum.samples += s.samples;
  sum.non_finite_samples += s.non_finite_samples;
  sum.subframes += s.subframes;
  sum.gaps += s.gaps;
  sum.pscch_candidates += s.pscch_candidates;
  sum.sci += s.sci;
  sum.tb_ok += s.tb_ok;
  sum.tb_failed += s.tb_failed;
  sum.mib += s.mib;
  sum.discovery += s.discovery;
  sum.soft_buffers_evicted += s.soft_buffers_evicted;
}
}  // namespace

result<file_capture> file_capture::make(std::unique_ptr<phy::sigmf_reader> reader, const scene& s, capture_options options,
                                        std::string& assumed) {
  const sample_facts facts{reader->meta_path(), "global.core:sample_rate", reader->sample_rate_hz(), reader->n_samples()};
  const auto carrier = carrier_of(s, facts, assumed);
  if (!carrier) return tl::unexpected(carrier.error());
  if (reader->n_antennas() > max_antennas)
    return fail(reader->meta_path() + ": global.core:num_channels " + std::to_string(reader->n_antennas()) +
                " is too many; accepted: 1 to " + std::to_string(max_antennas) + " antennas");
  phy::monitor_config config;
  config.carrier = *carrier;
  config.n_antennas = reader->n_antennas();
  config.sync = options.sync;
  config.timing.absolute_subframes = s.absolute_subframes;
  config.pool = s.pool;
  config.report_failed_tbs = options.report_failed_tbs;
  // Numbered subframes are stored one after the other, whatever their distance on the air; else device time rules.
  const std::int64_t first = s.first_subframe_sample.value_or(0);
  config.timing.first_subframe_sample = s.absolute_subframes.empty() ? reader->tick_of(first) : first;
  auto m = phy::monitor::make(config);
  if (!m) return fail((s.file.empty() ? reader->meta_path() : s.file) + ": " + m.error().message);
  return file_capture(std::move(reader), std::move(config), std::move(*m), std::move(options));
}

std::int64_t file_capture::tick_for_monitor(std::int64_t sample) const {
  const bool stored = config_.sync == phy::sync_mode::aligned && !config_.timing.absolute_subframes.empty();
  return stored ? sample : reader_->tick_of(sample);
}

bool file_capture::emit(std::span<const phy::monitor_event> found, event_writer& events, const event_observer& observe) {
  const bool stored = config_.sync == phy::sync_mode::aligned && !config_.timing.absolute_subframes.empty();
  for (const auto& e : found) {
    const std::int64_t tick = tick_of(e);
    const std::int64_t sample = stored ? tick : reader_->sample_of(tick);
    const stream_position at{sample, static_cast<double>(reader_->tick_of(sample)) / reader_->sample_rate_hz()};
    if (observe) observe(e, at);
    if (!events.write(to_event(e, at))) return false;
  }
  return true;
}

result<capture_result> file_capture::run(event_writer& events, const event_observer& observe) {
  const auto n_antennas = static_cast<std::size_t>(reader_->n_antennas());
  const auto block = static_cast<std::size_t>(config_.carrier.samples_per_subframe());
  std::vector<std::vector<phy::cf32>> samples(n_antennas, std::vector<phy::cf32>(block));
  std::vector<std::span<phy::cf32>> out(samples.begin(), samples.end());
  std::vector<std::span<const phy::cf32>> in(n_antennas);
  capture_result done;
  std::int64_t next_tick = 0;
  bool written = true;
  while (written && !options_.stop()) {
    const std::int64_t at = reader_->position();
    const auto status = reader_->read(out);
    if (!status) return tl::unexpected(status.error());
    if (status->n_samples > 0) {
      const std::int64_t tick = tick_for_monitor(at);
      // A gap of unknown length: what was learnt of the timing no longer holds, and there is no tick to show it.
      if (status->gap_before && at > 0 && tick == next_tick && config_.sync != phy::sync_mode::aligned) {
        written = emit(monitor_.finish(), events, observe);
        add(done.statistics, monitor_.statistics());
        done.statistics.gaps += 1;
        auto fresh = phy::monitor::make(config_);
        if (!fresh) return tl::unexpected(fresh.error());
        monitor_ = std::move(*fresh);
      }
      for (std::size_t a = 0; a < n_antennas; ++a) in[a] = out[a].first(status->n_samples);
      written = written && emit(monitor_.process(in, tick), events, observe);
      next_tick = tick + static_cast<std::int64_t>(status->n_samples);
    }
    if (status->end) break;
  }
  written = written && emit(monitor_.finish(), events, observe);
  add(done.statistics, monitor_.statistics());
  done.t_end_s = static_cast<double>(reader_->tick_of(reader_->position())) / reader_->sample_rate_hz();
  written = written && events.write(to_event(done.statistics, done.t_end_s));
  if (!written) return fail("--events: cannot be written");
  return done;
}

}  // namespace prose::apps
