#include "phy/radio/radio.h"

#include <cmath>
#include <uhd/exception.hpp>
#include <uhd/utils/thread.hpp>

#include "phy/radio/number.h"
#include "phy/radio/radio_impl.h"
#include "phy/radio/uhd_errors.h"

namespace prose::phy {
namespace {

constexpr std::chrono::seconds cause_before{5};  // errors that UHD logged so long before a failure are told with it
constexpr std::size_t most_events = 4096;

}  // namespace

std::int64_t to_ticks(const uhd::time_spec_t& t, double rate_hz) {
  const double whole = std::floor(rate_hz);
  const auto full = static_cast<std::int64_t>(t.get_full_secs());
  return full * static_cast<std::int64_t>(whole) +
         std::llround(static_cast<double>(full) * (rate_hz - whole) + t.get_frac_secs() * rate_hz);
}

uhd::time_spec_t to_time(std::int64_t ticks, double rate_hz) { return uhd::time_spec_t::from_ticks(ticks, rate_hz); }

void radio::impl::add_event(radio_event_kind kind, std::int64_t tick) {
  const std::lock_guard lock(mutex);
  switch (kind) {
    case radio_event_kind::overflow:
      ++counters.overflows;
      break;
    case radio_event_kind::underflow:
      ++counters.underflows;
      break;
    case radio_event_kind::late:
      ++counters.lates;
      break;
    case radio_event_kind::sequence_error:
      ++counters.sequence_errors;
      break;
    case radio_event_kind::burst_done:
      ++counters.bursts_done;
      break;
    case radio_event_kind::restart:
      ++counters.restarts;
      break;
    case radio_event_kind::withheld:
      ++counters.withheld;
      break;
  }
  if (events.size() == most_events) events.pop_front();
  events.push_back({kind, tick});
}

void radio::impl::drain_async() {
  using md_t = uhd::async_metadata_t;
  md_t md;
  while (tx && tx->recv_async_msg(md, 0.0)) {
    const std::int64_t tick = md.has_time_spec ? user_tick(md.time_spec) : -1;
    switch (md.event_code) {
      case md_t::EVENT_CODE_BURST_ACK:
        add_event(radio_event_kind::burst_done, tick);
        break;
      case md_t::EVENT_CODE_UNDERFLOW:
      case md_t::EVENT_CODE_UNDERFLOW_IN_PACKET:
        add_event(radio_event_kind::underflow, tick);
        break;
      case md_t::EVENT_CODE_TIME_ERROR:
        add_event(radio_event_kind::late, tick);
        break;
      case md_t::EVENT_CODE_SEQ_ERROR:
      case md_t::EVENT_CODE_SEQ_ERROR_IN_BURST:
        add_event(radio_event_kind::sequence_error, tick);
        break;
      default:
        break;
    }
  }
}

void radio::impl::ask_priority(bool& asked) {
  if (asked || !config.realtime_priority) return;
  asked = true;
  try {
    uhd::set_thread_priority(1.0F, true);
  } catch (const std::exception&) {
    if (config.tell) config.tell("no right to real-time priority: carrying on without");
  }
}

tl::unexpected<error> radio::impl::failed(const std::string& what) const {
  return fail(uhd_errors(cause_before).with_cause("device '" + config.device_args + "': " + what));
}

tl::unexpected<error> radio::impl::gone(const std::string& what) {
  dead = true;
  return failed(what);
}

radio::radio() : impl_(std::make_unique<impl>()) {}
// UHD waits up to 20 s for a device that is gone. Nothing is left to be closed there.
radio::~radio() {
  if (impl_ && impl_->telling != 0) stop_telling_uhd_errors(impl_->telling);
  if (impl_ && impl_->dead) {
    static auto* const left_open = new std::vector<std::shared_ptr<void>>;
    left_open->insert(left_open->end(), {impl_->usrp, impl_->rx, impl_->tx});
    return;
  }
  stop();
}

result<void> radio::check(const radio_config& config) {
  if (auto ok = check_settings(config); !ok) return ok;
  if (config.device_rate_hz > 0.0 && config.device_rate_hz != config.sample_rate_hz)
    if (auto b = rate_bridge::make(config.device_rate_hz, config.sample_rate_hz); !b) return tl::unexpected(b.error());
  return {};
}

result<std::unique_ptr<radio>> radio::open(const radio_config& config) {
  auto device = open_device(config);
  if (!device) return tl::unexpected(device.error());
  std::unique_ptr<radio> r(new radio);
  impl& i = *r->impl_;
  i.config = config;
  i.usrp = device->usrp;
  i.device_rate_hz = device->rate_hz;
  i.description = device->description;
  i.notes = device->notes;
  if (config.warn) i.telling = tell_uhd_errors([warn = config.warn](const std::string& text) { warn("UHD: " + text); });
  if (config.transmits) {
    i.band = *config.limits.band_for(config.center_freq_hz, occupied_hz(config), config.tx_gain_db);
    if (i.band && i.band->max_duty_cycle < 1.0)
      i.duty.emplace(i.band->max_duty_cycle, i.band->window_s, config.sample_rate_hz);
  }
  if (config.device_rate_hz > 0.0 && config.device_rate_hz != config.sample_rate_hz) {
    for (int a = 0; a < config.n_rx_antennas; ++a) {
      auto b = rate_bridge::make(config.device_rate_hz, config.sample_rate_hz);
      if (!b) return tl::unexpected(b.error());
      i.rx_bridges.push_back(std::move(*b));
    }
    auto b = rate_bridge::make(config.sample_rate_hz, config.device_rate_hz);
    if (!b) return tl::unexpected(b.error());
    i.tx_bridge = std::move(*b);
  }
  try {
    uhd::stream_args_t rx_args("fc32", "sc16");
    for (int a = 0; a < config.n_rx_antennas; ++a) rx_args.channels.push_back(static_cast<std::size_t>(a));
    i.rx = i.usrp->get_rx_stream(rx_args);
    if (config.transmits) {
      uhd::stream_args_t tx_args("fc32", "sc16");
      tx_args.args["underflow_policy"] = "next_burst";  // what is late or torn stays unsent
      i.tx = i.usrp->get_tx_stream(tx_args);
    }
  } catch (const std::exception& e) {
    return fail("device '" + config.device_args + "': " + one_line(e.what()));
  }
  return r;
}

result<std::int64_t> radio::start(std::optional<std::int64_t> at_tick) {
  try {
    impl_->resumes = -1;
    impl_->jump = 0;
    return impl_->begin(at_tick);
  } catch (const std::exception& e) {
    return fail("device '" + impl_->config.device_args + "': " + one_line(e.what()));
  }
}

void radio::stop() {
  if (!impl_ || !impl_->started || impl_->dead) return;
  impl_->started = false;
  impl_->resumes = -1;  // what is missing until the next start is no gap
  impl_->jump = 0;
  try {
    impl_->rx->issue_stream_cmd(uhd::stream_cmd_t(uhd::stream_cmd_t::STREAM_MODE_STOP_CONTINUOUS));
  } catch (const std::exception&) {
    // The device is gone: there is nothing left to stop.
  }
}

double radio::sample_rate_hz() const { return impl_->config.sample_rate_hz; }
int radio::n_antennas() const { return impl_->config.n_rx_antennas; }

result<read_status> radio::read(std::span<const std::span<cf32>> out) {
  try {
    return impl_->read(out);
  } catch (const std::exception& e) {
    return impl_->gone(one_line(e.what()));
  }
}

result<read_status> radio::read(std::span<cf32> out) { return read(std::span<const std::span<cf32>>(&out, 1)); }

result<std::int64_t> radio::now_tick() const {
  try {
    return impl_->user_tick(impl_->usrp->get_time_now());
  } catch (const std::exception& e) {
    return fail("device '" + impl_->config.device_args + "': " + one_line(e.what()));
  }
}

std::optional<radio_event> radio::poll_event() {
  impl_->drain_async();
  const std::lock_guard lock(impl_->mutex);
  if (impl_->events.empty()) return std::nullopt;
  const radio_event e = impl_->events.front();
  impl_->events.pop_front();
  return e;
}

radio_counters radio::counters() const {
  impl_->drain_async();
  const std::lock_guard lock(impl_->mutex);
  return impl_->counters;
}

result<double> radio::set_rx_gain_db(double gain_db) {
  try {
    for (int a = 0; a < impl_->config.n_rx_antennas; ++a)
      impl_->usrp->set_rx_gain(gain_db, static_cast<std::size_t>(a));
    return impl_->usrp->get_rx_gain();
  } catch (const std::exception& e) {
    return fail(one_line(e.what()));
  }
}

result<double> radio::set_tx_gain_db(double gain_db) {
  impl& i = *impl_;
  if (!i.tx) return fail("radio: opened for reception only");
  try {
    if (const auto ok = i.allows(i.usrp->get_tx_freq(), gain_db); !ok) return tl::unexpected(ok.error());
    const double before_db = i.usrp->get_tx_gain();
    i.usrp->set_tx_gain(gain_db);
    const double got_db = i.usrp->get_tx_gain();
    if (const auto ok = i.allows(i.usrp->get_tx_freq(), got_db); !ok) {
      i.usrp->set_tx_gain(before_db);
      return tl::unexpected(ok.error());
    }
    return got_db;
  } catch (const std::exception& e) {
    return fail(one_line(e.what()));
  }
}

result<double> radio::set_center_freq_hz(double freq_hz) {
  impl& i = *impl_;
  // What keeps it from being there; empty when all is there.
  const auto tune = [&i](double hz) -> std::string {
    try {
      for (int a = 0; a < i.config.n_rx_antennas; ++a)
        i.usrp->set_rx_freq(uhd::tune_request_t(hz), static_cast<std::size_t>(a));
      if (i.tx) i.usrp->set_tx_freq(uhd::tune_request_t(hz));
      for (const double got : {i.usrp->get_rx_freq(), i.tx ? i.usrp->get_tx_freq() : hz})
        if (!(std::abs(got - hz) <= tune_tolerance_hz)) return "the device tunes to " + number(got) + " Hz";
      return {};
    } catch (const std::exception& e) {
      return one_line(e.what());
    }
  };
  try {
    if (i.tx)
      if (const auto ok = i.allows(freq_hz, i.usrp->get_tx_gain()); !ok) return tl::unexpected(ok.error());
    const double before_hz = i.usrp->get_rx_freq();
    const auto why = tune(freq_hz);
    if (why.empty()) return i.usrp->get_rx_freq();
    const auto refused = "center_freq_hz " + number(freq_hz) + ": " + why;
    // What is heard and sent on another frequency would pass for that of the channel.
    if (const auto back = tune(before_hz); !back.empty()) return i.gone(refused + "; and not back: " + back);
    return fail(refused);
  } catch (const std::exception& e) {
    return fail(one_line(e.what()));
  }
}

const std::string& radio::description() const { return impl_->description; }
const std::vector<std::string>& radio::notes() const { return impl_->notes; }
std::int64_t radio::turnaround_ticks() const {
  return std::llround(impl_->config.turnaround_s * impl_->config.sample_rate_hz);
}

}  // namespace prose::phy
