// A program's command line: options and subcommands. CLI11 does the work. Of the programs only command_line.cpp
// includes it, because its headers cost a compiler nine seconds in each file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/lib/common/cli.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace prose::apps {

/// One option, flag or positional argument. A handle: copies name the same option, which the command line owns.
class command_option {
public:
  explicit command_option(CLI::Option* option) : option_(option) {}

  command_option& type_name(const std::string& name);
  command_option& required();
  /// --help shows the value that the variable has now.
  command_option& show_default();
  /// Values of a list are separated by this character too.
  command_option& delimiter(char c);
  command_option& excludes(const command_option& other);

  command_option& one_of(const std::vector<std::string>& accepted);
  command_option& one_of(const std::vector<int>& accepted);
  command_option& one_of(const std::vector<double>& accepted);
  command_option& range(int low, int high);
  command_option& range(std::int64_t low, std::int64_t high);
  /// Lets NaN pass; number_in() does not.
  command_option& range(double low, double high);
  /// `wrong` gives what is wrong with a value, or an empty text.
  command_option& check(const std::function<std::string(const std::string&)>& wrong);
  /// Accepts sizes such as 500MB (1000) and 2GiB (1024).
  command_option& accept_size();

  /// Whether the command line has it. Meaningful after command_line::parse().
  bool given() const;

private:
  CLI::Option* option_;
};

/// A subcommand, or the whole command line. A handle like command_option.
class command {
public:
  command() = default;
  explicit command(CLI::App* app) : app_(app) {}

  /// `value` must outlive the command line. T: std::string, int, std::int64_t, std::uint64_t, double, vectors of
  /// std::string and int, optional std::string and std::int64_t.
  template <class T>
  command_option add_option(const std::string& name, T& value, const std::string& description = {});
  command_option add_flag(const std::string& name, bool& value, const std::string& description);
  command add_subcommand(const std::string& name, const std::string& description);
  void require_subcommand();
  /// Options of this command are accepted after a subcommand too.
  void accept_options_after_subcommand();

  /// Whether the command line has this subcommand. Meaningful after command_line::parse().
  bool given() const;
  /// Whether the command line has the option of this name.
  bool given(const std::string& option) const;

protected:
  CLI::App* app_ = nullptr;
};

struct common_options {
  std::string config_path;  ///< empty: no --config
  std::string log_level = "info";
  bool check = false;         ///< --check: read all that a start would read, change nothing, and end
  bool print_config = false;  ///< --print-config: print the configuration in force, and end
  bool only_asks() const { return check || print_config; }
};

class command_line : public command {
public:
  /// Has --help, --version, --config, --check, --print-config and --log-level from the start. `options` must outlive
  /// the command line.
  command_line(const std::string& program, const std::string& description, common_options& options);
  ~command_line();
  command_line(const command_line&) = delete;
  command_line& operator=(const command_line&) = delete;

  /// Parses, then sets up logging, signals and stop handling. With --check or --print-config a subcommand is not
  /// required, nothing is logged, and apps/lib/common/safe_file.h only looks. A value is an exit code to leave main
  /// with: 0 after
  /// --help or --version, 2 after one line on stderr.
  std::optional<int> parse(int argc, char** argv);

private:
  std::unique_ptr<CLI::App> owned_;
  const common_options& options_;
};

}  // namespace prose::apps
