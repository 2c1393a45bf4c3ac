#include "apps/lib/common/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <ctime>
#include <memory>
#include <utility>

#include "common/printable.h"

namespace prose::apps {
namespace {

class printable_text final : public spdlog::custom_flag_formatter {
public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const auto text = printable({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<printable_text>(); }
};

spdlog::level::level_enum level_of(severity s) {
  switch (s) {
    case severity::debug:
      return spdlog::level::debug;
    case severity::info:
      return spdlog::level::info;
    case severity::warning:
      return spdlog::level::warn;
    case severity::error:
      break;
  }
  return spdlog::level::err;
}

}  // namespace

void start_log(const std::string& program, const std::string& level) {
  spdlog::set_default_logger(spdlog::stderr_color_mt(program));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<printable_text>('*').set_pattern("%H:%M:%S.%e %n %^%l%$ %*");
  spdlog::set_formatter(std::move(formatter));
  spdlog::set_level(spdlog::level::from_str(level));
}

void write_log(severity s, fmt::string_view format, fmt::format_args args) {
  const auto level = level_of(s);
  auto& logger = *spdlog::default_logger_raw();
  if (logger.should_log(level)) logger.log(level, spdlog::string_view_t(fmt::vformat(format, args)));
}

}  // namespace prose::apps
