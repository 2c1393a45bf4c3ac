#include <csignal>
#include <cstring>
#include <deque>
#include <thread>
#include <uhd/exception.hpp>
#include <uhd/stream.hpp>
#include <uhd/utils/log.hpp>
#include <uhd/version.hpp>
#include <unistd.h>

#include "phy/air/sample_formats.h"
#include "phy/air/virtual_device.h"

namespace prose::phy::air {
namespace {

constexpr std::size_t packet_samples = 4096;
constexpr std::size_t chunk_samples = 16384;

void check(const uhd::stream_args_t& args) {
  if (args.channels.size() > 1 || (args.channels.size() == 1 && args.channels[0] != 0))
    throw uhd::index_error("type=virtual has one channel, 0");
  if (!find_format(args.cpu_format))
    throw uhd::value_error("cpu format '" + args.cpu_format + "': accepted are fc32, fc64, sc16, sc8");
  if (!args.otw_format.empty() && args.otw_format != "sc16" && args.otw_format != "sc12" && args.otw_format != "sc8" &&
      args.otw_format != "fc32")
    throw uhd::value_error("wire format '" + args.otw_format + "': accepted are sc16, sc12, sc8, fc32");
}

std::size_t packet_size(const uhd::stream_args_t& args) {
  const auto spp = args.args.cast<long>("spp", 0);
  return spp > 0 ? std::min<std::size_t>(static_cast<std::size_t>(spp), packet_samples) : packet_samples;
}

class rx_stream : public uhd::rx_streamer {
public:
  rx_stream(std::shared_ptr<device_core> core, const uhd::stream_args_t& args)
      : core_(std::move(core)), format_(*find_format(args.cpu_format)), spp_(packet_size(args)) {
    if (!format_.native) bounce_.resize(chunk_samples);
  }
  ~rx_stream() override {
    const std::lock_guard lock(core_->rx_mutex_);
    core_->receiver_.stop();
  }
  std::size_t get_num_channels() const override { return 1; }
  std::size_t get_max_num_samps() const override { return spp_; }
  void issue_stream_cmd(const uhd::stream_cmd_t& cmd) override {
    core_->control_call();
    {
      const std::lock_guard guard(command_mutex_);
      commands_.push_back(cmd);
      has_commands_ = true;
    }
    serve_commands();
  }
#if UHD_VERSION >= 4080000
  void post_input_action(const std::shared_ptr<uhd::rfnoc::action_info>&, const std::size_t) override {}
#endif
  std::size_t recv(const buffs_type& buffs, const std::size_t wanted, uhd::rx_metadata_t& md, const double timeout,
                   const bool one_packet) override {
    std::size_t n = 0;
    {
      const std::lock_guard lock(core_->rx_mutex_);
      n = locked_recv(buffs[0], one_packet ? std::min(wanted, spp_) : wanted, md, timeout);
    }
    if (has_commands_) serve_commands();
    return n;
  }

private:
  enum class mode { idle, continuous, counted, counted_more };

  // A command waits while another thread sits in recv(); that thread serves it between two steps.
  void serve_commands() {
    while (has_commands_) {
      const std::unique_lock lock(core_->rx_mutex_, std::try_to_lock);
      if (!lock.owns_lock()) return;
      execute_commands();
    }
  }

  void execute_commands() {
    for (;;) {
      uhd::stream_cmd_t cmd(uhd::stream_cmd_t::STREAM_MODE_STOP_CONTINUOUS);
      {
        const std::lock_guard guard(command_mutex_);
        if (commands_.empty() || (mode_ == mode::counted_more && remaining_ > 0)) {
          has_commands_ = false;
          return;
        }
        cmd = commands_.front();
        commands_.pop_front();
      }
      begin(cmd);
    }
  }

