// The log: lines on stderr from the level that --log-level names. spdlog does the work. Only log.cpp includes it,
// because its headers take a compiler long; this one needs fmt's small header.
#pragma once

#include <fmt/core.h>

#include <string>

namespace prose::apps {

/// `level` is a word that --log-level accepts.
void start_log(const std::string& program, const std::string& level);

enum class severity { debug, info, warning, error };

void write_log(severity s, fmt::string_view format, fmt::format_args args);

/// Control characters in a line are replaced: it may hold what a file, a server or a peer said.
template <class... T>
void log_at(severity s, fmt::format_string<T...> format, T&&... args) {
  write_log(s, format, fmt::make_format_args(args...));
}
template <class... T>
void log_debug(fmt::format_string<T...> format, T&&... args) {
  write_log(severity::debug, format, fmt::make_format_args(args...));
}
template <class... T>
void log_info(fmt::format_string<T...> format, T&&... args) {
  write_log(severity::info, format, fmt::make_format_args(args...));
}
template <class... T>
void log_warning(fmt::format_string<T...> format, T&&... args) {
  write_log(severity::warning, format, fmt::make_format_args(args...));
}
template <class... T>
void log_error(fmt::format_string<T...> format, T&&... args) {
  write_log(severity::error, format, fmt::make_format_args(args...));
}

}  // namespace prose::apps
