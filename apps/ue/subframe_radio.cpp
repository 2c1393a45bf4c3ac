#include "apps/ue/subframe_radio.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <variant>

#include "apps/lib/common/log.h"
#include "apps/lib/common/radio_profile.h"
#include "common/bits.h"

namespace prose::apps {
namespace {
constexpr std::int64_t start_ahead_subframes = 200;  // a busy host must not miss the start of its own reception
// For the search: samples before the subframe in hand, moved to the front only when it is worth while. Without a search
// nothing is kept, so that the same few pages of memory are used again and stay in the cache.
constexpr std::int64_t kept_subframes = 2;
constexpr std::int64_t kept_too_long_subframes = 4;
}  // namespace

// --- opening and starting -------------------------------------------------------------------------------------------

result<void> subframe_radio::open_log(const std::string& path) {
  if (path.empty()) return {};
  auto log = event_writer::open(path, "--tx-log");
  if (!log) return tl::unexpected(log.error());
  sent_log_ = std::move(*log);
  return {};
}

result<void> subframe_radio::make_modem() {
  const auto& c = config_;
  auto modem = frame_modem::make(
      {c.ue, c.radio.sample_rate_hz, c.radio.n_rx_antennas, c.tx_power_db, c.rsrp_offset_db, c.cp, c.other_pools});
  if (!modem) return fail("carrier: " + modem.error().message);
  modem_ = std::move(*modem);
  if (c.ue.sync.mode != mac::time_mode::slss) return {};
  auto search = phy::slss_search::make({.carrier = modem_->carrier(), .n_antennas = c.radio.n_rx_antennas});
  if (!search) return tl::unexpected(search.error());
  search_.emplace(std::move(*search));
  return {};
}

result<void> subframe_radio::open_device() {
  auto config = config_.radio;
  wait_as_a_program(config);
  auto radio = phy::radio::open(config);
  if (!radio) return tl::unexpected(radio.error());
  device_ = std::move(*radio);
  watch_.emplace(config_.radio.device_args, "", device_->sample_rate_hz());
  return {};
}

result<void> subframe_radio::start() {
  const int per_subframe = modem_->carrier().samples_per_subframe();
  clock_.set_carrier(per_subframe, modem_->carrier().sample_rate_hz());
  subframe_samples_ = per_subframe;
  const auto now = device_->now_tick();
  if (!now) return tl::unexpected(now.error());
  const auto started = device_->start((*now / per_subframe + start_ahead_subframes) * per_subframe);
  if (!started) return tl::unexpected(started.error());
  clock_.start_at((*started + per_subframe - 1) / per_subframe);
  stream_.assign(device_->n_antennas(), {});
  stream_start_ = *started;
  stream_length_ = 0;
  block_views_.resize(device_->n_antennas());
  burst_.resize(subframe_samples_);
  sender_ = std::make_unique<phy::burst_sender>(*device_, subframe_samples_);
  return {};
}

void subframe_radio::stop() {
  watch_->end();
  if (sender_) static_cast<void>(sender_->finish());  // the program ends anyway
  sender_.reset();
  device_->stop();
}

// --- reception ------------------------------------------------------------------------------------------------------

result<bool> subframe_radio::read() {
  if (auto ok = sender_->wait_until_begun(); !ok) return tl::unexpected(ok.error());
  // Behind the samples that are there: no copy, unless some are missing between.
  for (std::size_t a = 0; a < stream_.size(); ++a) {
    if (stream_[a].size() < stream_length_ + subframe_samples_) stream_[a].resize(stream_length_ + subframe_samples_);
    block_views_[a] = std::span(stream_[a]).subspan(stream_length_, subframe_samples_);
  }
  const auto status = device_->read(block_views_);
  if (!status) return tl::unexpected(status.error());
  if (status->end) return false;
  time_jump_ = status->time_jump;
  if (time_jump_ != 0) clock_.follow_jump(by_device_time() ? renumbered() * clock_.samples_per_subframe() : time_jump_);
  const bool follows = status->first_tick == stream_end();
  for (std::size_t a = 0; a < stream_.size(); ++a) {
    const auto got = block_views_[a].first(status->n_samples);
    watch_->add(got);
    if (!follows) std::copy(got.begin(), got.end(), stream_[a].begin());
  }
  if (!follows) {
    stream_start_ = status->first_tick;
    stream_length_ = 0;
  }
  stream_length_ += status->n_samples;
  return true;
}

bool subframe_radio::by_device_time() const { return config_.ue.sync.mode == mac::time_mode::gnss; }

std::int64_t subframe_radio::renumbered() const {
  if (!by_device_time()) return 0;
  const std::int64_t length = clock_.samples_per_subframe();
  return time_jump_ / length - (time_jump_ % length < 0 ? 1 : 0);  // what remains is a gap, not an overlap
}

bool subframe_radio::has(std::int64_t subframe) const { return clock_.first_tick(subframe + 1) <= stream_end(); }

/// Views of `length` ticks from `first_tick` on; where part of them is missing a copy with zeros.
subframe_radio::antenna_views subframe_radio::window(std::int64_t first_tick, std::size_t length,
                                                     antenna_samples& copy) const {
  antenna_views views;
  copy.clear();
  const std::int64_t from = first_tick - stream_start_;
  for (const auto& a : stream_) {
    if (from >= 0 && first_tick + static_cast<std::int64_t>(length) <= stream_end()) {
      views.emplace_back(a.data() + from, length);
      continue;
    }
    copy.emplace_back(length);
    for (std::size_t i = 0; i < length; ++i) {
      const std::int64_t k = from + static_cast<std::int64_t>(i);
      if (k >= 0 && k < static_cast<std::int64_t>(stream_length_)) copy.back()[i] = a[k];
    }
    views.emplace_back(copy.back());
  }
  return views;
}

std::vector<mac::received_frame> subframe_radio::receive(std::int64_t subframe, mac::ue& u) {
  const auto& sync = u.sync();
  const bool timed = sync.has_timing();
  const bool scan = search_ && sync.searches(subframe);
  std::vector<mac::received_frame> frames, searched;
  if (scan) searched = search_slss(subframe);
  if (timed) {
    const bool slss = search_ && sync.is_slss_subframe(subframe) && !scan;
    antenna_samples copy;
    const auto views = window(clock_.first_tick(subframe), subframe_samples_, copy);
    const auto heard = modem_->receive({subframe, sync.dfn_subframe(subframe), slss, u.transmits_in(subframe)}, views,
                                       [&](std::uint8_t lsb) { return u.addressed(lsb); });
    frames.assign(heard.begin(), heard.end());
  }
  frames.insert(frames.end(), searched.begin(), searched.end());
  return frames;
}

/// SLSS of any timing whose subframe starts in the one before `subframe`.
std::vector<mac::received_frame> subframe_radio::search_slss(std::int64_t subframe) {
  std::vector<mac::received_frame> found;
  const std::int64_t first = clock_.first_tick(subframe - 1);
  antenna_samples copy;
  const auto candidates = search_->search(window(first, search_->window_samples(), copy));
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto& c = candidates[i];
    const auto better = candidates.first(i);
    const auto is_echo = [&](const auto& b) { return b.n_sl_id == c.n_sl_id; };
    if (std::any_of(better.begin(), better.end(), is_echo)) continue;
    receive_slss(subframe - 1, first, std::llround(c.start_samples), found);
  }
  return found;
}

