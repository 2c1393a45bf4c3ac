#include "phy/radio/radio.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <deque>
#include <mutex>
#include <uhd/exception.hpp>
#include <uhd/utils/thread.hpp>

#include "phy/radio/number.h"
#include "phy/radio/radio_setup.h"
#include "phy/radio/rate_bridge.h"
#include "phy/radio/uhd_errors.h"

namespace prose::phy {
namespace {

constexpr double start_ahead_s =
    0.2;  // a timed start lets the antennas of one device begin together; a busy host must not miss it
constexpr int most_start_doublings = 4;  // of start_ahead_s, for a host or a control connection that is slower
constexpr double recv_slice_s = 0.1;
constexpr std::chrono::seconds cause_before{5};  // errors that UHD logged so long before a failure are told with it
constexpr std::size_t max_antennas = 4;
constexpr std::size_t most_events = 4096;
// No loss is as long: reception that stops is an error, or begins again, within seconds. A longer one is a clock that
// was set.
constexpr double longest_loss_s = 30.0;

// Whole seconds and the rest apart, as device time comes: a double of seconds since 1970 does not hold a sample period.
std::int64_t to_ticks(const uhd::time_spec_t& t, double rate_hz) {
  const double whole = std::floor(rate_hz);
  const auto full = static_cast<std::int64_t>(t.get_full_secs());
  return full * static_cast<std::int64_t>(whole) +
         std::llround(static_cast<double>(full) * (rate_hz - whole) + t.get_frac_secs() * rate_hz);
}

bool starts(burst_piece piece) { return piece == burst_piece::whole || piece == burst_piece::first; }

uhd::time_spec_t to_time(std::int64_t ticks, double rate_hz) { return uhd::time_spec_t::from_ticks(ticks, rate_hz); }

}  // namespace

struct radio::impl {
  radio_config config;
  uhd::usrp::multi_usrp::sptr usrp;
  uhd::rx_streamer::sptr rx;
  uhd::tx_streamer::sptr tx;
  double device_rate_hz = 0.0;
  std::string description;
  std::vector<std::string> notes;
  std::atomic<bool> dead{false};

  // Reception; one thread.
  bool started = false;
  uhd::time_spec_t start_time{0.0};
  bool reader_asked_priority = false;
  bool timed_start = false;  // the caller chose the time
  int late_starts = 0;       // since samples came last
  bool restarted = false;    // since samples came last
  bool gap = false;
  std::int64_t expected = -1;  // device tick that comes next, -1 after a gap
  std::int64_t resumes = -1;   // device tick that would have come next when reception stopped; -1: nothing has come
  std::int64_t jump = 0;       // of the device's time, in device ticks, since the last block that read() began
  std::vector<void*> recv_buffers;
  std::vector<rate_bridge> rx_bridges;
  std::array<std::vector<cf32>, max_antennas> device_samples;
  std::array<std::vector<cf32>, max_antennas> bridged;
  std::size_t bridged_used = 0;
  std::size_t bridged_have = 0;
  std::int64_t bridged_tick = 0;
  std::int64_t transient = 0;  // resampler output to throw away

  // Transmission; one thread.
  bool sender_asked_priority = false;
  std::optional<rate_bridge> tx_bridge;
  std::vector<cf32> tx_samples;
  std::optional<band_limit> band;
  std::optional<duty_meter> duty;  // of `band`; under `mutex`
  std::int64_t admitted_to = 0;    // end of the piece that was admitted last

  std::atomic<std::int64_t> read_up_to{std::numeric_limits<std::int64_t>::min()};  // device ticks
  mutable std::mutex mutex;
  radio_counters counters;
  std::deque<radio_event> events;
  std::deque<std::pair<std::int64_t, std::int64_t>> own_bursts;  // ticks in which the receiver is deaf