  void begin(const uhd::stream_cmd_t& cmd) {
    using sc = uhd::stream_cmd_t;
    receiver& rx = core_->receiver_;
    if (cmd.stream_mode == sc::STREAM_MODE_STOP_CONTINUOUS) {
      stale_left_ = rx.streaming() ? core_->args_.stale_packets : 0;
      stopped_tick_ = rx.next_tick();
      rx.stop();
      mode_ = mode::idle;
      return;
    }
    const bool chained = mode_ == mode::counted_more && rx.streaming();
    mode_ = cmd.stream_mode == sc::STREAM_MODE_START_CONTINUOUS     ? mode::continuous
            : cmd.stream_mode == sc::STREAM_MODE_NUM_SAMPS_AND_MORE ? mode::counted_more
                                                                    : mode::counted;
    remaining_ = cmd.num_samps;
    if (chained && cmd.stream_now) return;
    std::optional<std::int64_t> at;
    if (!cmd.stream_now) at = core_->to_air(cmd.time_spec);
    rx.stop();
    core_->time_now();  // lets a pending PPS take effect
    const air_status s = rx.start(at, core_->ticks_per_sample(device_core::rx));
    if (s != air_status::ok) {
      mode_ = mode::idle;
      if (s == air_status::late) error_ = uhd::rx_metadata_t::ERROR_CODE_LATE_COMMAND;
      return;
    }
    stream_start_ = rx.next_tick();
    first_ = true;
  }

  std::size_t report(uhd::rx_metadata_t& md, uhd::rx_metadata_t::error_code_t code, std::int64_t tick,
                     bool out_of_sequence = false) {
    md.error_code = code;
    md.has_time_spec = code != uhd::rx_metadata_t::ERROR_CODE_TIMEOUT;
    if (md.has_time_spec) md.time_spec = core_->to_device(tick);
    md.out_of_sequence = out_of_sequence;
    return 0;
  }

  // Samples lost, as the caller is to learn: 'O' with a new time stamp, or 'D' for packets lost on the way.
  std::size_t report_loss(uhd::rx_metadata_t& md, bool dropped) {
    UHD_LOG_FASTPATH(dropped ? "D" : "O");
    return report(md, uhd::rx_metadata_t::ERROR_CODE_OVERFLOW, core_->receiver_.next_tick(), dropped);
  }

