#include "apps/lib/common/cli.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <utility>

#include "apps/lib/common/stop.h"
#include "common/printable.h"

namespace prose::apps {
namespace {
const std::vector<std::string> log_levels{"trace", "debug", "info", "warn", "error", "off"};

/// A log line may hold what a file, a server or a peer said.
class printable_text final : public spdlog::custom_flag_formatter {
public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const auto text = printable({message.payload.data(), message.payload.size()});
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<printable_text>(); }
};
}  // namespace

std::string_view version() { return PROSE_VERSION; }

void add_common_options(CLI::App& app, common_options& options) {
  app.add_option("--config", options.config_path, "YAML configuration; the command line wins over it")
      ->type_name("FILE.yaml");
  app.add_option("--log-level", options.log_level, "trace, debug, info, warn, error or off; the log goes to stderr")
      ->check(CLI::IsMember(log_levels))
      ->capture_default_str();
  app.set_version_flag("--version", app.get_name() + " " + std::string(version()));
  app.set_help_flag("-h,--help", "this text");
}

std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv, const common_options& options) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help and --version
    app.exit(e);
    return exit_ok;  // run_program looks whether standard output took it
  } catch (const CLI::Error& e) {
    return report(app.get_name(), std::string(e.what()) + " (see --help)", exit_usage);
  }
  auto logger = spdlog::stderr_color_mt(app.get_name());
  spdlog::set_default_logger(logger);
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<printable_text>('*').set_pattern("%H:%M:%S.%e %n %^%l%$ %*");
  spdlog::set_formatter(std::move(formatter));
  spdlog::set_level(spdlog::level::from_str(options.log_level));
  // A reader of our output that goes away, and a file size limit, are write errors, not deaths.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  install_stop_handler();
  return std::nullopt;
}

std::function<std::string(const std::string&)> number_in(double low, double high) {
  return [low, high](const std::string& text) -> std::string {
    double v = 0.0;
    const char* end = text.data() + text.size();
    const auto [stop, ec] = std::from_chars(text.data(), end, v);
    if (ec == std::errc{} && stop == end && v >= low && v <= high) return {};
    char accepted[96];
    std::snprintf(accepted, sizeof accepted, "': accepted is a number from %.10g to %.10g", low, high);
    return std::string("'").append(text).append(accepted);
  };
}

std::string find_option(int argc, char** argv, std::string_view name) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view a = argv[i];
    if (a == "--") break;
    if (a == name && i + 1 < argc) return argv[i + 1];
    if (a.size() > name.size() && a.substr(0, name.size()) == name && a[name.size()] == '=')
      return std::string(a.substr(name.size() + 1));
  }
  return {};
}

std::string find_config_path(int argc, char** argv) { return find_option(argc, argv, "--config"); }

int report(std::string_view program, std::string_view message, exit_code code) {
  std::fprintf(stderr, "%s: %s\n", std::string(program).c_str(), printable(message, ' ').c_str());
  return code;
}

}  // namespace prose::apps
