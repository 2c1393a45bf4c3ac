#include "apps/iq/constellation.h"

#include <variant>

#include "apps/lib/common/events.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/listen/sync_search.h"

namespace prose::apps {
namespace {
constexpr std::size_t most_points = 20000;  // of a channel: more are a blot
}

result<constellation> constellation_of(const std::string& recording, double told_rate_hz, const scene& known,
                                       std::optional<listen_sync> sync, double from_s, double to_s) {
  auto reader = phy::sigmf_reader::open(recording, {.rate_hz = told_rate_hz});
  if (!reader) return tl::unexpected(reader.error());
  const double rate_hz = (*reader)->sample_rate_hz();
  capture_options options;
  options.sync = sync.value_or(listen_sync::slss);
  options.duration_s = to_s;
  options.stop = &stop_requested;
  options.tell_odd_samples = false;  // the picture's own reading did
  std::string assumed;
  auto made = capture::make(std::make_unique<file_source>(std::move(*reader), 1), known, std::move(options), assumed);
  if (!made) return tl::unexpected(made.error());
  if (!assumed.empty()) log_info("not told, so assumed: {}", assumed);
  constellation c;
  c.hint = what_to_try(recording, made->carrier(), sync);
  const auto keep = [&](const phy::monitor_event& e, const captured_frame& f) {
    if (static_cast<double>(f.sample) < from_s * rate_hz) return true;
    ++c.n_frames;
    auto& points = c.channels[e.index()].points;  // the variant's order is that of the channels
    for (const auto& s : std::visit([](const auto& event) { return event.rx.symbols; }, e))
      if (std::norm(s) > 0 && points.size() < most_points) points.push_back(s);
    return true;
  };
  static_assert(std::is_same_v<std::variant_alternative_t<2, phy::monitor_event>, phy::tb_event>);
  event_writer nowhere;
  if (const auto done = made->run(nowhere, {{keep}}); !done) return tl::unexpected(done.error());
  return c;
}

}  // namespace prose::apps