  bool wait_for_stream(uhd::rx_metadata_t& md, const patience& limit) {
    for (;;) {
      execute_commands();
      if (error_ != uhd::rx_metadata_t::ERROR_CODE_NONE) {
        report(md, std::exchange(error_, uhd::rx_metadata_t::ERROR_CODE_NONE), core_->memory().now.load());
        return false;
      }
      if (mode_ != mode::idle) return true;
      core_->receiver_.end_linger();
      if (!core_->hub_.alive()) core_->throw_gone();
      if (limit.over(core_->memory().now.load())) {
        report(md, uhd::rx_metadata_t::ERROR_CODE_TIMEOUT, 0);
        return false;
      }
      advance(core_->memory());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  // Faults after which nothing comes before the next start.
  bool injected_end(uhd::rx_metadata_t& md) {
    receiver& rx = core_->receiver_;
    const auto due = [&](fault_kind kind, std::int64_t& length) {
      if (!core_->faults_.due(kind, rx.next_tick() - stream_start_, &length)) return false;
      rx.stop();
      mode_ = mode::idle;
      return true;
    };
    std::int64_t length = 0;
    if (due(fault_kind::late_command, length)) {
      report(md, uhd::rx_metadata_t::ERROR_CODE_LATE_COMMAND, rx.next_tick());
      return true;
    }
    if (due(fault_kind::outage, length)) {
      core_->begin_outage(length);
    } else if (due(fault_kind::unplug, length)) {
      core_->unplug(length);
    } else {
      return false;
    }
    report(md, uhd::rx_metadata_t::ERROR_CODE_TIMEOUT, 0);
    return true;
  }

  bool injected_loss(uhd::rx_metadata_t& md) {
    if (core_->faults_.empty()) return false;
    if (injected_end(md)) return true;
    receiver& rx = core_->receiver_;
    std::int64_t step = 0;
    while (core_->faults_.due(fault_kind::clock_step, rx.next_tick() - stream_start_, &step)) core_->step_time(step);
    for (const auto kind : {fault_kind::overflow, fault_kind::drop}) {
      std::int64_t length = 0;
      if (!core_->faults_.due(kind, rx.next_tick() - stream_start_, &length)) continue;
      rx.skip(std::max<std::int64_t>(1, length / core_->ticks_per_sample(device_core::rx)));
      report_loss(md, kind == fault_kind::drop);
      return true;
    }
    return false;
  }

  // Silence with the time of before the end; the last packet ends there.
  std::size_t stale_packet(void* buffer, std::size_t wanted, uhd::rx_metadata_t& md) {
    const std::size_t n = std::min(wanted, spp_);
    const auto before = static_cast<std::int64_t>(n * stale_left_) * core_->ticks_per_sample(device_core::rx);
    --stale_left_;
    std::memset(buffer, 0, n * format_.bytes);
    md.has_time_spec = core_->args_.timestamps;
    md.time_spec = core_->to_device(std::max<std::int64_t>(0, stopped_tick_ - before));
    return n;
  }

  std::size_t locked_recv(void* buffer, std::size_t wanted, uhd::rx_metadata_t& md, double timeout) {
    md.reset();
    if (stale_left_ > 0) return stale_packet(buffer, wanted, md);
    const patience limit(core_->memory(), timeout);
    if (has_commands_ || mode_ == mode::idle || error_ != uhd::rx_metadata_t::ERROR_CODE_NONE)
      if (!wait_for_stream(md, limit)) return 0;
    if (injected_loss(md)) return 0;
    receiver& rx = core_->receiver_;
    if (const auto ticks = core_->ticks_per_sample(device_core::rx); rx.streaming() && ticks != rx.ticks_per_sample())
      rx.change_rate(ticks);
    if (mode_ != mode::continuous) wanted = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, remaining_));
    std::size_t done = 0;
    const std::int64_t first_tick = rx.next_tick();
    air_status status = air_status::ok;
    while (done < wanted) {
      std::int64_t change = no_limit;
      const tuning t = core_->tuning_at(device_core::rx, rx.next_tick(), &change);
      const rx_tuning tuned{t.rf_hz - t.dsp_hz, t.gain_db};
      std::size_t n = wanted - done;
      const std::int64_t ticks = rx.ticks_per_sample();
      if (change != no_limit) n = std::min(n, static_cast<std::size_t>((change - rx.next_tick() + ticks - 1) / ticks));
      if (!format_.native) n = std::min(n, chunk_samples);
      std::size_t got = 0;
      cf32* out = format_.native ? static_cast<cf32*>(buffer) + done : bounce_.data();
      status = rx.read({out, n}, tuned, limit, got);
      if (!format_.native && got > 0)
        format_.from_cf32(bounce_.data(), static_cast<char*>(buffer) + done * format_.bytes, got);
      done += got;
      if (status != air_status::ok || got < n) break;
    }
    if (status == air_status::gone) core_->throw_gone();
    if (done == 0) {
      if (status == air_status::lost) return report_loss(md, false);
      if (wanted > 0) return report(md, uhd::rx_metadata_t::ERROR_CODE_TIMEOUT, 0);
    }
    md.has_time_spec = core_->args_.timestamps;
    md.time_spec = core_->to_device(first_tick);
    md.start_of_burst = std::exchange(first_, false);
    if (mode_ != mode::continuous && (remaining_ -= done) == 0) finish_counted(md);
    return done;
  }

  void finish_counted(uhd::rx_metadata_t& md) {
    const bool more = mode_ == mode::counted_more;
    {
      const std::lock_guard guard(command_mutex_);
      if (more && !commands_.empty()) {
        has_commands_ = true;
        return;  // the chain goes on with the next call
      }
    }
    core_->receiver_.stop_and_linger();
    mode_ = mode::idle;
    if (more)
      error_ = uhd::rx_metadata_t::ERROR_CODE_BROKEN_CHAIN;
    else
      md.end_of_burst = true;
  }

