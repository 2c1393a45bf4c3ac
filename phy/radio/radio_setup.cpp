#include "phy/radio/radio_setup.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <thread>
#include <uhd/exception.hpp>

#include "phy/radio/network_notes.h"
#include "phy/radio/number.h"
#include "phy/radio/pps_time.h"
#include "phy/radio/uhd_errors.h"

namespace prose::phy {
namespace {

constexpr double rate_tolerance_hz = 1.0;  // a modem at another rate drifts out of its subframes
constexpr double gain_tolerance_db = 0.51;
constexpr std::chrono::milliseconds poll_interval{20};
constexpr std::chrono::milliseconds claim_retry{500};

// Inside this file a refusal travels as an exception, as UHD's own do; open_device turns both into a result.
struct refusal {
  std::string message;
};

std::string join(const std::vector<std::string>& v) {
  std::string s;
  for (const std::string& e : v) s += (s.empty() ? "" : ", ") + e;
  return s;
}

void expect_option(const std::string& what, const std::string& wanted, const std::vector<std::string>& options) {
  if (std::find(options.begin(), options.end(), wanted) == options.end())
    throw refusal{what + " '" + wanted + "': this device accepts " + join(options)};
}

void set_clock(uhd::usrp::multi_usrp& u, const radio_config& c) {
  if (!c.clock_source.empty()) {
    expect_option("clock_source", c.clock_source, u.get_clock_sources(0));
    u.set_clock_source(c.clock_source);
  }
  if (!c.time_source.empty()) {
    expect_option("time_source", c.time_source, u.get_time_sources(0));
    // A PPS that is not derived from the reference slides against the samples.
    if (c.time_source != "internal" && !c.clock_source.empty() && c.clock_source != c.time_source)
      throw refusal{"time_source '" + c.time_source + "' with clock_source '" + c.clock_source +
                    "': accepted is the same source for both"};
    u.set_time_source(c.time_source);
  }
}

// After the rates: some devices move their master clock with them.
void check_master_clock(uhd::usrp::multi_usrp& u, const radio_config& c) {
  if (!(c.master_clock_hz > 0.0)) return;
  const double got = u.get_master_clock_rate();
  if (!(std::abs(got - c.master_clock_hz) <= rate_tolerance_hz))
    throw refusal{"master_clock_hz " + number(c.master_clock_hz) + ": the device runs at " + number(got) + " Hz"};
}

// "A:0, B:0", or empty where the device does not list its front ends there.
std::string front_ends(uhd::usrp::multi_usrp& u, const std::string& direction) {
  const auto tree = u.get_device()->get_tree();
  const uhd::fs_path boards = "/mboards/0/dboards";
  std::vector<std::string> found;
  if (!tree->exists(boards)) return "";
  for (const auto& board : tree->list(boards)) {
    const auto ends = boards / board / (direction + "_frontends");
    if (!tree->exists(ends)) continue;
    for (const auto& end : tree->list(ends)) found.push_back(board + ":" + end);
  }
  return join(found);
}

template <class F>
void set_subdev(uhd::usrp::multi_usrp& u, const radio_config& c, const std::string& direction, F&& set) {
  if (c.subdev.empty()) return;
  try {
    set();
  } catch (const std::exception& e) {
    const auto accepted = front_ends(u, direction);
    throw refusal{"subdev '" + c.subdev +
                  "': " + (accepted.empty() ? one_line(e.what()) : "this device accepts " + accepted)};
  }
}

double set_rates(uhd::usrp::multi_usrp& u, const radio_config& c) {
  const double wanted = c.device_rate_hz > 0.0 ? c.device_rate_hz : c.sample_rate_hz;
  u.set_rx_rate(wanted);
  if (c.transmits) u.set_tx_rate(wanted);
  for (const double got : {u.get_rx_rate(), c.transmits ? u.get_tx_rate() : wanted})
    if (!(std::abs(got - wanted) <= rate_tolerance_hz))
      throw refusal{std::string(c.device_rate_hz > 0.0 ? "device_rate_hz " : "sample_rate_hz ") + number(wanted) +
                    ": the device gives " + number(got) +
                    " Hz; choose another master clock, or a device_rate_hz to resample from"};
  return wanted;
}

void set_receiver(uhd::usrp::multi_usrp& u, const radio_config& c) {
  set_subdev(u, c, "rx", [&] { u.set_rx_subdev_spec(c.subdev); });
  const std::size_t channels = c.n_rx_antennas;
  if (u.get_rx_num_channels() < channels)
    throw refusal{"n_rx_antennas " + std::to_string(channels) + ": the device has " +
                  std::to_string(u.get_rx_num_channels())};
  for (std::size_t ch = 0; ch < channels; ++ch) {
    if (!c.rx_antenna.empty()) {
      expect_option("rx_antenna", c.rx_antenna, u.get_rx_antennas(ch));
      u.set_rx_antenna(c.rx_antenna, ch);
    }
    u.set_rx_freq(uhd::tune_request_t(c.center_freq_hz), ch);
    u.set_rx_gain(c.rx_gain_db, ch);
    if (c.bandwidth_hz > 0.0) u.set_rx_bandwidth(c.bandwidth_hz, ch);
    if (!(std::abs(u.get_rx_freq(ch) - c.center_freq_hz) <= tune_tolerance_hz))
      throw refusal{"center_freq_hz " + number(c.center_freq_hz) + ": the receiver tunes to " +
                    number(u.get_rx_freq(ch)) + " Hz"};
    if (!(std::abs(u.get_rx_gain(ch) - c.rx_gain_db) <= gain_tolerance_db))
      throw refusal{"rx_gain_db " + number(c.rx_gain_db) + ": accepted is " + number(u.get_rx_gain_range(ch).start()) +
                    " to " + number(u.get_rx_gain_range(ch).stop())};
  }
}

void set_transmitter(uhd::usrp::multi_usrp& u, const radio_config& c) {
  set_subdev(u, c, "tx", [&] { u.set_tx_subdev_spec(c.subdev); });
  if (!c.tx_antenna.empty()) {
    expect_option("tx_antenna", c.tx_antenna, u.get_tx_antennas());
    u.set_tx_antenna(c.tx_antenna);
  }
  u.set_tx_freq(uhd::tune_request_t(c.center_freq_hz));
  u.set_tx_gain(c.tx_gain_db);
  if (c.bandwidth_hz > 0.0) u.set_tx_bandwidth(c.bandwidth_hz);
  if (!(std::abs(u.get_tx_freq() - c.center_freq_hz) <= tune_tolerance_hz))
    throw refusal{"center_freq_hz " + number(c.center_freq_hz) + ": the transmitter tunes to " +
                  number(u.get_tx_freq()) + " Hz"};
  if (!(std::abs(u.get_tx_gain() - c.tx_gain_db) <= gain_tolerance_db))
    throw refusal{"tx_gain_db " + number(c.tx_gain_db) + ": accepted is " + number(u.get_tx_gain_range().start()) +
                  " to " + number(u.get_tx_gain_range().stop())};
  // Again, with what the device made of it.
  if (const auto band = c.limits.band_for(c.center_freq_hz, occupied_hz(c), u.get_tx_gain()); !band)
    throw refusal{band.error().message};
}

template <class F>
void wait_lock(const std::string& what, double timeout_s, F&& locked) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_s);
  while (!locked()) {
    if (std::chrono::steady_clock::now() >= end)
      throw refusal{what + " is not locked after " + number(timeout_s) + " s"};
    std::this_thread::sleep_for(poll_interval);
  }
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void wait_for_synthesisers(uhd::usrp::multi_usrp& u, const radio_config& c) {
  if (has(u.get_rx_sensor_names(), "lo_locked"))
    wait_lock("the receiver's synthesiser", c.lock_timeout_s, [&] { return u.get_rx_sensor("lo_locked").to_bool(); });
  if (c.transmits && has(u.get_tx_sensor_names(), "lo_locked"))
    wait_lock("the transmitter's synthesiser", c.lock_timeout_s,
              [&] { return u.get_tx_sensor("lo_locked").to_bool(); });
}

void wait_for_reference(uhd::usrp::multi_usrp& u, const radio_config& c, std::vector<std::string>& notes) {
  const auto sensors = u.get_mboard_sensor_names();
  if (!c.clock_source.empty() && c.clock_source != "internal") {
    if (has(sensors, "ref_locked"))
      wait_lock("the " + c.clock_source + " reference", c.lock_timeout_s,
                [&] { return u.get_mboard_sensor("ref_locked").to_bool(); });
    else
      notes.push_back("the device does not tell whether its reference is locked");
  }
  if (c.time_source == "gpsdo") {
    if (!has(sensors, "gps_locked") || !has(sensors, "gps_time"))
      throw refusal{"time_source gpsdo: the device has no GPSDO"};  // as one that is not locked
    wait_lock("the GPSDO", c.lock_timeout_s, [&] { return u.get_mboard_sensor("gps_locked").to_bool(); });
  }
}

// Internal: zero, every session. Otherwise set_pps_time().
void set_time(uhd::usrp::multi_usrp& u, const radio_config& c, std::vector<std::string>& notes) {
  if (c.time_source.empty()) return;
  if (c.time_source == "internal") {
    u.set_time_now(uhd::time_spec_t(0.0));
    return;
  }
  pps_device d;
  d.last_pps = [&]() -> device_second {
    const auto t = u.get_time_last_pps();
    return {t.get_full_secs(), t.get_frac_secs()};
  };
  d.set_at_next_pps = [&](std::int64_t s) { u.set_time_next_pps(uhd::time_spec_t(s, 0.0)); };
  if (c.time_source == "gpsdo")
    d.gps_second = [&]() -> std::int64_t { return u.get_mboard_sensor("gps_time").to_int(); };
  d.host_s = [] { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); };
  d.sleep = [](std::chrono::milliseconds ms) { std::this_thread::sleep_for(ms); };
  if (const auto ok = set_pps_time(d, c.lock_timeout_s, notes); !ok)
    throw refusal{"time_source " + c.time_source + ": " + ok.error().message};
}

