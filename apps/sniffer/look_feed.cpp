#include "apps/sniffer/look_feed.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "apps/lib/capture/frame_words.h"
#include "apps/lib/common/events.h"
#include "apps/lib/listen/symbol_error.h"
#include "apps/sniffer/png.h"

namespace prose::apps {
namespace {

constexpr auto line_interval = std::chrono::milliseconds(34);     // 30 a second at most
constexpr auto points_interval = std::chrono::milliseconds(100);  // of a channel
constexpr std::size_t most_rows = 64;                             // in a line
constexpr std::size_t most_points = 200;                          // in a line
constexpr std::size_t transformed_samples = 1024;                 // of a block, which is a subframe at most

const char* name_of_modulation(int order) { return order == 6 ? "64QAM" : order == 4 ? "16QAM" : "QPSK"; }

double evm(std::span<const phy::cf32> points, int modulation_order) {
  double sum = 0;
  for (const auto& p : points) sum += symbol_error(p, modulation_order);
  return std::sqrt(sum / static_cast<double>(points.size()));
}

std::string hello_of(const phy::carrier_config& c, std::optional<double> frequency_hz) {
  json_object carrier;
  carrier.add("prb", c.n_prb).add("tm", static_cast<int>(c.tm));
  carrier.add("cp", c.cp == phy::cyclic_prefix::normal ? "normal" : "extended");
  json_object o;
  o.add("look", "hello").add("carrier", carrier).add("rate", c.sample_rate_hz());
  if (frequency_hz)
    o.add("frequency", *frequency_hz);
  else
    o.add_null("frequency");
  return o.add("bins", look_feed::n_bins).add("row_s", look_feed::row_s).text();
}

}  // namespace

look_feed::look_feed(look_readers readers, const phy::carrier_config& carrier, std::optional<double> frequency_hz)
    : readers_(std::move(readers)),
      rate_hz_(carrier.sample_rate_hz()),
      row_samples_(std::llround(row_s * rate_hz_)),
      hello_(hello_of(carrier, frequency_hz)) {
  rows_.reserve(most_rows * n_bins);
  for (auto& c : channels_) c.points.reserve(most_points);
}

result<std::unique_ptr<look_feed>> look_feed::open(const std::string& path, const phy::carrier_config& carrier,
                                                   std::optional<double> frequency_hz) {
  auto readers = look_readers::open(path);
  if (!readers) return tl::unexpected(readers.error());
  return std::unique_ptr<look_feed>(new look_feed(std::move(*readers), carrier, frequency_hz));
}

capture_observer look_feed::observer() {
  capture_observer o;
  o.frame = [this](const phy::monitor_event& e, const captured_frame& f) {
    if (readers_.any()) add(e, f);
    return true;
  };
  o.samples = [this](auto samples, std::int64_t tick, bool gap) {
    if (readers_.any()) add(samples[0], tick, gap);
    look_after(clock::now());
    return true;
  };
  return o;
}

void look_feed::add(std::span<const phy::cf32> samples, std::int64_t first_tick, bool gap_before) {
  if (gap_before) {
    if (!rows_.empty()) tell_rows();
    spectrum_.clear();
    in_row_ = 0;
    row_has_samples_ = false;
  }
  if (rows_.empty() && in_row_ == 0) rows_tick_ = first_tick;
  const auto part = samples.first(std::min(samples.size(), transformed_samples));
  if (std::all_of(part.begin(), part.end(), [](const phy::cf32& v) { return std::norm(v) < 1e20F; })) {
    spectrum_.write(part);
    row_has_samples_ = true;
  }
  in_row_ += static_cast<std::int64_t>(samples.size());
  if (in_row_ >= row_samples_) end_row(first_tick + static_cast<std::int64_t>(samples.size()));
}

void look_feed::end_row(std::int64_t next_tick) {
  if (row_has_samples_)
    spectrum_.psd_db(psd_);
  else
    std::fill(psd_.begin(), psd_.end(), -120.0F);
  spectrum_.clear();
  in_row_ = 0;
  row_has_samples_ = false;
  // Faster than real time there are more rows than are told: the latest are.
  if (rows_.size() >= most_rows * n_bins) {
    rows_.clear();
    rows_tick_ = next_tick - row_samples_;
  }
  for (const float db : psd_) {
    const float level = std::isfinite(db) ? (db + 120) * (255.0F / 120) : 0.0F;
    rows_.push_back(static_cast<std::uint8_t>(std::lround(std::clamp(level, 0.0F, 255.0F))));
  }
}

void look_feed::add(const phy::monitor_event& e, const captured_frame& f) {
  if (!f.crc_ok) return;
  auto& c = channels_[e.index()];
  const int order = f.kind == frame_kind::sl_sch ? f.modulation_order : 2;
  if (c.modulation_order != order) c.points.clear();
  c.modulation_order = order;
  c.t_s = f.time_s;
  for (const auto& s : std::visit([](const auto& event) { return event.rx.symbols; }, e))
    if (std::norm(s) > 0 && c.points.size() < most_points) c.points.push_back(s);
}

void look_feed::tell_rows() {
  json_object o;
  o.add("look", "waterfall").add_fixed("t", static_cast<double>(rows_tick_) / rate_hz_, 6).add("rows", base64(rows_));
  readers_.tell(o.text());
  rows_.clear();
}

void look_feed::tell_points(std::size_t channel, clock::time_point now) {
  auto& c = channels_[channel];
  if (c.points.empty() || now - c.told < points_interval) return;
  static constexpr std::array kinds{frame_kind::mib_sl, frame_kind::sci, frame_kind::sl_sch, frame_kind::discovery};
  std::vector<std::uint8_t> octets;
  for (const auto& p : c.points)
    for (const float v : {p.real(), p.imag()})
      octets.push_back(
          static_cast<std::uint8_t>(static_cast<std::int8_t>(std::lround(std::clamp(v * 32, -127.0F, 127.0F)))));
  json_object o;
  o.add("look", "points").add_fixed("t", c.t_s, 6).add("channel", channel_of(kinds[channel]));
  o.add_fixed("evm", evm(c.points, c.modulation_order), 4)
      .add("modulation", name_of_modulation(c.modulation_order))
      .add("iq", base64(octets));
  readers_.tell(o.text());
  c.points.clear();
  c.told = now;
}

/// Every 34 ms, whatever the speed: readers that come and go, and what there is to tell.
void look_feed::look_after(clock::time_point now) {
  if (now - served_ < line_interval) return;
  served_ = now;
  const bool before = readers_.any();
  readers_.serve(hello_);
  if (!before) {
    // The first reader has come, or there is none: what is here is old.
    rows_.clear();
    spectrum_.clear();
    in_row_ = 0;
    row_has_samples_ = false;
    for (auto& c : channels_) c.points.clear();
    return;
  }
  if (!rows_.empty()) tell_rows();
  for (std::size_t i = 0; i < channels_.size(); ++i) tell_points(i, now);
}

}  // namespace prose::apps