  std::shared_ptr<device_core> core_;
  const sample_format& format_;
  std::size_t spp_;
  std::size_t stale_left_ = 0;
  std::int64_t stopped_tick_ = 0;
  std::vector<cf32> bounce_;
  std::mutex command_mutex_;
  std::deque<uhd::stream_cmd_t> commands_;
  std::atomic<bool> has_commands_{false};
  // Under rx_mutex_.
  mode mode_ = mode::idle;
  std::uint64_t remaining_ = 0;
  std::int64_t stream_start_ = 0;
  bool first_ = false;
  uhd::rx_metadata_t::error_code_t error_ = uhd::rx_metadata_t::ERROR_CODE_NONE;
};

class tx_stream : public uhd::tx_streamer {
public:
  tx_stream(std::shared_ptr<device_core> core, const uhd::stream_args_t& args)
      : core_(std::move(core)),
        format_(*find_format(args.cpu_format)),
        spp_(packet_size(args)),
        next_burst_policy_(args.args.get("underflow_policy", "next_packet") == "next_burst") {
    if (!format_.native) bounce_.resize(chunk_samples);
    node().tx_ticks_per_sample = core_->ticks_per_sample(device_core::tx);
  }
  ~tx_stream() override {
    const std::lock_guard lock(core_->tx_mutex_);
    core_->transmitter_.close();
    node().tx_ticks_per_sample = 0;
  }
  std::size_t get_num_channels() const override { return 1; }
  std::size_t get_max_num_samps() const override { return spp_; }
  bool recv_async_msg(uhd::async_metadata_t& md, double timeout) override { return core_->pop_event(md, timeout); }
#if UHD_VERSION >= 4080000
  void post_output_action(const std::shared_ptr<uhd::rfnoc::action_info>&, const std::size_t) override {}
#endif

  std::size_t send(const buffs_type& buffs, const std::size_t n, const uhd::tx_metadata_t& md,
                   const double timeout) override {
    const std::lock_guard lock(core_->tx_mutex_);
    const patience limit(core_->memory(), timeout);
    transmitter& tx = core_->transmitter_;
    if (md.start_of_burst) dropping_ = false;
    if (dropping_) {
      if (md.end_of_burst) dropping_ = false;
      return n;
    }
    std::optional<std::int64_t> at;
    if (md.has_time_spec) at = core_->to_air(md.time_spec);
    const bool continues = tx.is_open() && !md.start_of_burst &&
                           (!at || std::abs(*at - tx.next_tick()) <= core_->ticks_per_sample(device_core::tx) / 2);
    if (!continues || retuned()) {
      if (tx.is_open()) core_->push_ack(tx.close());
      if (n == 0 && md.end_of_burst && !md.start_of_burst) return 0;
      const air_status s = open(continues ? std::nullopt : at, limit);
      if (s == air_status::late) {
        UHD_LOG_FASTPATH("L");
        core_->push_event(uhd::async_metadata_t::EVENT_CODE_TIME_ERROR, *at);
        dropping_ = next_burst_policy_ && !md.end_of_burst;
        return n;
      }
      if (s == air_status::timeout) return 0;
    }
    const std::size_t sent = write(buffs[0], n, limit);
    if (md.end_of_burst && sent == n) {
      if (tx.is_open()) core_->push_ack(tx.close());
      dropping_ = false;
    }
    return sent;
  }

private:
  node_slot& node() { return core_->memory().nodes[core_->link_.slot()]; }

  bool retuned() {
    const tuning t = core_->tuning_at(device_core::tx, core_->transmitter_.next_tick());
    return t.rf_hz + t.dsp_hz != freq_hz_ || t.gain_db != gain_db_ ||
           core_->ticks_per_sample(device_core::tx) != ticks_per_sample_;
  }