// A reference that is not there, or no PPS from it: on the device's own clock it still works, though its time is nobody
// else's.
void start_time(uhd::usrp::multi_usrp& u, radio_config c, std::vector<std::string>& notes) {
  const auto is_own = [](const std::string& source) { return source.empty() || source == "internal"; };
  try {
    wait_for_reference(u, c, notes);
    set_time(u, c, notes);
  } catch (const refusal& r) {
    if (c.require_lock || (is_own(c.clock_source) && is_own(c.time_source))) throw;
    notes.push_back("WARNING: " + r.message + ": running free on the internal clock, with a time of its own");
    if (!c.clock_source.empty()) u.set_clock_source(c.clock_source = "internal");
    if (!c.time_source.empty()) u.set_time_source(c.time_source = "internal");
    set_time(u, c, notes);
  }
}

void check_config(const radio_config& c) {
  if (!(c.sample_rate_hz > 0.0))
    throw refusal{"sample_rate_hz " + number(c.sample_rate_hz) + ": accepted is a positive number"};
  if (!(c.center_freq_hz > 0.0))
    throw refusal{"center_freq_hz " + number(c.center_freq_hz) + ": accepted is a positive number"};
  if (!(c.device_rate_hz >= 0.0))
    throw refusal{"device_rate_hz " + number(c.device_rate_hz) + ": accepted is a positive number, or 0"};
  for (const auto& [what, gain_db] : {std::pair{"rx_gain_db ", c.rx_gain_db}, std::pair{"tx_gain_db ", c.tx_gain_db}})
    if (!std::isfinite(gain_db)) throw refusal{what + number(gain_db) + ": accepted is a number"};
  if (!(c.turnaround_s >= 0.0 && c.turnaround_s <= 0.1))
    throw refusal{"turnaround_s " + number(c.turnaround_s) + ": accepted is 0 to 0.1"};
  if (c.n_rx_antennas < 1 || c.n_rx_antennas > 4)
    throw refusal{"n_rx_antennas " + std::to_string(c.n_rx_antennas) + ": accepted is 1 to 4"};
  if (!c.transmits) return;
  if (const auto band = c.limits.band_for(c.center_freq_hz, occupied_hz(c), c.tx_gain_db); !band)
    throw refusal{band.error().message};
}

