#include "phy/air/virtual_device.h"

#include <chrono>
#include <map>
#include <mutex>
#include <uhd/exception.hpp>
#include <uhd/types/eeprom.hpp>
#include <uhd/types/ranges.hpp>
#include <uhd/types/sensors.hpp>
#include <uhd/types/stream_cmd.hpp>
#include <uhd/usrp/dboard_eeprom.hpp>
#include <uhd/usrp/mboard_eeprom.hpp>
#include <uhd/usrp/subdev_spec.hpp>
#include <uhd/utils/log.hpp>
#include <uhd/version.hpp>

namespace prose::phy::air {
namespace {

device_args checked_args(const uhd::device_addr_t& addr) {
  std::vector<key_value> list;
  for (const std::string& k : addr.keys()) list.push_back({k, addr[k]});
  auto a = parse_device_args(list);
  if (!a) throw uhd::value_error(a.error().message);
  return *a;
}

std::shared_ptr<device_core> open_core(const uhd::device_addr_t& addr) {
  const device_args args = checked_args(addr);
  if (args.broken) {
    UHD_LOG_ERROR("VIRTUAL", "the firmware does not answer");
    throw uhd::runtime_error("cannot be initialised");
  }
  if (is_used_elsewhere(args.air + "/" + args.name, args.claimed_s)) throw uhd::runtime_error("Failed to claim device");
  auto link =
      air_link::attach(args.air, std::chrono::milliseconds(static_cast<std::int64_t>(args.hub_timeout_s * 1e3)));
  if (!link) throw uhd::runtime_error(link.error().message);
  if (const auto slot = link->join(args.name); !slot) throw uhd::runtime_error(slot.error().message);
  return std::make_shared<device_core>(std::move(*link), args);
}

// As phy/air/README.md says. Chosen, not derived: wide enough that programs meet no limit here.
const uhd::meta_range_t rf_range(1e6, 6e9);
const uhd::meta_range_t dsp_range(-125e6, 125e6);
const uhd::meta_range_t gain_range(0.0, 40.0, 0.5);
const uhd::meta_range_t bandwidth_range(10e3, 250e6);
const uhd::meta_range_t rate_range(10e3, 250e6);

std::string one_of(const std::string& what, const std::string& wanted, const std::vector<std::string>& options) {
  std::string list;
  for (const std::string& o : options) {
    if (o == wanted) return wanted;
    list += (list.empty() ? "" : ", ") + o;
  }
  throw uhd::value_error(what + "=" + wanted + ": accepted are " + list);
}

uhd::usrp::subdev_spec_t only_subdevice(const uhd::usrp::subdev_spec_t& spec) {
  if (spec.size() != 1 || spec[0].db_name != "A" || spec[0].sd_name != "0")
    throw uhd::value_error("subdevice '" + spec.to_string() + "': accepted is A:0");
  return spec;
}

}  // namespace

bool is_used_elsewhere(const std::string& device, double seconds) {
  static std::mutex mutex;
  static std::map<std::string, std::chrono::steady_clock::time_point> first_looks;
  const std::lock_guard lock(mutex);
  const auto now = std::chrono::steady_clock::now();
  return now - first_looks.try_emplace(device, now).first->second < std::chrono::duration<double>(seconds);
}

virtual_device::virtual_device(const uhd::device_addr_t& addr) : core_(open_core(addr)) {
  _type = uhd::device::USRP;
  _tree = uhd::property_tree::make();
  build_tree();
}

void virtual_device::build_tree() {
  const std::shared_ptr<device_core> core = core_;
  const auto& tree = _tree;
  tree->create<std::string>("/name").set("Emulated air");
  const uhd::fs_path mb = "/mboards/0";
  tree->create<std::string>(mb / "name").set("virtual");
  tree->create<std::string>(mb / "codename").set(core->name_);
  tree->create<std::string>(mb / "fw_version").set("1.0");
  tree->create<std::string>(mb / "fpga_version").set("none");
  uhd::usrp::mboard_eeprom_t eeprom;
  eeprom["name"] = core->name_;
  eeprom["serial"] = core->name_;
  tree->create<uhd::usrp::mboard_eeprom_t>(mb / "eeprom").set(eeprom);
  // The clock that samples are divided from is the air's; this value is what programs read and divide device time by.
  tree->create<double>(mb / "tick_rate").set(core->args_.master_clock_hz);
  tree->create<uhd::meta_range_t>(mb / "tick_rate/range")
      .set(uhd::meta_range_t(core->args_.master_clock_hz, core->args_.master_clock_hz));
  tree->create<bool>(mb / "auto_tick_rate").set(false);

  tree->create<uhd::time_spec_t>(mb / "time/now")
      .set_publisher([core] {
        core->control_call();
        core->receiver_.end_linger();  // who asks for the time may be waiting for it to pass
        return core->time_now();
      })
      .add_coerced_subscriber([core](const uhd::time_spec_t& t) { core->set_time_now(t); });
  tree->create<uhd::time_spec_t>(mb / "time/pps")
      .set_publisher([core] { return core->time_last_pps(); })
      .add_coerced_subscriber([core](const uhd::time_spec_t& t) { core->set_time_next_pps(t); });
  tree->create<uhd::time_spec_t>(mb / "time/cmd")
      .set_publisher([core] { return core->command_time(); })
      .add_coerced_subscriber([core](const uhd::time_spec_t& t) { core->set_command_time(t); });

  const std::pair<const char*, std::string> sources[] = {{"clock_source", core->args_.clock_source},
                                                         {"time_source", core->args_.time_source}};
  for (const auto& [what, initial] : sources) {
    const std::string name = what;
    tree->create<std::string>(mb / name / "value")
        .set_coercer([name](const std::string& v) { return one_of(name, v, reference_sources()); })
        .set(initial);
    tree->create<std::vector<std::string>>(mb / name / "options").set(reference_sources());
  }
  tree->create<uhd::sensor_value_t>(mb / "sensors/ref_locked").set_publisher([core] {
    return uhd::sensor_value_t("Ref", core->args_.locked, "locked", "unlocked");
  });
  tree->create<uhd::sensor_value_t>(mb / "sensors/gps_locked").set_publisher([core] {
    return uhd::sensor_value_t("GPS lock status", core->args_.locked, "locked", "unlocked");
  });
  tree->create<uhd::sensor_value_t>(mb / "sensors/gps_time").set_publisher([core] {
    return uhd::sensor_value_t("GPS epoch time", static_cast<int>(core->memory().now.load() / ticks_per_second),
                               "seconds");
  });

  for (const auto d : {device_core::rx, device_core::tx}) {
    if (d == device_core::tx && core->args_.receive_only) continue;
    build_dsp(d);
    build_frontend(d);
  }
  tree->create<uhd::stream_cmd_t>(mb / "rx_dsps/0/stream_cmd");
}

void virtual_device::build_dsp(device_core::direction d) {
  const std::shared_ptr<device_core> core = core_;
  const auto& tree = _tree;
  const std::string x = d == device_core::rx ? "rx" : "tx";
  const uhd::fs_path mb = "/mboards/0";

  tree->create<uhd::usrp::subdev_spec_t>(mb / (x + "_subdev_spec"))
      .set_coercer(&only_subdevice)
      .set(uhd::usrp::subdev_spec_t("A:0"));
  tree->create<std::vector<std::size_t>>(mb / (x + "_chan_dsp_mapping")).set({0});

  const uhd::fs_path dsp = mb / (x + "_dsps") / "0";
  tree->create<double>(dsp / "rate/value")
      .set_coercer([core, d](const double& r) { return core->set_rate(d, r); })
      .set(1e6);
  tree->create<uhd::meta_range_t>(dsp / "rate/range").set(rate_range);
  tree->create<double>(dsp / "freq/value")
      .set_coercer([core, d](const double& f) {
        const double v = dsp_range.clip(f);
        core->tune(d, device_core::dsp, v);
        return v;
      })
      .set(0.0);
  tree->create<uhd::meta_range_t>(dsp / "freq/range").set(dsp_range);

  const uhd::fs_path codec = mb / (x + "_codecs") / "A";
  tree->create<std::string>(codec / "name").set(std::to_string(core->memory().settings.adc_bits) + " bits");
  tree->create<int>(codec / "gains");  // phantom: the directory must exist
}

void virtual_device::build_frontend(device_core::direction d) {
  const auto& tree = _tree;
  const std::string x = d == device_core::rx ? "rx" : "tx";
  const uhd::fs_path db = uhd::fs_path("/mboards/0") / "dboards" / "A";
  uhd::usrp::dboard_eeprom_t eeprom;
  eeprom.serial = core_->name_;
  tree->create<uhd::usrp::dboard_eeprom_t>(db / (x + "_eeprom")).set(eeprom);

  const uhd::fs_path fe = db / (x + "_frontends") / "0";
  tree->create<std::string>(fe / "name").set("virtual");
  tree->create<std::string>(fe / "connection").set("IQ");
  tree->create<bool>(fe / "enabled").set(true);
  tree->create<bool>(fe / "use_lo_offset").set(false);
  const std::vector<std::string> antennas =
      d == device_core::rx ? std::vector<std::string>{"TX/RX", "RX2"} : std::vector<std::string>{"TX/RX"};
  tree->create<std::vector<std::string>>(fe / "antenna/options").set(antennas);
  tree->create<std::string>(fe / "antenna/value")
      .set_coercer([antennas](const std::string& a) { return one_of("antenna", a, antennas); })
      .set(antennas.back());
  build_tuning(d, fe);
  tree->create<uhd::sensor_value_t>(fe / "sensors/lo_locked").set_publisher([] {
    return uhd::sensor_value_t("LO", true, "locked", "unlocked");
  });
}

void virtual_device::build_tuning(device_core::direction d, const uhd::fs_path& fe) {
  const std::shared_ptr<device_core> core = core_;
  const auto& tree = _tree;
  tree->create<uhd::meta_range_t>(fe / "freq/range").set(rf_range);
  // Where no "los" is published UHD 4.3 looks for the frequency under this name, with the space.
  for (const char* name : {"freq/value", "freq/ value"})
    tree->create<double>(fe / name)
        .set_coercer([core, d](const double& f) {
          const double v = rf_range.clip(f);
          core->tune(d, device_core::rf, v);
          return v;
        })
        .set(2.4e9);
  tree->create<double>(fe / "gains/PGA/value")
      .set_coercer([core, d](const double& g) {
        const double v = gain_range.clip(g, true);
        core->tune(d, device_core::gain, v);
        return v;
      })
      .set(0.0);
  tree->create<uhd::meta_range_t>(fe / "gains/PGA/range").set(gain_range);
  tree->create<double>(fe / "bandwidth/value")
      .set_coercer([](const double& b) { return bandwidth_range.clip(b); })
      .set(250e6);
  tree->create<uhd::meta_range_t>(fe / "bandwidth/range").set(bandwidth_range);
}

uhd::rx_streamer::sptr virtual_device::get_rx_stream(const uhd::stream_args_t& args) {
  return make_rx_streamer(core_, args);
}
uhd::tx_streamer::sptr virtual_device::get_tx_stream(const uhd::stream_args_t& args) {
  if (core_->args_.receive_only) throw uhd::runtime_error("this device has no transmitter");
  return make_tx_streamer(core_, args);
}
bool virtual_device::recv_async_msg(uhd::async_metadata_t& md, double timeout) { return core_->pop_event(md, timeout); }

}  // namespace prose::phy::air
