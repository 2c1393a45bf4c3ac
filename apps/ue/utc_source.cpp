#include "apps/ue/utc_source.h"

#include <cmath>
#include <cstdio>
#include <ctime>

namespace prose::apps {
namespace {
constexpr double slots = 4294967296.0;  // of the 32-bit counter: up to 7 February 2106
constexpr double day_s = 86400;
}  // namespace

std::string utc_text(double utc_s) {
  const auto t = static_cast<std::time_t>(utc_s);
  std::tm parts{};
  char text[40];
  if (!(std::abs(utc_s) < 1e12) || gmtime_r(&t, &parts) == nullptr ||
      std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
    std::snprintf(text, sizeof text, "%.0f s", utc_s);
  }
  return text;
}

result<double> utc_at_zero(const utc_settings& s, double device_s, double host_utc_s, double duration_s) {
  const double epoch = s.from_host ? host_utc_s - device_s : s.epoch_s;
  const double now = epoch + device_s;
  if (!(now >= 0) || !(now + duration_s + security::slot_clock::mark_ahead_slots < slots)) {
    char text[160];
    std::snprintf(text, sizeof text, "%.10g s and the device's %.10g s together are no UTC within 32 bits", epoch,
                  device_s);
    return fail(std::string(text) +
                "; accepted: utc: system, or the UTC of device time 0 (0 where the device keeps UTC)");
  }
  if (!s.from_host && !s.emulated && !s.trust_device && std::abs(now - host_utc_s) > day_s)
    return fail("the device's time and epoch_s make " + utc_text(now) + ", the host's clock says " +
                utc_text(host_utc_s) +
                ": more than a day apart; accepted: utc: system, an epoch_s that fits (0 where the device keeps UTC), "
                "or trust_device: true");
  return epoch;
}

bool is_emulated(const std::string& device_args) {
  const std::string list = "," + device_args + ",";
  return list.find(",type=virtual,") != std::string::npos;
}

std::string silence_text(security::slot_t mark, security::slot_t now, const std::string& file) {
  return "silent until " + utc_text(static_cast<double>(mark) + 1) + " because of " + file + "; the clock says " +
         utc_text(now) + ": waiting until slot " + std::to_string(std::uint64_t{mark} + 1) + " (" +
         std::to_string(std::uint64_t{mark} + 1 - now) + " s)";
}

}  // namespace prose::apps