bool is_in_use(const std::string& text) {
  for (const char* sign :
       {"libusb_claim_interface", "LIBUSB_ERROR_BUSY", "Failed to claim", "claiming failed", "already in use"})
    if (text.find(sign) != std::string::npos) return true;
  return false;
}

// UHD does not list a network device that another program has, or had when it was killed.
bool may_be_hidden(const uhd::device_addr_t& args) {
  const auto type = args.get("type", "");
  const auto is = [&](const char* network) { return type == network; };
  constexpr std::array network_types{"usrp2", "x300", "x4xx", "n3xx", "e3xx"};
  return std::ranges::any_of(network_types, is) || args.has_key("addr") || args.has_key("mgmt_addr") ||
         args.has_key("hidden_ms");
}

std::string hint_for(const uhd::device_addr_t& args) {
  if (args.get("type", "") == "virtual" && !args.has_key("hidden_ms"))
    return "set UHD_MODULE_PATH to the folder uhd_modules of the build";
  return "check power, cable and 'uhd_find_devices'; does another program use it?";
}

// A program that was killed holds its device until UHD notices. Another one may be about to end.
uhd::usrp::multi_usrp::sptr make_when_free(const radio_config& c, const uhd::device_addr_t& args) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(c.claim_timeout_s);
  const auto over = [&] {
    if (c.stops && c.stops()) throw refusal{"stopped while the device was not there, or in use"};
    return std::chrono::steady_clock::now() >= end;
  };
  for (bool told = false;; told = true) {
    try {
      return uhd::usrp::multi_usrp::make(args);
    } catch (const uhd::lookup_error&) {
      if (!may_be_hidden(args) || over()) throw refusal{"no device for '" + c.device_args + "': " + hint_for(args)};
    } catch (const std::exception& e) {
      if (!is_in_use(e.what())) throw;
      if (over())
        throw refusal{"in use by another program for " + number(c.claim_timeout_s) + " s: " + one_line(e.what())};
    }
    if (!told && c.tell)
      c.tell("device '" + c.device_args + "' is not there, or in use: trying for up to " + number(c.claim_timeout_s) +
             " s");
    std::this_thread::sleep_for(claim_retry);
  }
}

