#include "apps/sniffer/frame_annotations.h"

#include <algorithm>
#include <cstdio>
#include <span>

#include "apps/lib/capture/frame_words.h"
#include "common/hex.h"

namespace prose::apps {
namespace {
constexpr std::size_t shown_octets = 32;

std::string label_of(const captured_frame& f) {
  const std::string channel = channel_of(f.kind);
  if (!f.crc_ok) return channel + " failed";
  switch (f.kind) {
    case frame_kind::mib_sl:
      return channel + " " + std::to_string(f.n_sl_id);
    case frame_kind::sci:
      return channel + " SCI " + std::to_string(f.sci.index());
    case frame_kind::sl_sch:
      return channel + " MCS " + std::to_string(f.mcs);
    case frame_kind::discovery:
      break;
  }
  return channel;
}

std::string comment_of(const captured_frame& f) {
  char t[160];
  std::snprintf(t, sizeof t, "%.1f dB SNR, %.0f Hz CFO, %.1f samples late", f.snr_db, f.cfo_hz,
                f.timing_offset_samples);
  std::string out = t;
  if (f.absolute_subframe >= 0)
    out +=
        ", DFN " + std::to_string(f.absolute_subframe / 10) + " subframe " + std::to_string(f.absolute_subframe % 10);
  if (f.kind != frame_kind::mib_sl)
    out += ", PRB " + std::to_string(f.prb_start) + " to " + std::to_string(f.prb_start + f.n_prb - 1);
  if (f.kind == frame_kind::sl_sch) out += ", TBS " + std::to_string(f.tbs) + ", RV " + std::to_string(f.rv);
  if (f.n_transmissions > 1) out += ", of " + std::to_string(f.n_transmissions) + " transmissions";
  if (f.repetition) out += ", repetition";
  if (f.kind == frame_kind::sl_sch)
    if (const auto name = who(f); !name.empty()) out += ", " + name;
  if (f.octets.empty()) return out;
  out += ": " + to_hex(std::span(f.octets).first(std::min(f.octets.size(), shown_octets)));
  if (f.octets.size() > shown_octets) out += ".. (" + std::to_string(f.octets.size()) + " octets)";
  return out;
}
}  // namespace

void frame_annotations::add(const captured_frame& f) {
  if (kept_.size() >= most) {
    ++n_left_out_;
    return;
  }
  // PSBCH and SLSS lie around the centre, between resource blocks where their number is odd.
  const int first = f.kind == frame_kind::mib_sl ? (carrier_.n_subcarriers() - f.n_prb * phy::subcarriers_per_prb) / 2
                                                 : f.prb_start * phy::subcarriers_per_prb;
  // A subframe may begin before the recording.
  const double centre_hz = phy::frequency_at(captures_, std::max<std::int64_t>(f.sample, 0)).value_or(0);
  const auto edge_hz = [&](int subcarrier) {
    const double highest = carrier_.sample_rate_hz() / 2;
    return centre_hz +
           std::clamp((subcarrier - carrier_.n_subcarriers() / 2) * phy::subcarrier_spacing_hz, -highest, highest);
  };
  kept_.push_back({f.sample, carrier_.samples_per_subframe(), edge_hz(first),
                   edge_hz(first + f.n_prb * phy::subcarriers_per_prb), label_of(f), comment_of(f),
                   annotations_generator});
}

}  // namespace prose::apps
