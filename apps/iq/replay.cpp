// prose-iq replay: a recording out of a radio, at exact times.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>
#include <vector>

#include "apps/iq/commands.h"
#include "apps/iq/recording_feed.h"
#include "apps/lib/common/cli.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/progress.h"
#include "apps/lib/common/radio_profile.h"
#include "apps/lib/common/remarks.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/stop.h"

namespace prose::apps {
namespace {

constexpr double start_ahead_s = 0.2;  // for the first samples to reach the device; doubled when that was too late
constexpr int most_starts = 6;
constexpr double resume_ahead_s = 0.2;     // the same after an underflow
constexpr double longest_silence_s = 1.0;  // shorter gaps are sent as silence within the burst, longer ones end it
constexpr double acknowledge_s = 1.0;      // device time after the last sample for its acknowledgement to come

/// Lays pieces with gaps between them out as bursts of a radio, and takes care of what the device complains of.
class player {
public:
  player(phy::radio& radio, double rate_hz) : radio_(radio), rate_hz_(rate_hz), silence_(16384) {}

  enum class outcome : std::uint8_t { ok, start_was_late };

  /// Samples at a device tick; ticks only go up.
  result<outcome> play(std::int64_t tick, std::span<const phy::cf32> samples) {
    if (tick < resume_at_) {  // after an underflow: time goes on without these
      const auto n = std::min<std::int64_t>(resume_at_ - tick, static_cast<std::int64_t>(samples.size()));
      skipped_ += n;
      samples = samples.subspan(n);
      tick += n;
      if (samples.empty()) return outcome::ok;
    }
    if (open_ && tick - position_ > static_cast<std::int64_t>(longest_silence_s * rate_hz_))
      if (const auto s = end_burst(); !s || *s != outcome::ok) return s;
    while (open_ && position_ < tick) {
      const auto n = std::min<std::int64_t>(tick - position_, static_cast<std::int64_t>(silence_.size()));
      if (const auto s = send(position_, std::span<const phy::cf32>(silence_).first(n)); !s || *s != outcome::ok)
        return s;
    }
    return send(tick, samples);
  }

  result<outcome> end_burst() {
    if (!open_) return outcome::ok;
    open_ = false;
    const phy::cf32 last{};
    if (const auto t = radio_.transmit(position_, {&last, 1}, phy::burst_piece::last); !t)
      return tl::unexpected(t.error());
    return complaints();
  }

