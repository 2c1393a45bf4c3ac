#include "phy/air/device_args.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "phy/air/air_link.h"

namespace prose::phy::air {
namespace {

// What UHD itself and transport-minded programs put into device arguments; there is no transport here that they could
// change.
constexpr std::array<std::string_view, 9> ignored{"type",
                                                  "serial",
                                                  "product",
                                                  "num_recv_frames",
                                                  "recv_frame_size",
                                                  "num_send_frames",
                                                  "send_frame_size",
                                                  "recv_buff_size",
                                                  "send_buff_size"};

result<double> number(const key_value& kv, double low, double high) {
  double v = 0.0;
  const char* end = kv.value.data() + kv.value.size();
  const auto [stop, error] = std::from_chars(kv.value.data(), end, v);
  if (error != std::errc{} || stop != end || !(v >= low && v <= high))
    return fail(kv.key + "=" + kv.value + ": accepted is a number from " + std::to_string(low) + " to " +
                std::to_string(high));
  return v;
}

}  // namespace

result<device_args> parse_device_args(const std::vector<key_value>& args) {
  device_args a;
  for (const key_value& kv : args) {
    if (std::find(ignored.begin(), ignored.end(), kv.key) != ignored.end()) continue;
    if (kv.key == "name" || kv.key == "air") {
      if (!is_valid_name(kv.value))
        return fail(kv.key + "=" + kv.value + ": accepted are 1 to 31 letters, digits, '_', '-', '.'");
      (kv.key == "name" ? a.name : a.air) = kv.value;
    } else if (kv.key == "master_clock_rate") {
      const auto v = number(kv, 1e6, 250e6);
      if (!v) return tl::unexpected(v.error());
      a.master_clock_hz = *v;
    } else if (kv.key == "lead_us") {
      const auto v = number(kv, 1, 100e3);
      if (!v) return tl::unexpected(v.error());
      a.lead_s = *v * 1e-6;
    } else if (kv.key == "hub_timeout") {
      const auto v = number(kv, 0, 3600);
      if (!v) return tl::unexpected(v.error());
      a.hub_timeout_s = *v;
    } else if (kv.key == "rpc_ms" || kv.key == "claimed_ms" || kv.key == "hidden_ms") {
      const auto v = number(kv, 0, 60e3);
      if (!v) return tl::unexpected(v.error());
      (kv.key == "rpc_ms" ? a.rpc_s : kv.key == "claimed_ms" ? a.claimed_s : a.hidden_s) = *v * 1e-3;
    } else if (kv.key == "stale_packets") {
      const auto v = number(kv, 0, 1e6);
      if (!v) return tl::unexpected(v.error());
      a.stale_packets = static_cast<std::size_t>(*v);
    } else if (kv.key == "tx_buffer_bytes") {
      const auto v = number(kv, 4096, 1e9);
      if (!v) return tl::unexpected(v.error());
      a.tx_buffer_bytes = static_cast<std::size_t>(*v);
    } else if (kv.key == "locked" || kv.key == "receive_only" || kv.key == "timestamps" || kv.key == "broken") {
      if (kv.value != "0" && kv.value != "1") return fail(kv.key + "=" + kv.value + ": accepted are 0 and 1");
      bool& flag = kv.key == "locked"         ? a.locked
                   : kv.key == "receive_only" ? a.receive_only
                   : kv.key == "broken"       ? a.broken
                                              : a.timestamps;
      flag = kv.value == "1";
    } else if (kv.key == "clock_source" || kv.key == "time_source") {
      const auto& s = reference_sources();
      if (std::find(s.begin(), s.end(), kv.value) == s.end())
        return fail(kv.key + "=" + kv.value + ": accepted are internal, external, gpsdo");
      (kv.key == "clock_source" ? a.clock_source : a.time_source) = kv.value;
    } else {
      return fail("unknown device argument '" + kv.key +
                  "' for type=virtual: accepted are name, air, lead_us, hub_timeout, master_clock_rate, clock_source, "
                  "time_source, locked, receive_only, rpc_ms, tx_buffer_bytes, claimed_ms, hidden_ms, timestamps, "
                  "stale_packets, broken");
    }
  }
  return a;
}

}  // namespace prose::phy::air