opened_device open_or_throw(const radio_config& c) {
  check_config(c);
  uhd::device_addr_t args(c.device_args);
  if (c.master_clock_hz > 0.0 && !args.has_key("master_clock_rate"))
    args["master_clock_rate"] = number(c.master_clock_hz);
  opened_device d;
  d.usrp = make_when_free(c, args);
  uhd::usrp::multi_usrp& u = *d.usrp;
  set_clock(u, c);
  d.rate_hz = set_rates(u, c);
  check_master_clock(u, c);
  set_receiver(u, c);
  if (c.transmits) set_transmitter(u, c);
  wait_for_synthesisers(u, c);
  start_time(u, c, d.notes);
  d.description =
      u.get_mboard_name() + ", " + number(d.rate_hz / 1e6) + " Msps, " + number(u.get_rx_freq() / 1e6) + " MHz";
  if (u.get_mboard_name().rfind("B2", 0) == 0 && !args.has_key("num_recv_frames"))
    d.notes.push_back("USB: num_recv_frames=512 in the device arguments makes overflows rarer");
  if (const auto address = args.get("addr", args.get("mgmt_addr", "")); !address.empty())
    std::ranges::move(network_notes(address), std::back_inserter(d.notes));
  return d;
}

}  // namespace

std::string one_line(const char* text) {
  std::string s;
  for (const char* p = text; *p != 0; ++p) {
    const char ch = *p == '\n' || *p == '\r' || *p == '\t' ? ' ' : *p;
    if (ch != ' ' || (!s.empty() && s.back() != ' ')) s += ch;
  }
  while (!s.empty() && s.back() == ' ') s.pop_back();
  for (const char* kind :
       {"RuntimeError: ", "ValueError: ", "LookupError: KeyError: ", "LookupError: IndexError: ", "LookupError: "})
    if (s.rfind(kind, 0) == 0) s.erase(0, std::char_traits<char>::length(kind));
  return s;
}

double occupied_hz(const radio_config& c) { return c.occupied_hz > 0.0 ? c.occupied_hz : c.sample_rate_hz; }

result<void> check_settings(const radio_config& config) {
  const std::string who = "device '" + config.device_args + "': ";
  try {
    check_config(config);
    const uhd::device_addr_t read(config.device_args);
  } catch (const refusal& r) {
    return fail(who + r.message);
  } catch (const std::exception& e) {
    return fail(who + one_line(e.what()));
  }
  return {};
}

result<opened_device> open_device(const radio_config& config) {
  // Before the first call, when UHD reads it: later its log thread has already written its greeting. A user's own level
  // stays. Errors get into our own lines.
  setenv("UHD_LOG_CONSOLE_LEVEL", "fatal", 0);
  setenv("UHD_LOG_FASTPATH_DISABLE", "1", 0);  // its U, O and L would stand in the middle of our lines; we count them
  const std::string who = "device '" + config.device_args + "': ";
  const uhd_errors errors;
  try {
    auto device = open_or_throw(config);
    if (auto remarks = errors.text(); !remarks.empty()) device.notes.push_back("UHD: " + std::move(remarks));
    return device;
  } catch (const refusal& r) {
    return fail(who + r.message);
  } catch (const std::exception& e) {
    return fail(errors.with_cause(who + one_line(e.what())));
  }
}

}  // namespace prose::phy
