#include "apps/lib/listen/capture.h"

#include <algorithm>
#include <cstdlib>

#include "apps/lib/listen/frame_of_event.h"
#include "phy/io/sample_format.h"

namespace prose::apps {
namespace {
constexpr int max_antennas = 4;

phy::sync_mode mode_of(listen_sync s) {
  switch (s) {
    case listen_sync::slss:
      return phy::sync_mode::slss;
    case listen_sync::blind:
      return phy::sync_mode::blind;
    case listen_sync::aligned:
    case listen_sync::gnss:
      break;
  }
  return phy::sync_mode::aligned;
}

/// Rounds the samples of `in` to ci16_le, where `out` holds them.
void round_to_ci16(std::span<const std::span<const phy::cf32>> in, std::span<const std::span<phy::cf32>> out,
                   std::vector<std::uint8_t>& packed) {
  const std::size_t n = in[0].size();
  packed.resize(n * in.size() * phy::bytes_per_sample(phy::sigmf_datatype::ci16_le));
  phy::pack_samples(in, 0, n, phy::sigmf_datatype::ci16_le, packed.data());
  phy::unpack_samples(packed.data(), phy::sigmf_datatype::ci16_le, out, 0, n);
}
}  // namespace

result<capture> capture::make(std::unique_ptr<file_source> file, const scene& s, capture_options options,
                              std::string& assumed) {
  const auto& reader = file->reader();
  const sample_facts facts{reader.meta_path(), "global.core:sample_rate", reader.sample_rate_hz(), reader.n_samples()};
  if (reader.n_antennas() > max_antennas)
    return fail(reader.meta_path() + ": global.core:num_channels " + std::to_string(reader.n_antennas()) +
                " is too many; accepted: 1 to " + std::to_string(max_antennas) + " antennas");
  auto c = make_common(*file, facts, s, std::move(options), assumed);
  if (!c) return c;
  c->align(s, reader.tick_of(s.first_subframe_sample.value_or(0)));
  if (c->options_.tell_odd_samples)
    c->watch_.emplace(reader.data_path(), ": is this " + std::string(name_of(reader.meta().datatype)) + "?",
                      reader.sample_rate_hz());
  c->file_ = std::move(file);
  if (auto ok = c->make_monitor(); !ok) return fail((s.file.empty() ? facts.name : s.file) + ": " + ok.error().message);
  return c;
}

result<capture> capture::make(std::unique_ptr<phy::sample_source> stored, std::int64_t n_samples,
                              const std::string& name, const scene& s, capture_options options, std::string& assumed) {
  const sample_facts facts{name, "sample_rate_hz", stored->sample_rate_hz(), n_samples};
  auto c = make_common(*stored, facts, s, std::move(options), assumed);
  if (!c) return c;
  c->align(s, s.first_subframe_sample.value_or(0));
  if (c->options_.tell_odd_samples) c->watch_.emplace(name, "", stored->sample_rate_hz());
  c->stored_source_ = std::move(stored);
  if (auto ok = c->make_monitor(); !ok) return fail((s.file.empty() ? facts.name : s.file) + ": " + ok.error().message);
  return c;
}

result<capture> capture::make(phy::sample_source& radio, const std::string& name, const scene& s,
                              capture_options options, std::string& assumed) {
  const sample_facts facts{name, "sample_rate_hz", radio.sample_rate_hz(), std::nullopt};
  auto c = make_common(radio, facts, s, std::move(options), assumed);
  if (!c) return c;
  if (c->options_.tell_odd_samples) c->watch_.emplace(name, "", radio.sample_rate_hz());
  if (auto ok = c->make_monitor(); !ok) return fail((s.file.empty() ? facts.name : s.file) + ": " + ok.error().message);
  return c;
}

result<capture> capture::make_common(phy::sample_source& source, const sample_facts& facts, const scene& s,
                                     capture_options options, std::string& assumed) {
  const auto carrier = carrier_of(s, facts, assumed);
  if (!carrier) return tl::unexpected(carrier.error());
  capture c;
  c.source_ = &source;
  c.options_ = std::move(options);
  c.config_.carrier = *carrier;
  c.config_.n_antennas = source.n_antennas();
  c.config_.sync = mode_of(c.options_.sync);
  c.config_.report_failed_tbs = c.options_.report_failed_tbs;
  c.config_.pools = s.pools;
  c.config_.unannounced = true;
  c.config_.search_beside = c.options_.search_beside && !s.pools.empty();
  if (c.options_.sync == listen_sync::gnss) c.config_.timing.absolute_subframes = {0};
  return c;
}

/// first_tick: of the sample where the scene says that a subframe begins.
void capture::align(const scene& s, std::int64_t first_tick) {
  if (options_.sync != listen_sync::aligned) return;
  config_.timing.absolute_subframes = s.absolute_subframes;
  stored_ = !s.absolute_subframes.empty();
  first_subframe_ = stored_ ? s.first_subframe_sample.value_or(0) : first_tick;
  config_.timing.first_subframe_sample = first_subframe_;
}

result<void> capture::make_monitor() {
  auto m = phy::monitor::make(config_);
  if (!m) return tl::unexpected(m.error());
  monitor_.emplace(std::move(*m));
  return {};
}

bool capture::emit(std::span<const phy::monitor_event> found, event_writer& events) {
  for (const auto& e : found) {
    const std::int64_t tick = tick_of(e);
    const std::int64_t sample = stored_ ? tick : place_.sample_of(tick);
    const stream_position at{sample, static_cast<double>(place_.tick_of(sample)) / config_.carrier.sample_rate_hz()};
    if (n_frames_ == 0) first_frame_tick_ = place_.tick_of(sample);
    const captured_frame frame = frame_of(e, at, n_frames_++);
    if (events && !events.write(to_event(e, at))) return false;
    for (const auto& o : observers_)
      if (o.frame && !o.frame(e, frame)) return false;
  }
  return true;
}

/// At a round of the file, at a gap of unknown length and where the radio's time leapt, what was learnt of the timing
/// no longer holds. False if the events up to there end the capture.
bool capture::start_anew(const arrival& a, event_writer& events) {
  const bool unknown_gap =
      !a.round && file_ && a.status.gap_before && !a.first && !a.jump && config_.sync != phy::sync_mode::aligned;
  const bool clock_was_set = a.status.time_jump != 0;
  if (!a.round && !unknown_gap && !clock_was_set) return true;
  const bool going = emit(monitor_->finish(), events);
  if (a.round) config_.timing.first_subframe_sample = first_subframe_ + (stored_ ? place_.n_samples() : a.shift);
  monitor_->restart(config_.timing.first_subframe_sample);
  if (clock_was_set) {
    place_.forget();
    first_frame_tick_ += a.status.time_jump;
  }
  if (unknown_gap) {
    ++restarts_;
    if (n_frames_ > 0) ++unknown_gaps_;
  }
  return going;
}

/// Counts a gap whose length the ticks give. Writes its event only if `going`. False ends the capture.
bool capture::count_gap(const arrival& a, bool going, event_writer& events) {
  const std::int64_t missing = a.status.first_tick - place_.next_tick() - a.status.time_jump;
  const stream_gap gap{static_cast<double>(a.status.first_tick) / config_.carrier.sample_rate_hz(), place_.n_samples(),
                       missing, a.status.time_jump};
  event line("gap", gap.t_s);
  line.add("sample", gap.sample).add("samples_lost", gap.samples_lost);
  if (gap.time_jump != 0) line.add("time_jump", gap.time_jump);
  going = going && events.write(line);
  for (const auto& o : observers_) going = going && (!o.gap || o.gap(gap));
  lost(std::abs(missing));
  return going;
}

/// Gives a block to the observers and to the monitor. False ends the capture.
bool capture::take(std::span<const std::span<const phy::cf32>> in, const arrival& a, bool going, event_writer& events) {
  const phy::read_status kept = recorded_.of(a.status);
  for (const auto& o : observers_)
    going = going && (!o.samples || o.samples(in, kept.first_tick, kept.gap_before && !a.first));
  const std::int64_t at = place_.n_samples();
  place_.add(a.status.first_tick, static_cast<std::int64_t>(in[0].size()));
  going = going && emit(monitor_->process(in, stored_ ? at : a.status.first_tick), events);
  for (const auto& o : observers_)
    if (o.progress)
      o.progress(place_.n_samples(), static_cast<double>(place_.next_tick()) / config_.carrier.sample_rate_hz());
  return going;
}

capture_result capture::totals() const {
  capture_result done;
  done.statistics = monitor_->statistics();
  done.statistics.gaps += restarts_;
  done.t_end_s = static_cast<double>(place_.next_tick()) / config_.carrier.sample_rate_hz();
  done.n_samples = place_.n_samples();
  done.n_frames = n_frames_;
  done.pools_told = !config_.pools.empty();
  done.searched_beside = config_.search_beside;
  const double rate = config_.carrier.sample_rate_hz();
  if (n_frames_ > 0)
    done.seconds_since_first_frame = static_cast<double>(place_.next_tick() - first_frame_tick_) / rate;
  done.seconds_lost =
      (static_cast<double>(lost_) + static_cast<double>(done.statistics.non_finite_samples) / config_.n_antennas) /
      rate;
  done.unknown_gaps = unknown_gaps_;
  return done;
}

void capture::begin(std::vector<capture_observer> observers) {
  observers_ = std::move(observers);
  samples_.assign(source_->n_antennas(), std::vector<phy::cf32>(config_.carrier.samples_per_subframe()));
  going_ = true;
}

result<bool> capture::advance(event_writer& events) {
  std::vector<std::span<phy::cf32>> out(samples_.begin(), samples_.end());
  std::vector<std::span<const phy::cf32>> in(out.size());
  const auto wanted = static_cast<std::int64_t>(options_.duration_s * config_.carrier.sample_rate_hz());
  const bool round = file_ && file_->at_round_start();
  const std::int64_t shift = file_ ? file_->shift_ticks() : 0;  // a read that ends the round already tells of the next
  const auto status = source_->read(out);
  if (!status) return tl::unexpected(status.error());
  auto n = status->n_samples;
  if (wanted > 0) n = std::min(n, static_cast<std::size_t>(wanted - place_.n_samples()));
  if (n > 0) {
    const arrival a{*status, round, shift, place_.n_samples() == 0, status->first_tick != place_.next_tick()};
    going_ = start_anew(a, events);
    if (a.jump && !a.first && !a.round) going_ = count_gap(a, going_, events);
    for (std::size_t c = 0; c < out.size(); ++c) {
      in[c] = out[c].first(n);
      if (watch_) watch_->add(in[c]);
    }
    if (options_.as_ci16) round_to_ci16(in, out, packed_);
    going_ = take(in, a, going_, events);
  }
  return going_ && !status->end && !(wanted > 0 && place_.n_samples() >= wanted);
}

result<capture_result> capture::end(event_writer& events) {
  going_ = going_ && emit(monitor_->finish(), events);
  if (watch_) watch_->end();
  const auto done = totals();
  if (going_) events.write(to_event(done.statistics, done.t_end_s));
  if (!events.ok()) return tl::unexpected(events.trouble());
  return done;
}

result<capture_result> capture::run(event_writer& events, std::vector<capture_observer> observers) {
  begin(std::move(observers));
  while (!options_.stop()) {
    const auto more = advance(events);
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
  }
  return end(events);
}

}  // namespace prose::apps
