// prose-iq record: from a radio into a recording.
#include <chrono>
#include <cmath>
#include <thread>

#include "apps/iq/background_source.h"
#include "apps/iq/commands.h"
#include "apps/lib/common/cli.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/radio_profile.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/listen/settings.h"

namespace prose::apps {
namespace {
constexpr double near_s = 1.0;

/// What the recording says of its carrier; an error where the rate contradicts it.
result<std::string> told_carrier(const record_options& o, double rate_hz) {
  sniffer_settings told;
  told.scene_path = o.scene_path;
  told.carrier = o.carrier;
  told.pools = o.pools;
  auto known = scene_of(told);
  if (!known) return tl::unexpected(known.error());
  recorded_carrier c{std::move(*known), o.sync};
  if (!c.told()) return std::string();
  std::string assumed;
  const auto fits = carrier_of(c.known, {o.out, "sample rate", rate_hz, std::nullopt}, assumed);
  if (!fits) return tl::unexpected(fits.error());
  c.known.n_prb = fits->n_prb;
  c.known.first_subframe_sample.reset();  // of another recording
  c.known.absolute_subframes.clear();
  return extension_text(c);
}

result<void> check_record(const record_options& o, const phy::radio_config& config) {
  if (auto ok = phy::radio::check(config); !ok) return ok;
  if (auto carrier = told_carrier(o, config.sample_rate_hz); !carrier) return tl::unexpected(carrier.error());
  const auto paths = phy::sigmf_output_paths(o.out);
  return paths ? check_openable(paths->data) : tl::unexpected(paths.error());
}
}  // namespace

result<bool> wait_until_near(const phy::radio& radio, std::int64_t tick) {
  for (; !stop_requested(); std::this_thread::sleep_for(std::chrono::milliseconds(10))) {
    const auto now = radio.now_tick();
    if (!now) return tl::unexpected(now.error());
    if (tick - *now <= static_cast<std::int64_t>(near_s * radio.sample_rate_hz())) return true;
  }
  return false;
}

int run_record(const record_options& o) {
  auto config = o.radio;
  config.blank_own_bursts = false;
  config.transmits = false;
  wait_as_a_program(config);
  if (looks_only()) {
    const auto ok = check_record(o, config);
    return ok ? exit_ok : usage_error(iq_program, ok.error());
  }
  auto opened = phy::radio::open(config);
  if (!opened) return usage_error(iq_program, opened.error());
  phy::radio& radio = **opened;
  const auto carrier = told_carrier(o, radio.sample_rate_hz());
  if (!carrier) return usage_error(iq_program, carrier.error());
  if (o.start_s >= 0) {
    const std::int64_t tick = std::llround(o.start_s * radio.sample_rate_hz());
    const auto near = wait_until_near(radio, tick);
    if (!near) return run_error(iq_program, near.error());
    if (!*near) {
      log_info("stopped before --start: nothing was recorded");
      return exit_ok;
    }
    if (const auto s = radio.start(tick); !s) return run_error(iq_program, s.error());
  }
  result<record_report> done = fail("");
  {
    background_source ahead(radio);
    done =
        record(ahead, {o.out, o.type, o.description, radio.description(), *carrier, config.center_freq_hz}, o.limits);
  }
  radio.stop();
  // Before the first block is read nothing but the output can be wrong.
  if (!done) return usage_error(iq_program, done.error());
  const auto c = radio.counters();
  for (const auto& n : radio.notes()) log_info("{}", n);
  if (c.overflows + c.sequence_errors > 0)
    log_warning("{} overflows, {} losses on the way: {} samples are missing, each gap begins a new segment",
                c.overflows, c.sequence_errors, c.samples_lost);
  if (done->n_clipped > 0) log_warning("{} samples were clipped", done->n_clipped);
  const double seconds = static_cast<double>(done->n_samples) / radio.sample_rate_hz();
  if (done->failed) {
    char text[128];
    std::snprintf(text, sizeof text, " after %lld samples (%.3f s), which are kept",
                  static_cast<long long>(done->n_samples), seconds);
    return report(iq_program, o.out + ": " + done->why + text, exit_failure);
  }
  log_info("{} samples ({:.3f} s) in {} segments; ended by: {}", done->n_samples, seconds, done->n_segments, done->why);
  return exit_ok;
}

}  // namespace prose::apps
