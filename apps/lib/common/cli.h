// What every program's command line shares: --config, --help, --version, --log-level, the exit codes, one-line errors.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace CLI {
class App;
}

namespace prose::apps {

/// Exit codes of the command-line contract.
enum exit_code : int { exit_ok = 0, exit_failure = 1, exit_usage = 2 };

struct common_options {
  std::string config_path;  ///< empty: no --config
  std::string log_level = "info";
};

/// Adds --config, --version and --log-level (--help is CLI11's own). `options` must outlive the app.
void add_common_options(CLI::App& app, common_options& options);

/// Parses, sets up logging, signals and stop handling. A value: leave main with it (0 after --help or --version, 2
/// after one line on stderr). Subcommands' options are covered too.
std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv, const common_options& options);

/// For CLI::Option::check: a finite number from low to high. CLI11's own ranges let NaN pass.
std::function<std::string(const std::string&)> number_in(double low, double high);

/// The FILE of --config FILE or --config=FILE, before the command line is parsed: programs load the file first, so that
/// what the command line says wins.
std::string find_config_path(int argc, char** argv);
/// The same for another option that names a file, e.g. "--radio".
std::string find_option(int argc, char** argv, std::string_view name);

/// "PROGRAM: message" on stderr as one line, control characters replaced; gives the code back.
int report(std::string_view program, std::string_view message, exit_code code);
inline int usage_error(std::string_view program, const error& e) { return report(program, e.message, exit_usage); }
inline int run_error(std::string_view program, const error& e) { return report(program, e.message, exit_failure); }

std::string_view version();

}  // namespace prose::apps
