#include "apps/sniffer/program.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>

#include "apps/lib/capture/pcap_sink.h"
#include "apps/lib/common/cli.h"
#include "apps/lib/common/disk_room.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/radio_profile.h"
#include "apps/lib/common/remarks.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/listen/capture.h"
#include "apps/lib/listen/sync_search.h"
#include "apps/sniffer/annotated_recording.h"
#include "apps/sniffer/judgement.h"
#include "apps/sniffer/look_feed.h"
#include "apps/sniffer/program_metrics.h"
#include "apps/sniffer/queued_source.h"
#include "apps/sniffer/recorder.h"
#include "apps/sniffer/sample_dates.h"
#include "apps/sniffer/summary.h"
#include "phy/radio/radio.h"

namespace prose::apps {
namespace {

/// A radio and the thread that reads it.
struct live_input {
  std::unique_ptr<phy::radio> radio;
  std::unique_ptr<queued_source> queue;
};

phy::radio_config radio_of(const sniffer_settings& s, const scene& known) {
  auto config = s.radio;
  config.device_args = s.device;
  config.sample_rate_hz = rate_for(s, known);
  config.blank_own_bursts = false;
  config.transmits = false;
  return config;
}

/// In place of a radio that is not opened: --check.
class silent_source final : public phy::sample_source {
public:
  explicit silent_source(const phy::radio_config& c) : rate_hz_(c.sample_rate_hz), n_antennas_(c.n_rx_antennas) {}
  double sample_rate_hz() const override { return rate_hz_; }
  int n_antennas() const override { return n_antennas_; }
  result<phy::read_status> read(std::span<const std::span<phy::cf32>>) override { return fail("no radio is open"); }

private:
  double rate_hz_;
  int n_antennas_;
};

result<live_input> open_live(const sniffer_settings& s, const scene& known) {
  auto config = radio_of(s, known);
  wait_as_a_program(config);
  live_input in;
  auto radio = phy::radio::open(config);
  if (!radio) return tl::unexpected(radio.error());
  in.radio = std::move(*radio);
  log_info("{}", in.radio->description());
  for (const auto& n : in.radio->notes()) log_info("{}", n);
  return in;
}

void tell_losses(const live_input& in) {
  const auto c = in.radio->counters();
  const auto q = in.queue->statistics();
  if (c.overflows + c.sequence_errors > 0)
    log_warning("{} overflows, {} sequence errors: {} samples were lost", c.overflows, c.sequence_errors,
                c.samples_lost);
  if (const auto text = waiting_text(q.full, c.samples_lost); !text.empty()) log_info("{}", text);
}

std::string words_of(const phy::carrier_config& c) {
  return std::to_string(c.n_prb) + " PRB, TM" + std::to_string(static_cast<int>(c.tm)) +
         (c.cp == phy::cyclic_prefix::normal ? ", normal prefix" : ", extended prefix");
}

/// What is listened to: a recording or a radio.
struct input {
  live_input live;                               ///< empty for a recording; outlives the capture
  std::unique_ptr<silent_source> silent;         ///< likewise
  const phy::sigmf_reader* recording = nullptr;  ///< lives in the capture; null for a radio
  std::int64_t n_samples = 0;                    ///< of a recording, in all rounds
  std::string assumed;                           ///< what nobody told of the scene
  scene known;                                   ///< what is told of it, by whomever
  std::optional<listen_sync> sync;               ///< nothing: all were tried, and none decodes
  std::string tried;                             ///< with --sync auto
  std::string remark;                            ///< on what the recording says of its carrier
  std::optional<capture> run;
};

result<capture> open_recording(const sniffer_settings& s, capture_options options, input& in) {
  const double told_rate_hz = s.rate_given ? s.radio.sample_rate_hz : 0;
  auto reader = phy::sigmf_reader::open(s.iq, {.rate_hz = told_rate_hz, .keep_text = !s.annotate.empty()});
  if (!reader) return tl::unexpected(reader.error());
  in.recording = reader->get();
  in.n_samples = (*reader)->n_samples() * s.loop;
  auto recorded = carrier_from((*reader)->meta(), (*reader)->meta_path(), in.remark);
  const auto told = scene_of(s);
  if (!told) return tl::unexpected(told.error());
  if (options.search_beside && !told->n_prb && is_narrower(recorded, (*reader)->sample_rate_hz())) {
    in.remark = narrower_remark((*reader)->meta_path());
    recorded = {};
  }
  auto known = scene_of(s, recorded.known);
  if (!known) return tl::unexpected(known.error());
  in.known = std::move(*known);
  in.sync = sync_of(s, recorded.sync);
  if (!in.sync && !looks_only()) {
    auto found = search_sync(s.iq, told_rate_hz, in.known, s.duration_s, &stop_requested);
    if (!found) return tl::unexpected(found.error());
    in.sync = found->way;
    in.tried = std::move(found->tried);
  }
  options.sync = in.sync.value_or(listen_sync::slss);
  return capture::make(std::make_unique<file_source>(std::move(*reader), s.loop), in.known, std::move(options),
                       in.assumed);
}

result<capture> open_radio(const sniffer_settings& s, capture_options options, input& in) {
  auto told = scene_of(s);
  if (!told) return tl::unexpected(told.error());
  in.known = std::move(*told);
  const scene& known = in.known;
  in.sync = sync_of(s);
  options.sync = in.sync.value_or(listen_sync::gnss);
  if (!in.sync) return fail("--sync auto: is for recordings; accepted: gnss, slss, blind");
  if (options.sync == listen_sync::aligned)
    return fail("--sync aligned: a radio has no stored timing; accepted: gnss, slss, blind");
  if (!(rate_for(s, known) > 0))
    return fail("a carrier of " + std::to_string(known.n_prb.value_or(0)) +
                " PRB has no sample rate; accepted: 6, 15, 25, 50, 75 and 100 PRB");
  if (s.rate_given && rate_for(s, known) != s.radio.sample_rate_hz)
    return fail("--rate " + std::to_string(std::llround(s.radio.sample_rate_hz)) +
                ": the carrier cannot use it; accepted: none, for " + std::to_string(std::llround(rate_for(s, known))));
  if (looks_only()) {
    const auto config = radio_of(s, known);
    if (auto ok = phy::radio::check(config); !ok) return tl::unexpected(ok.error());
    in.silent = std::make_unique<silent_source>(config);
    return capture::make(*in.silent, s.device, known, std::move(options), in.assumed);
  }
  auto opened = open_live(s, known);
  if (!opened) return tl::unexpected(opened.error());
  in.live = std::move(*opened);
  return capture::make(*in.live.radio, s.device, known, std::move(options), in.assumed);
}

result<void> check_annotate(const sniffer_settings& s) {
  if (s.annotate.empty()) return {};
  if (s.iq.empty())
    return fail("--annotate: is for --iq; accepted: --record FILE.sigmf-meta, which keeps annotations as well");
  if (s.loop > 1)
    return fail("--annotate: the recording is read " + std::to_string(s.loop) + " times; accepted: --loop 1");
  return {};
}

/// Nothing has run yet, so what is wrong are the arguments: every error is a usage error.
result<void> open_input(const sniffer_settings& s, input& in) {
  if (auto ok = check_annotate(s); !ok) return ok;
  const bool judged_too = s.verdict || !s.reports.empty();
  capture_options options{
      {}, s.report_failed, s.duration_s, judged_too, !s.record.empty() && s.record_type == "ci16", &stop_requested};
  auto made = s.iq.empty() ? open_radio(s, std::move(options), in) : open_recording(s, std::move(options), in);
  if (!made) return tl::unexpected(made.error());
  in.run.emplace(std::move(*made));
  return {};
}

/// What a recording of this says of its carrier.
recorded_carrier to_record(const sniffer_settings& s, const input& in) {
  recorded_carrier c{in.known, name_of(in.sync.value_or(listen_sync::slss))};
  const auto& used = in.run->carrier();
  c.known.n_prb = used.n_prb;
  c.known.tm = used.tm;
  c.known.cp = used.cp;
  auto& first = c.known.first_subframe_sample;
  auto& numbers = c.known.absolute_subframes;
  const bool aligned = in.sync == listen_sync::aligned;
  if (aligned && numbers.empty()) first = first.value_or(0) % used.samples_per_subframe();
  if (aligned && s.loop == 1 && first.value_or(0) < used.samples_per_subframe()) return c;
  if (aligned) c.sync.clear();  // its timing is of no other recording
  first.reset();
  numbers.clear();
  return c;
}

/// The outputs that are asked for; the others are empty.
struct outputs {
  std::unique_ptr<judgement> judging;
  event_writer events;
  std::unique_ptr<recorder> record;
  std::unique_ptr<annotated_recording> annotated;
  std::unique_ptr<look_feed> look;
  std::optional<pcap_sink> pcap;
  error pcap_error;
};

/// Of the carrier; nothing for a recording that does not say it.
std::optional<double> frequency_of(const sniffer_settings& s, const input& in) {
  if (in.recording == nullptr) return s.radio.center_freq_hz;
  return phy::frequency_at(in.recording->meta().captures, 0);
}

/// All that can be wrong in what was asked for is told before the first output is opened: opening empties it. Every
/// error is a usage error.
result<void> open_outputs(const sniffer_settings& s, const input& in, outputs& out) {
  const capture& run = *in.run;
  if (!s.keylog.empty() && s.pcap.empty()) return fail("--keylog: it serves --pcap FILE, which is not given");
  auto judging = judgement::make(s);
  if (!judging) return tl::unexpected(judging.error());
  out.judging = std::move(*judging);
  if (!s.annotate.empty()) {
    auto opened = annotated_recording::open(s.annotate, *in.recording, run.carrier(), extension_text(to_record(s, in)));
    if (!opened) return tl::unexpected(opened.error());
    out.annotated = std::move(*opened);
  }
  auto events = event_writer::open(s.events);
  if (!events) return tl::unexpected(events.error());
  out.events = std::move(*events);
  if (!s.record.empty()) {
    auto opened = recorder::open(s, run.carrier(), run.n_antennas(), in.recording);
    if (!opened) return tl::unexpected(opened.error());
    if (*opened && in.recording == nullptr)
      tell_room(s.record,
                {run.carrier().sample_rate_hz() * run.n_antennas() * (s.record_type == "ci16" ? 4 : 8), s.duration_s});
    if (*opened) (*opened)->tell_carrier(extension_text(to_record(s, in)), in.known.n_prb && in.known.tm);
    out.record = std::move(*opened);
  }
  if (!s.pcap.empty()) {
    auto opened = pcap_sink::open(s.pcap, s.keylog, utc_at_device_zero(s, in.recording, in.live.radio.get()));
    if (!opened) return tl::unexpected(opened.error());
    out.pcap.emplace(std::move(*opened));
  }
  if (!s.look.empty()) {
    auto opened = look_feed::open(s.look, run.carrier(), frequency_of(s, in));
    if (!opened) return tl::unexpected(opened.error());
    out.look = std::move(*opened);
  }
  return {};
}

/// The outputs must outlive the observers.
std::vector<capture_observer> observers_of(outputs& out) {
  std::vector<capture_observer> observers;
  if (out.annotated)
    observers.push_back({[&out](const phy::monitor_event&, const captured_frame& f) {
      out.annotated->add(f);
      return true;
    }});
  if (out.record)
    observers.push_back(
        {.frame =
             [&out](const phy::monitor_event&, const captured_frame& f) {
               out.record->add(f);
               return true;
             },
         .samples = [&out](auto samples, std::int64_t tick, bool gap) { return out.record->add(samples, tick, gap); }});
  if (out.pcap)
    observers.push_back({[&out](const phy::monitor_event&, const captured_frame& f) {
      const auto ok = out.pcap->add(f);
      if (!ok) out.pcap_error = {"--pcap " + ok.error().message};
      return ok.has_value();
    }});
  if (out.judging) observers.push_back(out.judging->observer());
  if (out.look) observers.push_back(out.look->observer());
  return observers;
}

/// How long the summary says the recording is; nothing for a radio.
std::optional<std::int64_t> samples_to_read(const sniffer_settings& s, const input& in) {
  if (s.iq.empty()) return std::nullopt;
  if (s.duration_s <= 0) return in.n_samples;
  return std::min<std::int64_t>(in.n_samples, std::llround(s.duration_s * in.run->carrier().sample_rate_hz()));
}

capture_observer observer_of(summary& seen, const input& in) {
  return {[&seen](const phy::monitor_event&, const captured_frame& f) {
            seen.add(f);
            return true;
          },
          {},
          [&seen, &in](std::int64_t n, double) {
            seen.tick(n, in.live.radio ? in.live.radio->counters().samples_lost : 0, in.run->blocks_failed());
          }};
}

void tell_remarks_on(const input& in, const sniffer_settings& s) {
  if (in.recording != nullptr) {
    tell_remarks(*in.recording, s.rate_given ? s.radio.sample_rate_hz : 0);
    if (const auto n = in.recording->partial_bytes(); n > 0)
      log_warning("{}: the last {} bytes are no whole sample and are ignored", s.iq, n);
  }
  if (!in.remark.empty()) log_warning("{}", in.remark);
  if (!in.assumed.empty()) log_info("not told, so assumed: {}", in.assumed);
  if (!in.tried.empty() && in.sync) log_info("--sync auto: {} ({})", name_of(*in.sync), in.tried);
}

/// Runs the capture to its end. A thread of its own reads a radio meanwhile.
result<capture_result> run_capture(const sniffer_settings& s, input& in, event_writer& events,
                                   std::vector<capture_observer> observers) {
  capture& run = *in.run;
  live_input& live = in.live;
  if (!live.radio) return run.run(events, std::move(observers));
  constexpr int subframes_a_block = 4;
  const std::size_t block = subframes_a_block * run.carrier().samples_per_subframe();
  live.queue = std::make_unique<queued_source>(
      *live.radio, block, static_cast<std::size_t>(std::ceil(s.queue_s * 1000 / subframes_a_block)));
  run.read_through(*live.queue);
  auto done = run.run(events, std::move(observers));
  live.queue->stop();
  tell_losses(live);
  live.queue.reset();
  live.radio->stop();
  return done;
}

void tell_totals(const sniffer_settings& s, const phy::monitor_statistics& n, const std::optional<pcap_sink>& pcap) {
  if (n.non_finite_samples > 0) log_warning("{} samples were not finite and count as zero", n.non_finite_samples);
  log_info("{} subframes: {} MIB-SL, {} SCI, {} transport blocks, {} discovery messages", n.subframes, n.mib, n.sci,
           n.tb_ok, n.discovery);
  if (pcap) log_info("{}: {} records, {} opened with the key log", s.pcap, pcap->n_records(), pcap->n_opened());
  if (pcap && pcap->bound_hit())
    log_warning(
        "{}: so many blocks came under the layer-2 IDs of a link of the key log that not every assembly of them was "
        "tried: packets may be missing",
        s.pcap);
}

void tell_left_out(const outputs& out) {
  const auto tell = [](const char* option, std::uint64_t n) {
    if (n > 0)
      log_warning("{}: {} frames are no annotations: {} are kept, the first", option, n, frame_annotations::most);
  };
  if (out.annotated) tell("--annotate", out.annotated->n_left_out());
  if (out.record) tell("--record", out.record->n_left_out());
}

/// Tells the verdict and writes the reports. Gives the exit status.
int conclude(const char* program, const sniffer_settings& s, const capture& run, const capture_result& done,
             page_facts facts, outputs& out) {
  std::string remark;
  facts.carrier = words_of(run.carrier());
  facts.sample_rate_hz = run.carrier().sample_rate_hz();
  facts.seconds = static_cast<double>(done.n_samples) / facts.sample_rate_hz;
  const auto judged = out.judging->finish(done, facts, remark);
  if (!remark.empty()) log_warning("{}", remark);
  if (!judged) return run_error(program, judged.error());
  const auto& v = *judged;
  for (const auto& e : events_of(v, done.t_end_s)) (void)out.events.write(e);
  if (!out.events.ok()) return run_error(program, out.events.trouble());
  std::fputs(to_text(v).c_str(), stderr);
  return s.verdict ? exit_status(v.outcome) : exit_ok;
}

}  // namespace

result<void> check_sniffer(sniffer_settings s) {
  if (s.pcap == "-") s.pcap = "/dev/null";  // its header is written when it is opened
  input in;
  if (auto ok = open_input(s, in); !ok) return ok;
  outputs out;
  return open_outputs(s, in, out);
}

int run_sniffer(const char* program, const sniffer_settings& s, const std::string& command) {
  input in;
  if (const auto ok = open_input(s, in); !ok) return usage_error(program, ok.error());
  outputs out;
  if (const auto ok = open_outputs(s, in, out); !ok) return usage_error(program, ok.error());
  auto metrics = sniffer_metrics::open(s.metrics_port);
  if (!metrics) return usage_error(program, metrics.error());
  auto observers = observers_of(out);
  // The summary redraws a terminal; anything else gets a line now and then.
  summary seen(s, in.run->carrier(), samples_to_read(s, in));
  observers.push_back(observer_of(seen, in));
  observers.push_back({.progress = [&](std::int64_t, double device_s) {
    metrics->tick(*in.run, device_s, in.live.radio.get(), in.live.queue.get());
  }});
  // Remarks only now: a mistake is one line.
  tell_remarks_on(in, s);
  std::future<std::string> digest;
  if (in.recording != nullptr && out.judging && out.judging->makes_page()) digest = start_digest(*in.recording);
  const auto done = run_capture(s, in, out.events, std::move(observers));
  if (out.record)
    if (auto ok = out.record->finish(); !ok) return run_error(program, ok.error());
  seen.finish();
  if (out.pcap && out.pcap_error.message.empty())
    if (auto ok = out.pcap->finish(); !ok) out.pcap_error = {"--pcap " + ok.error().message};
  if (!out.pcap_error.message.empty()) return run_error(program, out.pcap_error);
  if (!done) return run_error(program, done.error());
  if (out.annotated)
    if (auto ok = out.annotated->finish(); !ok) return run_error(program, ok.error());
  tell_totals(s, done->statistics, out.pcap);
  if (in.recording != nullptr && done->n_frames == 0) log_warning("{}", what_to_try(s.iq, in.run->carrier(), in.sync));
  tell_left_out(out);
  if (!out.judging) return exit_ok;
  page_facts facts = facts_of(s, in.recording);
  facts.command = command;
  facts.transmitters = seen.text();
  if (digest.valid()) facts.digest = digest.get();
  return conclude(program, s, *in.run, *done, std::move(facts), out);
}

}  // namespace prose::apps
