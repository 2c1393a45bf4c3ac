#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>
#include <uhd/exception.hpp>
#include <uhd/utils/log.hpp>

#include "phy/air/virtual_device.h"

namespace prose::phy::air {
namespace {

constexpr double tick_rate = static_cast<double>(ticks_per_second);
constexpr std::size_t wire_octets_per_sample = 4;  // sc16
constexpr std::int64_t default_ticks_per_sample = ticks_per_second / 1'000'000;
// Chosen, not derived: events and acknowledgements kept for a program that does not fetch them; how much later than
// asked an acknowledgement is still waited for; how often a waiting program looks for events.
constexpr std::size_t max_queued = 1000;
constexpr std::int64_t near_ack_ticks = 20 * ticks_per_ms;
constexpr std::int64_t event_poll_ns = 5'000'000;

std::chrono::duration<double> seconds_of(std::int64_t ticks) {
  return std::chrono::duration<double>(static_cast<double>(ticks) / tick_rate);
}
std::int64_t frac_ticks(const uhd::time_spec_t& t) { return std::llround(t.get_frac_secs() * tick_rate); }

}  // namespace

device_core::device_core(air_link link, const device_args& args)
    : link_(std::move(link)),
      args_(args),
      hub_(link_),
      name_(args.name),
      faults_(link_.memory().settings, args.name),
      receiver_(
          link_, hub_,
          args.lead_s > 0.0 ? static_cast<std::int64_t>(args.lead_s * tick_rate) : link_.memory().settings.lead_ticks),
      transmitter_(link_, hub_, args.tx_buffer_bytes / wire_octets_per_sample) {
  offset_.seconds = link_.memory().settings.start_s;
  ticks_per_sample_[rx] = default_ticks_per_sample;
  ticks_per_sample_[tx] = default_ticks_per_sample;
  seen_underflows_ = transmitter_.underflows();
}

device_core::~device_core() { std::this_thread::sleep_for(seconds_of(closing_ticks_)); }

void device_core::control_call() const {
  if (args_.rpc_s > 0.0) std::this_thread::sleep_for(std::chrono::duration<double>(args_.rpc_s));
  if (link_.memory().now.load() < silent_until_) throw uhd::runtime_error("no answer from the device");
}

void device_core::unplug(std::int64_t closing_ticks) {
  silent_until_ = no_limit;
  closing_ticks_ = closing_ticks;
}

void device_core::step_time(std::int64_t ticks) {
  time_offset o = offset();
  o.seconds += ticks / ticks_per_second;
  o.ticks += ticks % ticks_per_second;
  set_offset(o);
  const std::int64_t now = memory().now.load();
  if (to_device(now) < uhd::time_spec_t(0.0)) set_offset({0, -now});  // devices count from 0
}

device_core::time_offset device_core::offset() const {
  const std::lock_guard guard(offset_mutex_);
  return offset_;
}

void device_core::set_offset(time_offset o) {
  const std::lock_guard guard(offset_mutex_);
  offset_ = o;
}

std::int64_t device_core::to_air(const uhd::time_spec_t& t) const {
  const time_offset o = offset();
  // Beyond what ticks can hold it is past or future all the same.
  constexpr std::int64_t most_seconds = 30'000'000;
  const std::int64_t s =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(t.get_full_secs()) - o.seconds, -most_seconds, most_seconds);
  return s * ticks_per_second + frac_ticks(t) - o.ticks;
}

uhd::time_spec_t device_core::to_device(std::int64_t air_tick) const {
  const time_offset o = offset();
  const std::int64_t ticks = air_tick + o.ticks;
  const std::int64_t s = ticks >= 0 ? ticks / ticks_per_second : -((-ticks + ticks_per_second - 1) / ticks_per_second);
  return uhd::time_spec_t(o.seconds + s, static_cast<double>(ticks - s * ticks_per_second) / tick_rate);
}

void device_core::throw_gone() const {
  throw uhd::runtime_error("air '" + args_.air + "' has ended: prose-air is gone");
}

uhd::time_spec_t device_core::time_now() {
  if (!hub_.alive()) throw_gone();
  advance(memory());
  const std::int64_t now = memory().now.load();
  const std::lock_guard guard(mutex_);
  if (pending_pps_ && now >= pending_pps_->first) {
    set_offset(pending_pps_->second);
    pending_pps_.reset();
  }
  return to_device(now);
}

uhd::time_spec_t device_core::time_last_pps() {
  time_now();
  const std::int64_t now = memory().now.load();
  return to_device(now - now % ticks_per_second);
}

// No host knows to better than a millisecond when a device executes "set the time now". Moving time by whole
// milliseconds keeps the sample grids of all devices aligned at every LTE rate.
void device_core::set_time_now(const uhd::time_spec_t& t) {
  advance(memory());
  const std::int64_t move = frac_ticks(t) - memory().now.load();
  const std::int64_t whole = move >= 0 ? (move + ticks_per_ms - 1) / ticks_per_ms : -(-move / ticks_per_ms);
  const std::lock_guard guard(mutex_);
  pending_pps_.reset();
  set_offset({static_cast<std::int64_t>(t.get_full_secs()), whole * ticks_per_ms});
}