  // Between two device samples: the nearest one, at most half a device sample off.
  std::int64_t device_tick(std::int64_t tick) const {
    if (!tx_bridge) return tick;
    return static_cast<std::int64_t>(
        std::floor(static_cast<double>(tick) * tx_bridge->interp() / tx_bridge->decim() + 0.5));
  }
  std::int64_t user_tick(const uhd::time_spec_t& t) const { return to_ticks(t, config.sample_rate_hz); }

  void add_event(radio_event_kind kind, std::int64_t tick) {
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

  // What the device says about transmission.
  void drain_async() {
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

  // Of the calling thread. `asked`: by this direction's thread.
  void ask_priority(bool& asked) {
    if (asked || !config.realtime_priority) return;
    asked = true;
    try {
      uhd::set_thread_priority(1.0F, true);
    } catch (const std::exception&) {
      const std::lock_guard lock(mutex);
      notes.push_back("no right to real-time priority: carrying on without");
    }
  }

  tl::unexpected<error> failed(const std::string& what) const {
    return fail(uhd_errors(cause_before).with_cause("device '" + config.device_args + "': " + what));
  }
  /// And nothing more is asked of the device.
  tl::unexpected<error> gone(const std::string& what) {
    dead = true;
    return failed(what);
  }

  transmit_status drop_as_late(std::int64_t start_tick) {
    add_event(radio_event_kind::late, start_tick);
    return transmit_status::late;
  }
  transmit_status admit_air_time(std::int64_t start_tick, std::size_t n_samples);
  result<void> allows(double center_freq_hz, double tx_gain_db) const;
  result<std::int64_t> begin(std::optional<std::int64_t> at_tick);
  result<void> restart(const std::string& why);
  result<void> late_start();
  bool start_is_ahead() const;
  result<void> silence(double& waited);
  void take(std::int64_t tick, std::size_t n);
  bool is_jump(std::int64_t tick, bool announced) const;
  result<std::size_t> receive(std::span<cf32* const> out, std::size_t n, std::int64_t& first);
  result<bool> fill_bridge();
  result<read_status> read(std::span<const std::span<cf32>> out);
  void blank(std::span<const std::span<cf32>> out, std::int64_t first, std::size_t n);
  result<void> send(std::span<const cf32> burst, uhd::tx_metadata_t md, const std::function<void()>& begun);
};

result<std::int64_t> radio::impl::begin(std::optional<std::int64_t> at_tick) {
  uhd::stream_cmd_t cmd(uhd::stream_cmd_t::STREAM_MODE_START_CONTINUOUS);
  cmd.stream_now = false;
  cmd.time_spec = at_tick ? to_time(*at_tick, config.sample_rate_hz)
                          : usrp->get_time_now() + uhd::time_spec_t(std::ldexp(start_ahead_s, late_starts));
  expected = -1;
  gap = false;
  bridged_used = bridged_have = 0;
  start_time = cmd.time_spec;
  timed_start = at_tick.has_value();
  rx->issue_stream_cmd(cmd);
  started = true;
  return user_tick(cmd.time_spec);
}

// Reception has stopped after samples had come. It begins again, with a gap.
result<void> radio::impl::restart(const std::string& why) {
  try {
    rx->issue_stream_cmd(uhd::stream_cmd_t(uhd::stream_cmd_t::STREAM_MODE_STOP_CONTINUOUS));
    if (const auto s = begin(std::nullopt); !s) return tl::unexpected(s.error());
  } catch (const std::exception& e) {
    return gone(why + ", and it does not start again: " + one_line(e.what()));
  }
  gap = true;
  return {};
}

// "Late command": nothing will come. Only a time that the caller chose is an error of the caller.
result<void> radio::impl::late_start() {
  if ((resumes < 0 && timed_start) || late_starts == most_start_doublings)
    return failed("the start of reception came too late");
  ++late_starts;
  if (resumes >= 0) return restart("the start of reception came too late");
  if (const auto s = begin(std::nullopt); !s) return tl::unexpected(s.error());
  return {};
}

// Unless the caller chose it, a start that is further ahead than any of ours is one before the clock was set back.
bool radio::impl::start_is_ahead() const {
  const double ahead_s = (start_time - usrp->get_time_now()).get_real_secs();
  return ahead_s >= 0 && (timed_start || ahead_s <= std::ldexp(start_ahead_s, most_start_doublings));
}

// A receive call gave nothing.
result<void> radio::impl::silence(double& waited) {
  // Before a timed start silence is right.
  if (expected >= 0 || !start_is_ahead()) waited += recv_slice_s;
  {
    const std::lock_guard lock(mutex);
    ++counters.timeouts;
  }
  if (waited < config.receive_timeout_s) return {};
  const std::string what = "no samples for " + std::to_string(waited) + " s";
  if (resumes < 0 || std::exchange(restarted, true)) return gone(what);
  waited = 0.0;
  return restart(what);
}

// Time stamps that go back, and a leap that no overflow and no restart announced, come from a clock that was set.
bool radio::impl::is_jump(std::int64_t tick, bool announced) const {
  const auto longest = static_cast<std::int64_t>(longest_loss_s * device_rate_hz);
  return tick < resumes || (tick > resumes && !announced) || tick > resumes + longest;
}

// n samples have come, from `tick` on.
void radio::impl::take(std::int64_t tick, std::size_t n) {
  const bool again = expected < 0 && resumes >= 0;
  if (again) add_event(radio_event_kind::restart, user_tick(to_time(tick, device_rate_hz)));
  if (resumes >= 0 && tick != resumes) {
    const bool jumped = is_jump(tick, again || gap);
    gap = true;
    const std::lock_guard lock(mutex);
    if (jumped) {
      jump += tick - resumes;
      ++counters.time_jumps;
      own_bursts.clear();  // by the time that was; it need never come again
    } else {
      counters.samples_lost += static_cast<std::uint64_t>(tick - resumes);
    }
  }
  expected = resumes = tick + static_cast<std::int64_t>(n);
  late_starts = 0;
  restarted = false;
  read_up_to.store(expected, std::memory_order_relaxed);
}

// Up to n device samples. 0: a gap was noted, call again.
result<std::size_t> radio::impl::receive(std::span<cf32* const> out, std::size_t n, std::int64_t& first) {
  recv_buffers.assign(out.begin(), out.end());
  double waited = 0.0;
  for (;;) {
    uhd::rx_metadata_t md;
    const std::size_t got = rx->recv(recv_buffers, n, md, recv_slice_s);
    using md_t = uhd::rx_metadata_t;
    const std::int64_t tick = md.has_time_spec ? to_ticks(md.time_spec, device_rate_hz) : expected;
    const bool was_running = expected >= 0;
    result<void> ok;
    if (md.error_code == md_t::ERROR_CODE_OVERFLOW) {
      add_event(md.out_of_sequence ? radio_event_kind::sequence_error : radio_event_kind::overflow,
                md.has_time_spec ? user_tick(md.time_spec) : -1);
      gap = true;
      if (got == 0) return 0;
    } else if (md.error_code == md_t::ERROR_CODE_TIMEOUT) {
      ok = silence(waited);
    } else if (md.error_code == md_t::ERROR_CODE_LATE_COMMAND) {
      ok = late_start();
    } else if (md.error_code != md_t::ERROR_CODE_NONE) {
      return failed(one_line(md.strerror().c_str()));
    }
    if (!ok) return tl::unexpected(ok.error());
    if (was_running && expected < 0) return 0;
    if (got == 0) continue;
    if (tick < 0) return failed(md.has_time_spec ? "its time is below 0" : "its samples have no time stamps");
    first = tick;
    take(tick, got);
    return got;
  }
}

// One more block through the resamplers. False: there was a gap and nothing came yet.
result<bool> radio::impl::fill_bridge() {
  const std::size_t n_ant = config.n_rx_antennas;
  const std::int64_t interp = rx_bridges[0].interp();
  const std::int64_t decim = rx_bridges[0].decim();
  std::array<cf32*, max_antennas> to{};
  const std::size_t have = device_samples[0].size();
  const std::size_t block = static_cast<std::size_t>(decim) * 256;
  for (std::size_t a = 0; a < n_ant; ++a) {
    device_samples[a].resize(have + block);
    to[a] = device_samples[a].data() + have;
  }
  std::int64_t first = 0;
  const std::int64_t before = expected;
  const auto got = receive({to.data(), n_ant}, block, first);
  const auto keep = [&](std::size_t n) {
    for (std::size_t a = 0; a < n_ant; ++a) device_samples[a].resize(n);
  };
  if (!got || *got == 0) {
    keep(have);
    if (!got) return tl::unexpected(got.error());
    return false;
  }
  keep(have + *got);
  if (before < 0 || first != before) {  // begin afresh at a device tick that is an output tick too
    const std::int64_t skip = ((-first % decim) + decim) % decim;
    for (std::size_t a = 0; a < n_ant; ++a) {
      auto& s = device_samples[a];
      s.erase(s.begin(), s.begin() + have);
      s.erase(s.begin(), s.begin() + std::min<std::ptrdiff_t>(skip, static_cast<std::ptrdiff_t>(s.size())));
      rx_bridges[a].reset();
    }
    bridged_tick = (first + skip) / decim * interp - rx_bridges[0].delay_out();
    transient = 2 * rx_bridges[0].delay_out();
  }
  const std::size_t blocks = device_samples[0].size() / static_cast<std::size_t>(decim);
  const std::size_t produced = blocks * static_cast<std::size_t>(interp);
  for (std::size_t a = 0; a < n_ant; ++a) {
    auto& s = device_samples[a];
    bridged[a].resize(produced);
    rx_bridges[a].run({s.data(), blocks * static_cast<std::size_t>(decim)}, bridged[a]);
    s.erase(s.begin(), s.begin() + (blocks * static_cast<std::size_t>(decim)));
  }
  const std::size_t drop = std::min<std::int64_t>(transient, static_cast<std::int64_t>(produced));
  transient -= static_cast<std::int64_t>(drop);
  bridged_used = drop;
  bridged_have = produced;
  bridged_tick += static_cast<std::int64_t>(drop);
  return true;
}

result<read_status> radio::impl::read(std::span<const std::span<cf32>> out) {
  const std::size_t n_ant = config.n_rx_antennas;
  if (out.size() != n_ant) return fail("radio: read() wants one span an antenna");
  const std::size_t wanted = out[0].size();
  if (!started)
    if (const auto s = begin(std::nullopt); !s) return tl::unexpected(s.error());
  ask_priority(reader_asked_priority);
  read_status status;
  std::array<cf32*, max_antennas> to{};
  while (status.n_samples < wanted) {
    std::int64_t first = 0;
    std::size_t n = 0;
    if (rx_bridges.empty()) {
      // A gap that shows in the time stamp of a block belongs before that block, so a block is asked for at a time.
      for (std::size_t a = 0; a < n_ant; ++a) to[a] = out[a].data() + status.n_samples;
      const std::int64_t before = expected;
      const auto got = receive({to.data(), n_ant}, wanted - status.n_samples, first);
      if (!got) return tl::unexpected(got.error());
      n = *got;
      if (n == 0) {
        if (status.n_samples > 0) break;
        continue;
      }
      if (status.n_samples > 0 && first != before) {
        // Samples after a gap that nobody announced: what came before it is given up, so that the block is whole.
        for (std::size_t a = 0; a < n_ant; ++a) std::copy_n(to[a], n, out[a].data());
        const std::lock_guard lock(mutex);
        counters.samples_lost += std::exchange(status.n_samples, 0);
      }
    } else {
      if (bridged_used == bridged_have) {
        const auto filled = fill_bridge();
        if (!filled) return tl::unexpected(filled.error());
        if ((!*filled || gap) && status.n_samples > 0) break;
        if (!*filled || bridged_used == bridged_have) continue;
      }
      n = std::min(wanted - status.n_samples, bridged_have - bridged_used);
      for (std::size_t a = 0; a < n_ant; ++a)
        std::copy_n(bridged[a].begin() + bridged_used, n, out[a].data() + status.n_samples);
      first = bridged_tick;
      bridged_tick += static_cast<std::int64_t>(n);
      bridged_used += n;
    }
    if (status.n_samples == 0) {
      status.first_tick = first;
      status.gap_before = std::exchange(gap, false);
      const auto leapt = static_cast<double>(std::exchange(jump, 0));
      status.time_jump += std::llround(leapt * config.sample_rate_hz / device_rate_hz);
    }
    status.n_samples += n;
    if (gap) break;
  }
  blank(out, status.first_tick, status.n_samples);
  const std::lock_guard lock(mutex);
  counters.samples_received += status.n_samples;
  return status;
}

// TS 36.213 14: a half-duplex UE does not receive while it transmits; what leaks from its own transmitter is not a
// reception.
void radio::impl::blank(std::span<const std::span<cf32>> out, std::int64_t first, std::size_t n) {
  if (!config.blank_own_bursts) return;
  const std::lock_guard lock(mutex);
  const std::int64_t end = first + static_cast<std::int64_t>(n);
  while (!own_bursts.empty() && own_bursts.front().second <= first) own_bursts.pop_front();
  for (const auto& [a, b] : own_bursts) {
    const std::int64_t from = std::max(a, first);
    const std::int64_t to = std::min(b, end);
    for (const auto& o : out)
      if (from < to) std::fill(o.begin() + (from - first), o.begin() + (to - first), cf32{});
  }
}

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

radio::radio() : impl_(std::make_unique<impl>()) {}
// UHD waits up to 20 s for a device that is gone. Nothing is left to be closed there.
radio::~radio() {
  if (impl_ && impl_->config.tell) tell_uhd_errors({});
  if (impl_ && impl_->dead) {
    static auto* const left_open = new std::vector<std::shared_ptr<void>>;
    left_open->insert(left_open->end(), {impl_->usrp, impl_->rx, impl_->tx});
    return;
  }
  stop();
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
  if (config.tell) tell_uhd_errors([tell = config.tell](const std::string& text) { tell("UHD: " + text); });
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
    return impl_->begin(at_tick);
  } catch (const std::exception& e) {
    return fail("device '" + impl_->config.device_args + "': " + one_line(e.what()));
  }
}

void radio::stop() {
  if (!impl_ || !impl_->started || impl_->dead) return;
  impl_->started = false;
  impl_->resumes = -1;  // what is missing until the next start is no gap
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

// Only within the band of the start: its duty cycle is being counted.
result<void> radio::impl::allows(double center_freq_hz, double tx_gain_db) const {
  transmit_limits own = config.limits;
  if (band) own.bands = {*band};
  if (const auto ok = own.band_for(center_freq_hz, occupied_hz(config), tx_gain_db); !ok)
    return tl::unexpected(ok.error());
  return {};
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
  try {
    if (impl_->tx)
      if (const auto ok = impl_->allows(freq_hz, impl_->usrp->get_tx_gain()); !ok) return tl::unexpected(ok.error());
    for (int a = 0; a < impl_->config.n_rx_antennas; ++a)
      impl_->usrp->set_rx_freq(uhd::tune_request_t(freq_hz), static_cast<std::size_t>(a));
    if (impl_->tx) impl_->usrp->set_tx_freq(uhd::tune_request_t(freq_hz));
    return impl_->usrp->get_rx_freq();
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
