// prose-iq record: from a radio into a recording.
#include <chrono>
#include <cmath>
#include <thread>

#include "apps/iq/background_source.h"
#include "apps/iq/commands.h"
#include "apps/lib/common/cli.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/radio_profile.h"
#include "apps/lib/common/stop.h"

namespace prose::apps {
namespace {
constexpr double near_s = 1.0;
}

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
  auto opened = phy::radio::open(config);
  if (!opened) return usage_error(iq_program, opened.error());
  phy::radio& radio = **opened;
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
    done = record(ahead, {o.out, o.type, o.description, radio.description(), config.center_freq_hz}, o.limits);
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
