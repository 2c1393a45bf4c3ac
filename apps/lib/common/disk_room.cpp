#include "apps/lib/common/disk_room.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "apps/lib/common/log.h"

namespace prose::apps {
namespace {

std::string size_text(double bytes) {
  if (bytes < 1e6) return fmt::format("{:.1f} kB", bytes / 1e3);
  if (bytes < 1e9) return fmt::format("{:.1f} MB", bytes / 1e6);
  return fmt::format("{:.1f} GB", bytes / 1e9);
}

std::string time_text(double seconds) {
  if (seconds < 600) return fmt::format("{:.0f} s", seconds);
  return seconds < 36000 ? fmt::format("{:.0f} min", seconds / 60) : fmt::format("{:.0f} h", seconds / 3600);
}

}  // namespace

room_told room_text(const room_needed& needed, std::uint64_t free_bytes) {
  const auto free = static_cast<double>(free_bytes);
  double all = needed.duration_s * needed.bytes_per_second;
  const auto most = static_cast<double>(needed.max_bytes);
  if (most > 0) all = all > 0 ? std::min(all, most) : most;
  std::string text = size_text(needed.bytes_per_second) + " a second";
  if (all > 0) text += ", " + size_text(all) + " in all";
  text += "; " + size_text(free) + " are free";
  const bool enough = all <= free;
  if (!enough || all == 0)
    text += (enough ? ", enough for " : ", enough only for ") + time_text(free / needed.bytes_per_second);
  return {text, enough};
}

void tell_room(const std::string& path, const room_needed& needed) {
  std::error_code failed;
  const auto folder = std::filesystem::absolute(path, failed).parent_path();
  const auto space = std::filesystem::space(folder, failed);
  if (failed || needed.bytes_per_second <= 0) return;
  const auto told = room_text(needed, space.available);
  log_at(told.enough ? severity::info : severity::warning, "{}: {}", path, told.text);
}

}  // namespace prose::apps
