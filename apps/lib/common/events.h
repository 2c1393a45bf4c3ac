// Events as JSON Lines: one object a line, each with "event" and "t" (device time, seconds).
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"

namespace prose::apps {

/// One JSON object under construction; keys keep their order. Text that is not UTF-8 is replaced, numbers that are not
/// finite become null.
class json_object {
public:
  json_object& add(std::string_view key, std::string_view value);
  json_object& add(std::string_view key, const char* value) { return add(key, std::string_view(value)); }
  json_object& add(std::string_view key, const std::string& value) { return add(key, std::string_view(value)); }
  json_object& add(std::string_view key, double value);
  json_object& add(std::string_view key, std::int64_t value);
  json_object& add(std::string_view key, int value) { return add(key, static_cast<std::int64_t>(value)); }
  json_object& add(std::string_view key, std::uint32_t value) { return add(key, static_cast<std::int64_t>(value)); }
  json_object& add(std::string_view key, std::uint64_t value);
  json_object& add(std::string_view key, bool value);
  json_object& add(std::string_view key, const json_object& value);
  json_object& add(std::string_view key, std::span<const int> values);
  json_object& add_null(std::string_view key);
  /// Octets as lower-case hexadecimal text.
  json_object& add_hex(std::string_view key, std::span<const std::uint8_t> bytes);
  /// A number with a fixed count of decimals.
  json_object& add_fixed(std::string_view key, double value, int decimals);
  std::string text() const { return "{" + body_ + "}"; }

private:
  json_object& raw(std::string_view key, std::string_view json);
  std::string body_;
};

/// An event: {"event": name, "t": seconds, ...}. t has nanosecond resolution.
class event : public json_object {
public:
  event(std::string_view name, double t_s);
};

/// Writes whole lines, safe from several threads; every line is flushed. Default-constructed it discards.
class event_writer {
public:
  event_writer() = default;
  /// "-" is standard output; "" discards. A file has mode 0600: events name peers. `option` begins the error.
  static result<event_writer> open(const std::string& path, const std::string& option = "--events");
  /// False once a line could not be written (full disk, closed pipe): the program should end with a run-time failure.
  bool write(const json_object& e);
  bool ok() const { return !state_ || state_->failed == 0; }
  /// The reason when it is not ok: "--events -: cannot be written: its reader has left".
  error trouble() const;
  explicit operator bool() const { return state_ != nullptr; }

private:
  struct state {
    std::mutex mutex;
    std::FILE* file = nullptr;
    bool owned = false;
    int failed = 0;    ///< errno of the line that could not be written
    std::string name;  ///< for errors
    ~state() {
      if (owned && file != nullptr) std::fclose(file);
    }
  };
  std::shared_ptr<state> state_;
};

}  // namespace prose::apps
