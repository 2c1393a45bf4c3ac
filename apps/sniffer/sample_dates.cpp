#include "apps/sniffer/sample_dates.h"

#include <chrono>
#include <cstdio>
#include <ctime>

namespace prose::apps {

std::optional<double> utc_from(const std::string& iso8601) {
  std::tm t{};
  double seconds = 0;
  int read = 0;
  if (std::sscanf(iso8601.c_str(), "%4d-%2d-%2dT%2d:%2d:%lf%n", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour,
                  &t.tm_min, &seconds, &read) != 6)
    return std::nullopt;
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  if (!(seconds >= 0 && seconds < 61) || t.tm_mon < 0 || t.tm_mon > 11 || t.tm_mday < 1 || t.tm_mday > 31 ||
      t.tm_hour < 0 || t.tm_hour > 23 || t.tm_min < 0 || t.tm_min > 59)
    return std::nullopt;
  const std::string zone = iso8601.substr(static_cast<std::size_t>(read));
  double ahead_s = 0;
  if (int hours = 0, minutes = 0; std::sscanf(zone.c_str(), "%3d:%2d", &hours, &minutes) == 2)
    ahead_s = hours * 3600 + (zone[0] == '-' ? -minutes : minutes) * 60;
  else if (!zone.empty() && zone != "Z")
    return std::nullopt;
  return static_cast<double>(timegm(&t)) + seconds - ahead_s;
}

double utc_at_device_zero(const sniffer_settings& s, const phy::sigmf_reader* recording, const phy::radio* radio) {
  if (s.epoch_s > 0) return s.epoch_s;
  if (recording != nullptr)
    for (const auto& c : recording->meta().captures)
      if (const auto utc = utc_from(c.datetime))
        return *utc - static_cast<double>(recording->tick_of(c.sample_start)) / recording->sample_rate_hz();
  if (radio == nullptr) return 0;
  const auto now = radio->now_tick();
  if (!now) return 0;
  const auto host = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(host).count() - static_cast<double>(*now) / radio->sample_rate_hz();
}

}  // namespace prose::apps
