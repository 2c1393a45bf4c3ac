// Transmission of a radio: what is late, what a band's limits allow, and handing bursts to the device.
#include <algorithm>
#include <uhd/exception.hpp>

#include "phy/radio/number.h"
#include "phy/radio/radio_impl.h"

namespace prose::phy {
namespace {

bool starts(burst_piece piece) { return piece == burst_piece::whole || piece == burst_piece::first; }

}  // namespace

// The first packet alone where somebody wants to know when the device has it.
result<void> radio::impl::send(std::span<const cf32> burst, uhd::tx_metadata_t md, const std::function<void()>& begun) {
  const double patience_s = config.transmit_timeout_s + static_cast<double>(burst.size()) / device_rate_hz;
  if (burst.empty()) tx->send(burst.data(), 0, md, patience_s);  // nothing but the end of the burst
  const bool ends = md.end_of_burst;
  for (std::size_t sent = 0; sent < burst.size();) {
    std::size_t n = burst.size() - sent;
    if (sent == 0 && begun) n = std::min(n, tx->get_max_num_samps());
    md.end_of_burst = ends && sent + n == burst.size();
    n = tx->send(burst.data() + sent, n, md, patience_s);
    if (n == 0) return gone("its transmit buffers stay full");
    if (sent == 0 && begun) begun();
    sent += n;
    md.start_of_burst = false;
    md.has_time_spec = false;
  }
  return {};
}

transmit_status radio::impl::drop_as_late(std::int64_t start_tick) {
  add_event(radio_event_kind::late, start_tick);
  return transmit_status::late;
}

bool radio::has_read_beyond(std::int64_t tick) const {
  return impl_->device_tick(tick) < impl_->read_up_to.load(std::memory_order_relaxed);
}

transmit_status radio::impl::admit_air_time(std::int64_t start_tick, std::size_t n_samples) {
  if (!duty) return transmit_status::sent;
  {
    const std::lock_guard lock(mutex);
    const auto n = static_cast<std::int64_t>(n_samples);
    admitted_to = start_tick + n;
    if (duty->take(start_tick, n)) return transmit_status::sent;
  }
  add_event(radio_event_kind::withheld, start_tick);
  return transmit_status::withheld;
}

transmit_status radio::admit(std::int64_t start_tick, std::size_t n_samples) {
  return has_read_beyond(start_tick) ? impl_->drop_as_late(start_tick) : impl_->admit_air_time(start_tick, n_samples);
}

result<transmit_status> radio::transmit(std::int64_t start_tick, std::span<const cf32> burst, burst_piece piece,
                                        const std::function<void()>& begun) {
  if (!impl_->tx) return fail("radio: opened for reception only");
  if (starts(piece)) {
    if (const auto s = admit(start_tick, burst.size()); s != transmit_status::sent) return s;
  } else if (impl_->admit_air_time(impl_->admitted_to, burst.size()) == transmit_status::withheld) {
    if (const auto ended = transmit_admitted(start_tick, {}, burst_piece::last); !ended) return ended;
    return transmit_status::withheld;
  }
  return transmit_admitted(start_tick, burst, piece, begun);
}

result<transmit_status> radio::transmit_admitted(std::int64_t start_tick, std::span<const cf32> burst,
                                                 burst_piece piece, const std::function<void()>& begun) {
  impl& i = *impl_;
  if (!i.tx) return fail("radio: opened for reception only");
  const bool ends = piece == burst_piece::whole || piece == burst_piece::last;
  if (i.tx_bridge && piece != burst_piece::whole)
    return fail("radio: a burst in pieces needs a device that gives sample_rate_hz itself");
  try {
    i.ask_priority(i.sender_asked_priority);
    i.drain_async();
    if (starts(piece) && has_read_beyond(start_tick)) return i.drop_as_late(start_tick);
    if (burst.empty() && piece != burst_piece::last) return transmit_status::sent;
    const std::int64_t at = i.device_tick(start_tick);
    if (i.tx_bridge) {
      i.tx_bridge->run_burst(burst, i.tx_samples);
      burst = i.tx_samples;
    }
    uhd::tx_metadata_t md;
    md.start_of_burst = starts(piece);
    md.end_of_burst = ends;
    md.has_time_spec = starts(piece);
    if (starts(piece)) md.time_spec = to_time(at, i.device_rate_hz);
    const double rate = i.config.sample_rate_hz;
    if (piece == burst_piece::whole) {
      const std::lock_guard lock(i.mutex);
      const auto length =
          static_cast<std::int64_t>(std::ceil(static_cast<double>(burst.size()) * rate / i.device_rate_hz));
      if (i.config.blank_own_bursts)
        i.own_bursts.emplace_back(start_tick, start_tick + length + std::llround(i.config.turnaround_s * rate));
    }
    if (const auto ok = i.send(burst, md, begun); !ok) return tl::unexpected(ok.error());
    const std::lock_guard lock(i.mutex);
    if (ends) ++i.counters.bursts_sent;
    return transmit_status::sent;
  } catch (const std::exception& e) {
    return i.gone(one_line(e.what()));
  }
}

std::string radio::duty_limit() const {
  if (!impl_->band || !(impl_->band->max_duty_cycle < 1.0)) return {};
  return "a duty cycle of " + number(impl_->band->max_duty_cycle) + " within " + number(impl_->band->window_s) +
         " s: " + impl_->band->name;
}

// Only within the band of the start: its duty cycle is being counted.
result<void> radio::impl::allows(double center_freq_hz, double tx_gain_db) const {
  transmit_limits own = config.limits;
  if (band) own.bands = {*band};
  if (const auto ok = own.band_for(center_freq_hz, occupied_hz(config), tx_gain_db); !ok)
    return tl::unexpected(ok.error());
  return {};
}

}  // namespace prose::phy
