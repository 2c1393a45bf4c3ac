#include "phy/radio/pps_time.h"

#include <cmath>
#include <optional>

namespace prose::phy {

namespace {
using namespace std::chrono_literals;
constexpr auto poll_interval = 20ms;
constexpr double poll_s = std::chrono::duration<double>(poll_interval).count();
constexpr int attempts = 3;
constexpr double doubtful_host_s = 0.25;  // from a pulse to the host's second

/// To a few ticks: a PPS that is sampled by the device's own clock moves by one.
bool is_second(const device_second& t, std::int64_t second) {
  return std::abs(static_cast<double>(t.full - second) + t.fraction) < 1e-6;
}

bool wait_edge(const pps_device& d, double timeout_s) {
  const auto before = d.last_pps();
  for (double waited_s = 0; waited_s < timeout_s; waited_s += poll_s) {
    if (d.last_pps() != before) return true;
    d.sleep(poll_interval);
  }
  return d.last_pps() != before;
}

/// Which second the last pulse began. A GPSDO reports it some time after the pulse, so that a reading may still be of
/// the one before: only one that has just changed is of this pulse.
std::optional<std::int64_t> second_of_pulse(const pps_device& d, double timeout_s) {
  if (!d.gps_second) return std::llround(d.host_s());
  const auto before = d.gps_second();
  for (double waited_s = 0; waited_s < timeout_s; waited_s += poll_s) {
    d.sleep(poll_interval);
    if (const auto now = d.gps_second(); now != before) return now;
  }
  return std::nullopt;
}
}  // namespace

result<void> set_pps_time(const pps_device& d, double timeout_s, std::vector<std::string>& notes) {
  const auto no_pulse = [&] {
    return fail("no PPS for " + std::to_string(static_cast<int>(std::ceil(timeout_s))) + " s");
  };
  if (!wait_edge(d, timeout_s)) return no_pulse();
  if (!d.gps_second) {
    const double host = d.host_s(), off = host - std::round(host);
    if (std::abs(off) > doubtful_host_s)
      notes.push_back("the PPS comes " + std::to_string(static_cast<int>(std::lround(std::abs(off) * 1000))) +
                      " ms off the host's second: another host may count one second more or less");
  }
  for (int i = 0; i < attempts; ++i) {
    const auto now = second_of_pulse(d, timeout_s);
    if (!now) return fail("the GPSDO's time stands still");
    if (d.gps_second && is_second(d.last_pps(), *now)) return {};  // kept since an earlier session, or set a moment ago
    d.set_at_next_pps(*now + 1);
    if (!wait_edge(d, timeout_s)) return no_pulse();
    if (!d.gps_second && is_second(d.last_pps(), *now + 1)) return {};
  }
  return fail("the device did not take the time at the PPS");
}

}  // namespace prose::phy
