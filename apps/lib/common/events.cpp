#include "apps/lib/common/events.h"

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "apps/lib/common/safe_file.h"
#include "common/hex.h"

namespace prose::apps {
namespace {
std::string quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}
}  // namespace

json_object& json_object::raw(std::string_view key, std::string_view json) {
  if (!body_.empty()) body_ += ",";
  body_ += quoted(key);
  body_ += ":";
  body_ += json;
  return *this;
}
json_object& json_object::add(std::string_view key, std::string_view value) { return raw(key, quoted(value)); }
json_object& json_object::add(std::string_view key, double value) { return raw(key, nlohmann::json(value).dump()); }
json_object& json_object::add(std::string_view key, std::int64_t value) { return raw(key, std::to_string(value)); }
json_object& json_object::add(std::string_view key, std::uint64_t value) { return raw(key, std::to_string(value)); }
json_object& json_object::add(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
json_object& json_object::add(std::string_view key, const json_object& value) { return raw(key, value.text()); }
json_object& json_object::add_null(std::string_view key) { return raw(key, "null"); }
json_object& json_object::add(std::string_view key, std::span<const int> values) {
  return raw(key, nlohmann::json(std::vector<int>(values.begin(), values.end())).dump());
}
json_object& json_object::add_hex(std::string_view key, std::span<const std::uint8_t> bytes) {
  return raw(key, std::string("\"").append(to_hex(bytes)).append("\""));
}
json_object& json_object::add_fixed(std::string_view key, double value, int decimals) {
  if (!std::isfinite(value)) return add_null(key);
  char text[400];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return raw(key, text);
}

event::event(std::string_view name, double t_s) {
  add("event", name);
  add_fixed("t", t_s, 9);
}

result<event_writer> event_writer::open(const std::string& path, const std::string& option) {
  event_writer w;
  if (path.empty()) return w;
  w.state_ = std::make_shared<state>();
  w.state_->name = option + " " + path;
  if (path == "-") {
    w.state_->file = stdout;
    return w;
  }
  auto fd = open_private_output(path, output_mode::truncate);
  if (!fd) return fail(option + " " + fd.error().message);
  w.state_->file = ::fdopen(fd->get(), "w");
  if (w.state_->file == nullptr) return fail(option + " " + path + ": cannot be created: " + std::strerror(errno));
  (void)fd->release();
  w.state_->owned = true;
  return w;
}

bool event_writer::write(const json_object& e) {
  if (!state_) return true;
  const std::string line = e.text() + "\n";
  const std::lock_guard lock(state_->mutex);
  if (state_->failed != 0) return false;
  errno = 0;
  const bool ok =
      std::fwrite(line.data(), 1, line.size(), state_->file) == line.size() && std::fflush(state_->file) == 0;
  if (!ok) state_->failed = errno != 0 ? errno : EIO;
  return ok;
}

error event_writer::trouble() const {
  return {state_->name + ": cannot be written: " + why_not_written(state_->failed)};
}

}  // namespace prose::apps
