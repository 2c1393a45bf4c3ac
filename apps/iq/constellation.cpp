#include "apps/iq/constellation.h"

#include <algorithm>
#include <cmath>
#include <variant>

#include "apps/lib/capture/frame_words.h"
#include "apps/lib/common/events.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/listen/symbol_error.h"
#include "apps/lib/listen/sync_search.h"

namespace prose::apps {
namespace {
constexpr std::size_t most_points = 3000;   // of a channel: more are a blot, and each costs 15 us to draw
constexpr std::size_t most_bursts = 20000;  // narrower than a pixel long before

burst burst_of(const captured_frame& f, const phy::carrier_config& carrier, double rate_hz) {
  burst b;
  b.start_s = static_cast<double>(f.sample) / rate_hz;
  b.end_s = b.start_s + 1e-3;
  const double width_hz = f.n_prb * phy::subcarriers_per_prb * phy::subcarrier_spacing_hz;
  const double carrier_hz = carrier.n_subcarriers() * phy::subcarrier_spacing_hz;
  // PSBCH and SLSS lie around the centre.
  b.low_hz = f.kind == frame_kind::mib_sl
                 ? -width_hz / 2
                 : f.prb_start * phy::subcarriers_per_prb * phy::subcarrier_spacing_hz - carrier_hz / 2;
  b.high_hz = b.low_hz + width_hz;
  b.label = channel_of(f.kind);
  if (const auto name = who(f); !name.empty()) b.label += ' ' + name;
  return b;
}
}  // namespace

result<constellation> constellation_of(std::shared_ptr<phy::sigmf_reader> recording, const scene& known,
                                       std::optional<listen_sync> sync, double from_s, double to_s) {
  if (auto ok = recording->seek(0); !ok) return tl::unexpected(ok.error());
  const double rate_hz = recording->sample_rate_hz();
  const std::string path = recording->meta_path();
  capture_options options;
  options.sync = sync.value_or(listen_sync::slss);
  options.duration_s = to_s;
  options.stop = &stop_requested;
  options.tell_odd_samples = false;  // the picture's own reading did
  std::string assumed;
  auto made = capture::make(std::make_unique<file_source>(std::move(recording), 1), known, std::move(options), assumed);
  if (!made) return tl::unexpected(made.error());
  if (!assumed.empty()) log_info("not told, so assumed: {}", assumed);
  constellation c;
  c.hint = what_to_try(path, made->carrier(), sync);
  const auto keep = [&](const phy::monitor_event& e, const captured_frame& f) {
    if (static_cast<double>(f.sample) < from_s * rate_hz) return true;
    ++c.n_frames;
    auto& channel = c.channels[e.index()];  // the variant's order is that of the channels
    const int bits = f.kind == frame_kind::sl_sch ? f.modulation_order : 2;
    for (const auto& s : std::visit([](const auto& event) { return event.rx.symbols; }, e)) {
      if (!(std::norm(s) > 0)) continue;
      channel.error += symbol_error(s, bits);
      ++channel.n;
      if (channel.points.size() < most_points) channel.points.push_back(s);
    }
    if (f.crc_ok && c.bursts.size() < most_bursts) {
      c.bursts.push_back(burst_of(f, made->carrier(), rate_hz));
      c.bursts.back().channel = e.index();
    }
    return true;
  };
  static_assert(std::is_same_v<std::variant_alternative_t<2, phy::monitor_event>, phy::tb_event>);
  event_writer nowhere;
  if (const auto done = made->run(nowhere, {{keep}}); !done) return tl::unexpected(done.error());
  return c;
}

}  // namespace prose::apps
