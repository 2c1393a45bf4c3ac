// What every program's main shares: exit codes, one-line errors, options that are needed before the command line is
// parsed.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace prose::apps {

/// Exit codes of the command-line contract.
enum exit_code : int { exit_ok = 0, exit_failure = 1, exit_usage = 2 };

/// For command_option::check: a finite number from low to high.
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

/// --check has found no mistake: a line on standard output. `config_path` may be empty.
int report_right(std::string_view program, const std::string& config_path);
/// --print-config: config_section::effective() on standard output.
int print_config(const std::string& yaml);

std::string_view version();
/// "0.2.0 (commit 5be92f9...)"; "+changes" after a commit from which the source differed, "unknown" where nothing
/// tells.
std::string version_and_commit();

}  // namespace prose::apps