  /// Until the device has played everything, however slowly its time passes; an error when it goes away before. A
  /// device may lose an acknowledgement, so its time counts too.
  result<void> wait_for_end() {
    const std::int64_t until = position_ + static_cast<std::int64_t>(acknowledge_s * rate_hz_);
    while (!stop_requested()) {
      const auto c = radio_.counters();
      if (c.bursts_done >= c.bursts_sent) break;
      const auto now = radio_.now_tick();
      if (!now) return tl::unexpected(now.error());
      if (*now >= until) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return {};
  }

  /// Starts afresh, for a start that came too late.
  void restart() {
    open_ = false;
    played_ = false;
    resume_at_ = 0;
  }
  std::uint64_t interruptions() const { return interruptions_; }
  std::int64_t skipped() const { return skipped_; }

private:
  result<outcome> send(std::int64_t tick, std::span<const phy::cf32> samples) {
    const auto piece = open_ ? phy::burst_piece::middle : phy::burst_piece::first;
    const auto t = radio_.transmit(tick, samples, piece);
    if (!t) return tl::unexpected(t.error());
    if (*t == phy::transmit_status::late) return late();
    if (*t == phy::transmit_status::withheld)
      return fail("the rest is not sent: tx_limits allow " + radio_.duty_limit());
    open_ = true;
    position_ = tick + static_cast<std::int64_t>(samples.size());
    return complaints();
  }

  result<outcome> complaints() {
    while (const auto e = radio_.poll_event()) {
      if (e->kind == phy::radio_event_kind::late) return late();
      if (e->kind == phy::radio_event_kind::burst_done) played_ = true;
      if (e->kind == phy::radio_event_kind::underflow || e->kind == phy::radio_event_kind::sequence_error)
        if (const auto r = interrupted(); !r) return r;
    }
    return outcome::ok;
  }

  result<outcome> late() {
    if (!played_ && interruptions_ == 0) return outcome::start_was_late;
    return interrupted();
  }

  // The device drops the rest of a torn burst. Time is kept: what falls into the interruption is left out.
  result<outcome> interrupted() {
    ++interruptions_;
    if (open_) {
      open_ = false;
      const phy::cf32 last{};
      if (const auto t = radio_.transmit(position_, {&last, 1}, phy::burst_piece::last); !t)
        return tl::unexpected(t.error());
    }
    const auto now = radio_.now_tick();
    if (!now) return tl::unexpected(now.error());
    resume_at_ = *now + static_cast<std::int64_t>(resume_ahead_s * rate_hz_);
    return outcome::ok;
  }

  phy::radio& radio_;
  double rate_hz_;
  std::vector<phy::cf32> silence_;
  bool open_ = false, played_ = false;
  std::int64_t position_ = 0, resume_at_ = 0, skipped_ = 0;
  std::uint64_t interruptions_ = 0;
};

struct summary {
  std::int64_t rounds = 0;
  std::int64_t ticks = 0;  ///< of the round that was stopped
  bool stopped = false;
};

result<summary> play_all(phy::radio& radio, recording_feed& feed, player& out, const replay_options& o,
                         double rate_hz) {
  progress_bar progress("transmitting");
  double ahead_s = start_ahead_s;
  for (int starts = 1;; ++starts, ahead_s *= 2) {
    const auto now = radio.now_tick();
    if (!now) return tl::unexpected(now.error());
    const std::int64_t base =
        o.start_s >= 0 ? std::llround(o.start_s * rate_hz) : *now + static_cast<std::int64_t>(ahead_s * rate_hz);
    summary s;
    bool late = false;
    if (const auto near = wait_until_near(radio, base); !near) return tl::unexpected(near.error());
    while (!late && !s.stopped && (o.loop || s.rounds < o.times)) {
      if (auto ok = feed.rewind(); !ok) return tl::unexpected(ok.error());
      const std::int64_t round_base = base + s.rounds * feed.length();
      for (;;) {
        if (stop_requested()) {
          s.stopped = true;
          break;
        }
        const auto piece = feed.next();
        if (!piece) return tl::unexpected(piece.error());
        if (!*piece) break;
        const auto played = out.play(round_base + (*piece)->tick, (*piece)->samples);
        if (!played) return tl::unexpected(played.error());
        if (*played == player::outcome::start_was_late) {
          late = true;
          break;
        }
        const auto done_ticks = (*piece)->tick + static_cast<std::int64_t>((*piece)->samples.size());
        const double done = static_cast<double>(done_ticks) / static_cast<double>(feed.length());
        char note[64];
        std::snprintf(note, sizeof note, "round %lld, %.1f s", static_cast<long long>(s.rounds + 1),
                      static_cast<double>(done_ticks) / rate_hz);
        s.ticks = done_ticks;
        progress.update(o.loop ? done : (static_cast<double>(s.rounds) + done) / static_cast<double>(o.times), note);
      }
      if (!late && !s.stopped) ++s.rounds;
    }
    if (!late) {
      const auto ended = out.end_burst();
      if (!ended) return tl::unexpected(ended.error());
      late = *ended == player::outcome::start_was_late;
    }
    if (!late) {
      // A stopped one is not waited for: what is on its way goes out while the device closes, or not.
      if (!s.stopped)
        if (const auto ok = out.wait_for_end(); !ok) return tl::unexpected(ok.error());
      return s;
    }
    if (o.start_s >= 0)
      return fail("--start: that device time has passed, it was " +
                  std::to_string(static_cast<double>(*now) / rate_hz) + " s at the attempt");
    if (starts == most_starts)
      return fail("the start of the transmission comes too late each time: the air runs faster than it can be fed");
    out.restart();
  }
}

/// Samples [begin, end) that are sent.
struct range {
  std::int64_t begin = 0, end = 0;
};

result<range> range_of(const phy::sigmf_reader& r, std::int64_t segment) {
  if (segment < 0) return range{0, r.n_samples()};
  const auto& c = r.meta().captures;
  for (std::size_t i = 0; i < c.size(); ++i) {
    if (static_cast<std::int64_t>(c[i].number) != segment) continue;
    const range out{c[i].sample_start, i + 1 < c.size() ? c[i + 1].sample_start : r.n_samples()};
    if (out.begin == out.end)
      return fail("--segment " + std::to_string(segment) + ": captures[" + std::to_string(segment) +
                  "] has no samples");
    return out;
  }
  return fail("--segment " + std::to_string(segment) + ": " + r.meta_path() +
              " has no such capture; accepted: as info lists them");
}

/// Somebody must have said where to send: the command line, the recording for all that is sent, or the profile where
/// the recording is silent.
result<double> frequency_of(const phy::sigmf_reader& r, const replay_options& o) {
  if (o.frequency_hz > 0) return o.frequency_hz;
  const auto& m = r.meta();
  constexpr const char* accepted = "; accepted: --freq, or one of the captures (--segment)";
  std::vector<double> named = o.segment < 0 ? m.unplaced_hz : std::vector<double>{};
  bool silent = o.segment < 0 && m.captures.front().sample_start > 0;
  for (const auto& c : m.captures) {
    if (o.segment >= 0 && static_cast<std::int64_t>(c.number) != o.segment) continue;
    if (c.frequency_hz && *c.frequency_hz > 0)
      named.push_back(*c.frequency_hz);
    else
      silent = true;
  }
  std::sort(named.begin(), named.end());
  named.erase(std::unique(named.begin(), named.end()), named.end());
  const auto mhz = [](double hz) {
    char t[40];
    std::snprintf(t, sizeof t, "%.13g MHz", hz / 1e6);
    return std::string(t);
  };
  if (named.size() > 1)
    return fail(r.meta_path() + ": the captures have " + std::to_string(named.size()) + " frequencies (" +
                mhz(named.front()) + " to " + mhz(named.back()) + ")" + accepted);
  if (named.size() == 1 && silent)
    return fail(r.meta_path() + ": core:frequency is that of a part of the samples only (" + mhz(named.front()) + ")" +
                accepted);
  if (named.size() == 1) return named.front();
  if (o.radio.center_freq_hz > 0) return o.radio.center_freq_hz;
  return fail(
      r.meta_path() +
      ": no frequency to send at: core:frequency is missing or not above 0; accepted: --freq, or center_freq_hz of "
      "--radio");
}

}  // namespace

int run_replay(const replay_options& o) {
  auto opened = phy::sigmf_reader::open(o.in, {.rate_hz = o.rate_hz});
  if (!opened) return usage_error(iq_program, opened.error());
  auto& reader = **opened;
  if (o.channel >= reader.n_antennas())
    return report(iq_program,
                  "--channel " + std::to_string(o.channel) + ": " + o.in + " has channels 0 to " +
                      std::to_string(reader.n_antennas() - 1),
                  exit_usage);
  auto config = o.radio;
  double rate_hz = o.rate_hz;
  if (rate_hz <= 0 && o.profile_given)
    rate_hz = config.device_rate_hz > 0 ? config.device_rate_hz : config.sample_rate_hz;
  if (rate_hz <= 0) rate_hz = reader.sample_rate_hz();
  config.sample_rate_hz = rate_hz;
  config.device_rate_hz = 0;  // the recording is resampled here, as a stream
  config.blank_own_bursts = false;
  config.transmit_timeout_s = 10;
  wait_as_a_program(config);
  const auto sent = range_of(reader, o.segment);
  if (!sent) return usage_error(iq_program, sent.error());
  const auto frequency_hz = frequency_of(reader, o);
  if (!frequency_hz) return usage_error(iq_program, frequency_hz.error());
  config.center_freq_hz = *frequency_hz;
  auto feed =
      recording_feed::make(reader, static_cast<std::size_t>(o.channel), rate_hz, o.scale, sent->begin, sent->end);
  if (!feed) return usage_error(iq_program, feed.error());
  if (looks_only()) {
    const auto ok = phy::radio::check(config);
    return ok ? exit_ok : usage_error(iq_program, ok.error());
  }
  auto radio = phy::radio::open(config);
  if (!radio) return usage_error(iq_program, radio.error());

  player out(**radio, rate_hz);
  const auto done = play_all(**radio, *feed, out, o, rate_hz);
  if (!done) return run_error(iq_program, done.error());
  tell_remarks(reader);
  feed->watch().end();
  for (const auto& n : (*radio)->notes()) log_info("{}", n);
  if (feed->n_non_finite() > 0) log_warning("{} samples were not finite and went out as zero", feed->n_non_finite());
  if (feed->n_clipped() > 0)
    log_warning("{} samples were beyond full scale: a smaller --scale keeps them whole", feed->n_clipped());
  log_info("{} at {} Msps, {} MHz: {} round{}{}", o.in, rate_hz / 1e6, config.center_freq_hz / 1e6, done->rounds,
           done->rounds == 1 ? "" : "s", done->stopped ? ", then stopped" : "");
  // An endless replay ends by being stopped.
  if (done->stopped && !o.loop)
    return report(iq_program,
                  o.in + ": stopped after " + std::to_string(done->rounds) + " of " + std::to_string(o.times) +
                      " rounds (" + std::to_string(done->ticks) + " of " + std::to_string(feed->length()) +
                      " samples of the next)",
                  exit_failure);
  if (out.interruptions() > 0)
    return report(iq_program,
                  std::to_string(out.interruptions()) + " interruptions (underflow or late): " +
                      std::to_string(out.skipped()) + " samples were left out, the rest kept its time",
                  exit_failure);
  return exit_ok;
}

}  // namespace prose::apps