/// SLSS and PSBCH that start `start` samples behind the first tick of `subframe`.
void subframe_radio::receive_slss(std::int64_t subframe, std::int64_t first_tick, std::int64_t start,
                                  std::vector<mac::received_frame>& found) {
  antenna_samples copy;
  const auto views = window(first_tick + start, subframe_samples_, copy);
  const double length = clock_.samples_per_subframe();
  for (auto f : modem_->receive({subframe, -1, true, false}, views, [](std::uint8_t) { return false; })) {
    auto* s = std::get_if<mac::rx_slss>(&f.content);
    if (s == nullptr) continue;
    double offset = s->heard.timing_offset_samples + static_cast<double>(start);
    if (offset > length / 2.0) {
      offset -= length;
      ++f.subframe;
      ++s->heard.local_subframe;
    }
    s->heard.timing_offset_samples = offset;
    found.push_back(f);
  }
}

void subframe_radio::forget_old() {
  const std::int64_t keep_from = clock_.first_tick(clock_.subframe() - (search_ ? kept_subframes : 0));
  const std::int64_t too_long = search_ ? kept_too_long_subframes * clock_.samples_per_subframe() : 0;
  if (keep_from <= stream_start_ + too_long) return;
  const auto n = std::min<std::int64_t>(keep_from - stream_start_, static_cast<std::int64_t>(stream_length_));
  for (auto& a : stream_) std::copy(a.begin() + n, a.begin() + static_cast<std::ptrdiff_t>(stream_length_), a.begin());
  stream_start_ += n;
  stream_length_ -= static_cast<std::size_t>(n);
}

