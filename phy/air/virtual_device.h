// type=virtual as a uhd::device: property tree, device time, tuning. The streamers are in virtual_streamers.cpp.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <uhd/device.hpp>
#include <uhd/types/metadata.hpp>
#include <uhd/types/time_spec.hpp>
#include <vector>

#include "phy/air/air_node.h"
#include "phy/air/device_args.h"
#include "phy/air/faults.h"

namespace prose::phy::air {

struct tuning {
  double rf_hz = 2.4e9;
  double dsp_hz = 0.0;
  double gain_db = 0.0;
};

/// What device and streamers share; streamers may outlive the device.
class device_core {
public:
  device_core(air_link link, const device_args& args);
  ~device_core();

  enum direction { rx = 0, tx = 1 };
  enum tuned { rf, dsp, gain };

  air_memory& memory() { return link_.memory(); }
  std::int64_t to_air(const uhd::time_spec_t& t) const;
  uhd::time_spec_t to_device(std::int64_t air_tick) const;
  /// Throws when the hub is gone: whoever polls the time would wait for ever.
  uhd::time_spec_t time_now();
  uhd::time_spec_t time_last_pps();
  void set_time_now(const uhd::time_spec_t& t);
  void set_time_next_pps(const uhd::time_spec_t& t);

  /// A question or a command over the control connection: takes args_.rpc_s, and throws while the device does not
  /// answer.
  void control_call() const;
  /// Injected: no answers for `ticks` of air time, or for ever.
  void begin_outage(std::int64_t ticks) { silent_until_ = memory().now.load() + ticks; }
  void unplug(std::int64_t closing_ticks);
  /// Injected: device time leaps, as when a reference is found again.
  void step_time(std::int64_t ticks);

  double set_rate(direction d, double rate_hz);
  std::int64_t ticks_per_sample(direction d) const { return ticks_per_sample_[d].load(); }
  void set_command_time(const uhd::time_spec_t& t);
  uhd::time_spec_t command_time();
  void tune(direction d, tuned what, double value);
  /// The tuning in force at an air tick, and the tick of the next timed command after it.
  tuning tuning_at(direction d, std::int64_t air_tick, std::int64_t* next_change = nullptr);

  void push_event(uhd::async_metadata_t::event_code_t code, std::int64_t air_tick);
  void push_ack(std::int64_t end_tick);
  [[noreturn]] void throw_gone() const;
  bool pop_event(uhd::async_metadata_t& md, double timeout_s);

  air_link link_;
  device_args args_;
  hub_watch hub_;
  std::string name_;
  fault_plan faults_;
  receiver receiver_;
  transmitter transmitter_;
  std::mutex rx_mutex_;  ///< whoever drives the receiver
  std::mutex tx_mutex_;

private:
  struct timed_command {
    std::int64_t tick;
    direction dir;
    tuned what;
    double value;
  };
  static void apply(tuning& t, tuned what, double value);
  // Device time = air time + offset. Seconds apart: UTC in ticks does not fit 64 bits.
  struct time_offset {
    std::int64_t seconds = 0;
    std::int64_t ticks = 0;
  };
  time_offset offset() const;
  void set_offset(time_offset o);
  /// The next event, or an acknowledgement whose time has come. Called with mutex_ held.
  bool take_event(uhd::async_metadata_t& md, std::int64_t now);
  mutable std::mutex offset_mutex_;
  time_offset offset_;
  std::atomic<std::int64_t> ticks_per_sample_[2];
  std::mutex mutex_;
  std::optional<std::pair<std::int64_t, time_offset>> pending_pps_;  ///< air tick of the edge, offset from then on
  tuning tuning_[2];
  uhd::time_spec_t command_time_{0.0};
  std::vector<timed_command> commands_;
  std::deque<uhd::async_metadata_t> events_;
  std::deque<std::int64_t> acks_;
  std::atomic<std::uint32_t> seen_underflows_{0};
  std::atomic<std::int64_t> silent_until_{0};   ///< air tick
  std::atomic<std::int64_t> closing_ticks_{0};  ///< how long closing takes: UHD waits for a device that is gone
};

uhd::rx_streamer::sptr make_rx_streamer(std::shared_ptr<device_core> core, const uhd::stream_args_t& args);
uhd::tx_streamer::sptr make_tx_streamer(std::shared_ptr<device_core> core, const uhd::stream_args_t& args);

/// Injected: another program seems to use a device for so long since this process asked first.
bool is_used_elsewhere(const std::string& device, double seconds);

class virtual_device : public uhd::device {
public:
  explicit virtual_device(const uhd::device_addr_t& addr);
  ~virtual_device() override = default;
  uhd::rx_streamer::sptr get_rx_stream(const uhd::stream_args_t& args) override;
  uhd::tx_streamer::sptr get_tx_stream(const uhd::stream_args_t& args) override;
  bool recv_async_msg(uhd::async_metadata_t& md, double timeout) override;

private:
  void build_tree();
  void build_dsp(device_core::direction d);
  void build_frontend(device_core::direction d);
  void build_tuning(device_core::direction d, const uhd::fs_path& frontend);
  std::shared_ptr<device_core> core_;
};

}  // namespace prose::phy::air
