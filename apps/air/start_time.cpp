#include "apps/air/start_time.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "apps/lib/common/safe_file.h"

namespace prose::apps {
namespace {
constexpr std::int64_t ahead_s = 60;
constexpr int version = 1;

std::string folder() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::string(state) + "/prose/air";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.local/state/prose/air";
  return {};
}

std::optional<std::int64_t> read_end(const std::string& file) {
  if (is_absent(file)) return std::nullopt;
  const auto text = read_private_file(file);
  if (!text || !version_of(*text, "air", version, file)) return std::nullopt;
  const auto line = text->find('\n');
  if (line == std::string::npos) return std::nullopt;
  std::int64_t v = 0;
  const auto r = std::from_chars(text->data() + line + 1, text->data() + text->size(), v);
  return r.ec == std::errc{} && v >= 0 && v < (std::int64_t{1} << 32) ? std::optional(v) : std::nullopt;
}

void forget_past(const std::string& from, std::int64_t host_device_s) {
  std::error_code ignored;
  std::vector<std::filesystem::path> past;
  for (const auto& entry : std::filesystem::directory_iterator(from, ignored))
    if (const auto end = read_end(entry.path().string()); end && *end < host_device_s) past.push_back(entry.path());
  for (const auto& p : past) std::filesystem::remove(p, ignored);
}
}  // namespace

air_history::air_history(const std::string& air, std::int64_t host_utc_s)
    : start_s_(std::max<std::int64_t>(host_utc_s - air_epoch_s, 0)) {
  const auto in = folder();
  if (in.empty()) return;
  file_ = in + "/" + air;
  if (const auto end = read_end(file_)) start_s_ = std::max(start_s_, *end + 1);
  forget_past(in, host_utc_s - air_epoch_s);
}

result<void> air_history::note(std::int64_t end_s) {
  if (file_.empty()) return fail("no home folder; accepted: HOME or XDG_STATE_HOME, or --start");
  const auto at = std::filesystem::path(file_).parent_path();
  std::error_code ec;
  std::filesystem::create_directories(at, ec);
  if (ec) return fail(at.string() + ": " + ec.message());
  return replace_private_file(file_, version_line("air", version) + std::to_string(end_s) + "\n");
}

result<void> air_history::at(std::int64_t device_s, std::int64_t host_utc_s) {
  if (device_s + air_epoch_s <= host_utc_s + 1) return {};
  if (noted_ && *noted_ - device_s > ahead_s / 2) return {};
  noted_ = device_s + ahead_s;
  return note(*noted_);
}

result<void> air_history::end(std::int64_t device_s, std::int64_t host_utc_s) {
  if (!noted_ && device_s + air_epoch_s <= host_utc_s + 1) return {};
  return note(device_s + 1);
}

}  // namespace prose::apps
