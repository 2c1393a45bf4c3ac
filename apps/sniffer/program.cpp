#include "apps/sniffer/program.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "apps/lib/capture/pcap_sink.h"
#include "apps/lib/common/cli.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/remarks.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/listen/capture.h"
#include "apps/sniffer/judgement.h"
#include "apps/sniffer/queued_source.h"
#include "apps/sniffer/recorder.h"
#include "apps/sniffer/summary.h"
#include "phy/radio/radio.h"

namespace prose::apps {
namespace {

/// A radio and the thread that reads it.
struct live_input {
  std::unique_ptr<phy::radio> radio;
  std::unique_ptr<queued_source> queue;
};

result<live_input> open_live(const sniffer_settings& s, const scene& known) {
  auto config = s.radio;
  config.device_args = s.device;
  config.sample_rate_hz = rate_for(s, known);
  config.blank_own_bursts = false;  // it never sends
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
  if (q.full > 0) log_info("processing fell behind the device {} times: the queue of samples was full", q.full);
}

std::string words_of(const phy::carrier_config& c) {
  return std::to_string(c.n_prb) + " PRB, TM" + std::to_string(static_cast<int>(c.tm)) +
         (c.cp == phy::cyclic_prefix::normal ? ", normal prefix" : ", extended prefix");
}

}  // namespace

int run_sniffer(const char* program, const sniffer_settings& s) {
  const auto known = scene_of(s);
  if (!known) return usage_error(program, known.error());
  const bool judged_too = s.verdict || !s.reports.empty();
  capture_options options{
      sync_of(s),     s.report_failed, s.duration_s, judged_too, !s.record.empty() && s.record_type == "ci16",
      &stop_requested};
  std::string assumed;
  live_input live;
  std::int64_t partial_bytes = 0, total_samples = 0;
  const phy::sigmf_reader* recording = nullptr;  // lives in the capture
  result<capture> made = fail("");
  if (!s.iq.empty()) {
    const double told_rate_hz = s.rate_given ? s.radio.sample_rate_hz : 0;
    auto reader = phy::sigmf_reader::open(s.iq, {.rate_hz = told_rate_hz});
    if (!reader) return usage_error(program, reader.error());
    recording = reader->get();
    partial_bytes = recording->partial_bytes();
    total_samples = (*reader)->n_samples() * s.loop;
    made =
        capture::make(std::make_unique<file_source>(std::move(*reader), s.loop), *known, std::move(options), assumed);
  } else {
    if (options.sync == listen_sync::aligned)
      return report(program, "--sync aligned: a radio has no stored timing; accepted: gnss, slss, blind", exit_usage);
    if (s.rate_given && rate_for(s, *known) != s.radio.sample_rate_hz)
      return report(program,
                    "--rate " + std::to_string(std::llround(s.radio.sample_rate_hz)) +
                        ": the carrier cannot use it; accepted: none, for " +
                        std::to_string(std::llround(rate_for(s, *known))),
                    exit_usage);
    auto opened = open_live(s, *known);
    if (!opened) return usage_error(program, opened.error());  // nothing has run yet: its arguments are wrong
    live = std::move(*opened);
    made = capture::make(*live.radio, s.device, *known, std::move(options), assumed);
  }
  if (!made) return usage_error(program, made.error());
  capture& run = *made;

  // All that can be wrong in what was asked for, before the first output is opened: opening empties it.
  if (!s.keylog.empty() && s.pcap.empty())
    return report(program, "--keylog: it serves --pcap FILE, which is not given", exit_usage);
  auto judging = judgement::make(s);
  if (!judging) return usage_error(program, judging.error());
  auto events = event_writer::open(s.events);
  if (!events) return usage_error(program, events.error());
  std::vector<capture_observer> observers;
  std::unique_ptr<recorder> record;
  if (!s.record.empty()) {
    auto opened = recorder::open(s, run.carrier().sample_rate_hz(), run.n_antennas());
    if (!opened) return usage_error(program, opened.error());
    record = std::move(*opened);
    observers.push_back({.frame = {}, .samples = [&record](auto samples, std::int64_t tick, bool gap) {
                           return record->add(samples, tick, gap);
                         }});
  }
  std::optional<pcap_sink> pcap;
  error pcap_error;
  if (!s.pcap.empty()) {
    auto opened = pcap_sink::open(s.pcap, s.keylog);
    if (!opened) return usage_error(program, opened.error());
    pcap.emplace(std::move(*opened));
    observers.push_back({[&](const phy::monitor_event&, const captured_frame& f) {
      const auto ok = pcap->add(f);
      if (!ok) pcap_error = ok.error();
      return ok.has_value();
    }});
  }
  if (*judging) observers.push_back((*judging)->observer());
  // The summary redraws a terminal; anything else gets a line now and then.
  if (s.duration_s > 0)
    total_samples = std::min<std::int64_t>(total_samples, std::llround(s.duration_s * run.carrier().sample_rate_hz()));
  summary seen(s, run.carrier(), s.iq.empty() ? std::nullopt : std::optional(total_samples));
  observers.push_back({[&](const phy::monitor_event&, const captured_frame& f) {
                         seen.add(f);
                         return true;
                       },
                       {},
                       [&](std::int64_t n, double) {
                         seen.tick(n, live.radio ? live.radio->counters().samples_lost : 0, run.blocks_failed());
                       }});
  // Remarks only now: a mistake is one line.
  if (recording != nullptr) tell_remarks(*recording, s.rate_given ? s.radio.sample_rate_hz : 0);
  if (partial_bytes > 0) log_warning("{}: the last {} bytes are no whole sample and are ignored", s.iq, partial_bytes);
  if (!assumed.empty()) log_info("not told, so assumed: {}", assumed);

  if (live.radio) {
    const std::size_t block = run.carrier().samples_per_subframe();
    live.queue = std::make_unique<queued_source>(*live.radio, block, static_cast<std::size_t>(s.queue_s * 1000));
    run.read_through(*live.queue);
  }
  const auto done = run.run(*events, std::move(observers));
  if (live.radio) {
    live.queue->stop();
    tell_losses(live);
    live.queue.reset();
    live.radio->stop();
  }
  if (record)
    if (auto ok = record->finish(); !ok) return run_error(program, ok.error());
  seen.finish();
  if (!pcap_error.message.empty()) return run_error(program, pcap_error);
  if (!done) return run_error(program, done.error());
  const auto& n = done->statistics;
  if (n.non_finite_samples > 0) log_warning("{} samples were not finite and count as zero", n.non_finite_samples);
  log_info("{} subframes: {} MIB-SL, {} SCI, {} transport blocks, {} discovery messages", n.subframes, n.mib, n.sci,
           n.tb_ok, n.discovery);
  if (pcap) log_info("{}: {} records, {} opened with the key log", s.pcap, pcap->n_records(), pcap->n_opened());
  if (pcap && pcap->bound_hit())
    log_warning(
        "{}: so many blocks came under the layer-2 IDs of a link of the key log that not every assembly of them was "
        "tried: packets may be missing",
        s.pcap);
  if (!*judging) return exit_ok;
  std::string remark;
  const page_facts facts{s.iq.empty() ? s.device : s.iq, words_of(run.carrier()), run.carrier().sample_rate_hz(),
                         static_cast<double>(done->n_samples) / run.carrier().sample_rate_hz(), seen.text()};
  const auto judged = (*judging)->finish(*done, facts, remark);
  if (!remark.empty()) log_warning("{}", remark);
  if (!judged) return run_error(program, judged.error());
  const auto& v = *judged;
  for (const auto& e : events_of(v, done->t_end_s)) (void)events->write(e);
  if (!events->ok()) return run_error(program, error{"--events: cannot be written"});
  std::fputs(to_text(v).c_str(), stderr);
  return s.verdict ? exit_status(v.outcome) : exit_ok;
}

}  // namespace prose::apps