  air_status open(std::optional<std::int64_t> at, const patience& limit) {
    core_->time_now();  // lets a pending PPS take effect
    const tuning t = core_->tuning_at(device_core::tx, at.value_or(core_->memory().now.load()));
    freq_hz_ = t.rf_hz + t.dsp_hz;
    gain_db_ = t.gain_db;
    ticks_per_sample_ = core_->ticks_per_sample(device_core::tx);
    if (at && first_burst_ != no_limit && core_->faults_.due(fault_kind::late, *at - first_burst_))
      return air_status::late;
    const air_status s = core_->transmitter_.open(at, ticks_per_sample_, freq_hz_,
                                                  static_cast<float>(std::pow(10.0, gain_db_ / 20.0)), limit);
    if (s == air_status::gone) core_->throw_gone();
    if (s == air_status::ok && first_burst_ == no_limit) first_burst_ = core_->transmitter_.next_tick();
    return s;
  }

  std::size_t write(const void* buffer, std::size_t n, const patience& limit) {
    transmitter& tx = core_->transmitter_;
    std::size_t done = 0;
    while (done < n) {
      const std::size_t m = format_.native && core_->faults_.empty() ? n - done : std::min(n - done, chunk_samples);
      const cf32* in = bounce_.data();
      if (format_.native)
        in = static_cast<const cf32*>(buffer) + done;
      else
        format_.to_cf32(static_cast<const char*>(buffer) + done * format_.bytes, bounce_.data(), m);
      std::size_t written = 0;
      air_status s = air_status::ok;
      if (const air_status f = injected_fault({in, m}, limit, written); f == air_status::lost)
        s = f;
      else
        s = tx.write({in, m}, limit, written);
      done += written;
      if (s == air_status::gone) core_->throw_gone();
      if (s == air_status::timeout) break;
      if (s == air_status::lost) {
        // The policy is the caller's: silence until the next burst, or on with the next samples at once.
        if (next_burst_policy_) {
          dropping_ = true;
          return n;
        }
        if (const air_status again = open(std::nullopt, limit); again != air_status::ok) break;
      }
    }
    return done;
  }

  // Underflow: half of these samples go out and the burst is cut. Kill: the same, and the process is gone.
  air_status injected_fault(std::span<const cf32> samples, const patience& limit, std::size_t& written) {
    if (core_->faults_.empty()) return air_status::ok;
    transmitter& tx = core_->transmitter_;
    const std::int64_t age = tx.next_tick() +
                             static_cast<std::int64_t>(samples.size()) * core_->ticks_per_sample(device_core::tx) -
                             first_burst_;
    const bool kill_now = core_->faults_.due(fault_kind::kill, age);
    if (!kill_now && !core_->faults_.due(fault_kind::underflow, age)) return air_status::ok;
    tx.write(samples.first(samples.size() / 2), limit, written);
    if (kill_now) kill(getpid(), SIGKILL);
    core_->push_event(uhd::async_metadata_t::EVENT_CODE_UNDERFLOW, tx.close());
    UHD_LOG_FASTPATH("U");
    return air_status::lost;
  }

  std::shared_ptr<device_core> core_;
  const sample_format& format_;
  std::size_t spp_;
  bool next_burst_policy_;
  std::vector<cf32> bounce_;
  bool dropping_ = false;
  double freq_hz_ = 0.0;
  double gain_db_ = 0.0;
  std::int64_t ticks_per_sample_ = 0;
  std::int64_t first_burst_ = no_limit;
};

}  // namespace

uhd::rx_streamer::sptr make_rx_streamer(std::shared_ptr<device_core> core, const uhd::stream_args_t& args) {
  check(args);
  return std::make_shared<rx_stream>(std::move(core), args);
}

uhd::tx_streamer::sptr make_tx_streamer(std::shared_ptr<device_core> core, const uhd::stream_args_t& args) {
  check(args);
  return std::make_shared<tx_stream>(std::move(core), args);
}

}  // namespace prose::phy::air
