// Reception of a radio: starts, restarts, gaps, leaps of the device's time, resampling.
#include <algorithm>
#include <uhd/exception.hpp>

#include "phy/radio/radio_impl.h"

namespace prose::phy {
namespace {

constexpr double start_ahead_s =
    0.2;  // a timed start lets the antennas of one device begin together; a busy host must not miss it
constexpr int most_start_doublings = 4;  // of start_ahead_s, for a host or a control connection that is slower
constexpr double recv_slice_s = 0.1;
// No loss is as long: reception that stops is an error, or begins again, within seconds. A longer one is a clock that
// was set.
constexpr double longest_loss_s = 30.0;
// A device's rate may differ from the one that was asked for by a fraction of a hertz (AD9361: its PLL has steps of
// 40 MHz / 2088960). Time stamps, in ticks of the latter, then slip by one against the count of samples now and then.
constexpr std::int64_t slip_ticks = 1;
constexpr double stale_unasked_s = 0.5;  // UHD's buffers hold less, unless they were made larger

}  // namespace

result<std::int64_t> radio::impl::begin(std::optional<std::int64_t> at_tick) {
  uhd::stream_cmd_t cmd(uhd::stream_cmd_t::STREAM_MODE_START_CONTINUOUS);
  cmd.stream_now = false;
  cmd.time_spec = at_tick ? to_time(*at_tick, config.sample_rate_hz)
                          : usrp->get_time_now() + uhd::time_spec_t(std::ldexp(start_ahead_s, late_starts));
  expected = -1;
  stale = 0;
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

// Time stamps that go back, and a leap that no overflow and no restart announced, come from a clock that was set. A
// slip of one tick ahead is an ordinary gap.
bool radio::impl::is_jump(std::int64_t tick, bool announced) const {
  const auto longest = static_cast<std::int64_t>(longest_loss_s * device_rate_hz);
  return tick < resumes || (tick > resumes + slip_ticks && !announced) || tick > resumes + longest;
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
      if (duty)
        duty->follow_leap(user_tick(to_time(tick, device_rate_hz)) - user_tick(to_time(resumes, device_rate_hz)));
    } else {
      counters.samples_lost += static_cast<std::uint64_t>(tick - resumes);
    }
  }
  expected = resumes = tick + static_cast<std::int64_t>(n);
  late_starts = 0;
  restarted = false;
  read_up_to.store(expected, std::memory_order_relaxed);
}

// Packets that were on their way when reception was stopped come first at the next start. A clock that was set back
// meanwhile looks the same, so after many of them the device is asked: then the start is further ahead than any of
// ours.
bool radio::impl::is_stale(std::int64_t tick, std::size_t n) {
  const auto end = tick + static_cast<std::int64_t>(n);
  if (expected >= 0 || end > to_ticks(start_time, device_rate_hz)) return false;
  stale += static_cast<std::int64_t>(n);
  if (static_cast<double>(stale) <= stale_unasked_s * device_rate_hz) return true;
  stale = 0;
  return usrp->get_time_now() >= start_time || start_is_ahead();
}

// Up to n device samples. 0: a gap was noted, call again.
result<std::size_t> radio::impl::receive(std::span<cf32* const> out, std::size_t n, std::int64_t& first) {
  recv_buffers.assign(out.begin(), out.end());
  double waited = 0.0;
  for (;;) {
    uhd::rx_metadata_t md;
    std::size_t got = rx->recv(recv_buffers, n, md, recv_slice_s);
    using md_t = uhd::rx_metadata_t;
    std::int64_t tick = md.has_time_spec ? to_ticks(md.time_spec, device_rate_hz) : expected;
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
    if (is_stale(tick, got)) continue;
    if (expected >= 0 && tick == expected - slip_ticks) {  // one sample too many: without it the count is right again
      for (cf32* o : out) std::copy(o + 1, o + got, o);
      ++tick;
      if (--got == 0) continue;
    }
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
      const std::int64_t leapt = std::exchange(jump, 0);
      status.time_jump += rx_bridges.empty()
                              ? leapt
                              : std::llround(static_cast<double>(leapt) * config.sample_rate_hz / device_rate_hz);
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

}  // namespace prose::phy