void device_core::set_time_next_pps(const uhd::time_spec_t& t) {
  advance(memory());
  const std::int64_t edge = (memory().now.load() / ticks_per_second + 1) * ticks_per_second;
  const std::lock_guard guard(mutex_);
  pending_pps_ = {edge, time_offset{static_cast<std::int64_t>(t.get_full_secs()), frac_ticks(t) - edge}};
}

double device_core::set_rate(direction d, double rate_hz) {
  const double wanted = std::clamp(rate_hz, 10e3, 250e6);
  auto ticks = static_cast<std::int64_t>(std::llround(tick_rate / wanted));
  ticks = std::max<std::int64_t>(ticks, 922);
  ticks_per_sample_[d] = ticks;
  node_slot& n = memory().nodes[link_.slot()];
  if (d == tx && n.tx_ticks_per_sample.load() != 0) n.tx_ticks_per_sample = ticks;
  return tick_rate / static_cast<double>(ticks);
}

void device_core::set_command_time(const uhd::time_spec_t& t) {
  const std::lock_guard guard(mutex_);
  command_time_ = t;
}

uhd::time_spec_t device_core::command_time() {
  const std::lock_guard guard(mutex_);
  return command_time_;
}

void device_core::apply(tuning& t, tuned what, double value) {
  if (what == rf) t.rf_hz = value;
  if (what == dsp) t.dsp_hz = value;
  if (what == gain) t.gain_db = value;
}

void device_core::tune(direction d, tuned what, double value) {
  const std::lock_guard guard(mutex_);
  if (command_time_ != uhd::time_spec_t(0.0)) {
    commands_.push_back({to_air(command_time_), d, what, value});
    std::stable_sort(commands_.begin(), commands_.end(), [](const auto& a, const auto& b) { return a.tick < b.tick; });
    return;
  }
  apply(tuning_[d], what, value);
  if (d == tx) memory().nodes[link_.slot()].tx_freq_hz = tuning_[tx].rf_hz + tuning_[tx].dsp_hz;
}

tuning device_core::tuning_at(direction d, std::int64_t air_tick, std::int64_t* next_change) {
  const std::lock_guard guard(mutex_);
  if (next_change != nullptr) *next_change = no_limit;
  for (auto c = commands_.begin(); c != commands_.end();) {
    if (c->dir != d) {
      ++c;
    } else if (c->tick <= air_tick) {
      apply(tuning_[d], c->what, c->value);
      if (d == tx) memory().nodes[link_.slot()].tx_freq_hz = tuning_[tx].rf_hz + tuning_[tx].dsp_hz;
      c = commands_.erase(c);
    } else {
      if (next_change != nullptr) *next_change = c->tick;
      break;
    }
  }
  return tuning_[d];
}

void device_core::push_event(uhd::async_metadata_t::event_code_t code, std::int64_t air_tick) {
  uhd::async_metadata_t md{};
  md.channel = 0;
  md.has_time_spec = true;
  md.time_spec = to_device(air_tick);
  md.event_code = code;
  const std::lock_guard guard(mutex_);
  if (events_.size() < max_queued) events_.push_back(md);  // as a device's message queue: what nobody fetches is lost
}

void device_core::push_ack(std::int64_t end_tick) {
  const std::lock_guard guard(mutex_);
  if (acks_.size() >= max_queued) acks_.pop_front();
  acks_.push_back(end_tick);
}

bool device_core::take_event(uhd::async_metadata_t& md, std::int64_t now) {
  if (!events_.empty()) {
    md = events_.front();
    events_.pop_front();
    return true;
  }
  if (acks_.empty() || acks_.front() > now) return false;
  md = uhd::async_metadata_t{};
  md.channel = 0;
  md.has_time_spec = true;
  md.time_spec = to_device(acks_.front());
  md.event_code = uhd::async_metadata_t::EVENT_CODE_BURST_ACK;
  acks_.pop_front();
  return true;
}

bool device_core::pop_event(uhd::async_metadata_t& md, double timeout_s) {
  const patience limit(memory(), timeout_s);
  for (;;) {
    const std::uint32_t underflows = transmitter_.underflows();
    if (seen_underflows_.exchange(underflows) != underflows) {
      UHD_LOG_FASTPATH("U");
      push_event(uhd::async_metadata_t::EVENT_CODE_UNDERFLOW, memory().now.load());
    }
    const std::int64_t now = memory().now.load();
    std::int64_t target = limit.tick_end();
    bool ack_is_near = false;
    {
      const std::lock_guard guard(mutex_);
      if (take_event(md, now)) return true;
      if (!acks_.empty()) {
        // Programs time this wait from before they opened the stream, which takes hardware some 10 ms and this device
        // none: an acknowledgement that is that near is waited for.
        ack_is_near = timeout_s > 0.0 && acks_.front() <= limit.tick_end() + near_ack_ticks;
        target = ack_is_near ? acks_.front() : std::min(target, acks_.front());
      }
    }
    if (!hub_.alive() || (limit.over(now) && !ack_is_near)) return false;
    receiver_.end_linger();
    if (timeout_s > 0.0) receiver_.let_time_pass(target, true);
    // New events ring no bell: look every few milliseconds.
    wait_for_air_time(memory(), memory().nodes[link_.slot()].waits[wait_other], std::max(target, now + 1),
                      std::min(limit.wall_slice(), wall_ns() + event_poll_ns));
  }
}

}  // namespace prose::phy::air