void subframe_radio::log_device_events() {
  while (const auto e = device_->poll_event()) {
    if (e->kind == phy::radio_event_kind::overflow) log_debug("overflow");
    if (e->kind == phy::radio_event_kind::late) log_debug("late burst");
    if (e->kind == phy::radio_event_kind::withheld && !std::exchange(withheld_told_, true))
      log_warning("transmissions are withheld: {}", device_->duty_limit());
    if (e->kind == phy::radio_event_kind::restart) log_warning("reception had stopped and began again");
  }
}

// --- transmission ---------------------------------------------------------------------------------------------------

result<void> subframe_radio::transmit(std::span<const mac::subframe_transmission> transmissions) {
  for (const auto& t : transmissions) {
    if (auto ok = modem_->transmit(t, burst_); !ok) return fail("transmission: " + ok.error().message);
    const auto sent = sender_->send(clock_.first_tick(t.subframe), burst_);
    if (!sent) return tl::unexpected(sent.error());
    if (*sent == phy::transmit_status::sent && sent_log_) log_sent(t);
  }
  return {};
}

/// Nothing but what anybody hears: no keys, no peers' names.
void subframe_radio::log_sent(const mac::subframe_transmission& t) {
  if (t.slss) {
    std::array<std::uint8_t, 48> bits{};
    std::array<std::uint8_t, 6> octets{};
    const std::size_t n = phy::mib_sl_bits(config_.ue.tm);
    phy::pack(t.slss->mib, std::span(bits).first(n));
    pack_bits(std::span(bits).first(n), std::span(octets).first(n / 8));
    // The middle 72 subcarriers; with an odd number of PRBs they touch seven.
    log_channel(t, "PSBCH", config_.ue.n_prb / 2 - 3, 6 + config_.ue.n_prb % 2, std::span(octets).first(n / 8),
                t.slss->n_sl_id);
  }
  if (t.pscch) log_channel(t, "PSCCH", t.pscch->config.prb, phy::is_v2x(config_.ue.tm) ? 2 : 1, {});
  if (t.pssch) log_channel(t, "PSSCH", t.pssch->config.prb_start, t.pssch->config.n_prb, *t.pssch->block);
  if (t.psdch) log_channel(t, "PSDCH", t.psdch->config.prb, 2, t.psdch->message);
}

void subframe_radio::log_channel(const mac::subframe_transmission& t, const char* channel, int prb, int n_prb,
                                 std::span<const std::uint8_t> octets, std::optional<int> n_sl_id) {
  event e("sent", clock_.seconds_at(t.subframe));
  e.add("channel", channel)
      .add("subframe", t.subframe)
      .add("absolute_subframe", t.absolute_subframe)
      .add("prb", prb)
      .add("n_prb", n_prb);
  if (!octets.empty()) e.add_hex("hex", octets);
  if (n_sl_id) e.add("n_sl_id", *n_sl_id);
  sent_log_.write(e);
}

}  // namespace prose::apps
