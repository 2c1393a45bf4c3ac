#include "apps/lib/common/command_line.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/lib/common/log.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/stop.h"

namespace prose::apps {
namespace {
const std::vector<std::string> log_levels{"trace", "debug", "info", "warn", "error", "off"};
// What scripts/manual makes manual pages and completions of.
nlohmann::ordered_json described(const CLI::Option& o) {
  nlohmann::ordered_json out;
  for (const auto& n : o.get_snames()) out["names"].push_back("-" + n);
  for (const auto& n : o.get_lnames()) out["names"].push_back("--" + n);
  if (o.get_positional()) out["positional"] = o.get_name(true);
  out["flag"] = o.get_items_expected_max() == 0;
  out["required"] = o.get_required();
  out["type"] = o.get_type_name();
  out["default"] = o.get_default_str();
  out["text"] = o.get_description();
  return out;
}

nlohmann::ordered_json described(const CLI::App& a) {
  nlohmann::ordered_json out;
  out["name"] = a.get_name();
  out["text"] = a.get_description();
  out["options"] = nlohmann::ordered_json::array();
  for (const auto* o : a.get_options({})) out["options"].push_back(described(*o));
  out["commands"] = nlohmann::ordered_json::array();
  for (const auto* c : a.get_subcommands([](const CLI::App*) { return true; }))
    out["commands"].push_back(described(*c));
  return out;
}

}  // namespace

command_option& command_option::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}

command_option& command_option::required() {
  option_->required();
  return *this;
}

command_option& command_option::show_default() {
  option_->capture_default_str();
  return *this;
}

command_option& command_option::delimiter(char c) {
  option_->delimiter(c);
  return *this;
}

command_option& command_option::excludes(const command_option& other) {
  option_->excludes(other.option_);
  return *this;
}

command_option& command_option::one_of(const std::vector<std::string>& accepted) {
  option_->check(CLI::IsMember(accepted));
  return *this;
}

command_option& command_option::one_of(const std::vector<int>& accepted) {
  option_->check(CLI::IsMember(accepted));
  return *this;
}

command_option& command_option::one_of(const std::vector<double>& accepted) {
  option_->check(CLI::IsMember(accepted));
  return *this;
}

command_option& command_option::range(int low, int high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

command_option& command_option::range(std::int64_t low, std::int64_t high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

command_option& command_option::range(double low, double high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

command_option& command_option::check(const std::function<std::string(const std::string&)>& wrong) {
  option_->check(wrong);
  return *this;
}

command_option& command_option::accept_size() {
  constexpr bool kb_is_1000 = true;
  option_->transform(CLI::AsSizeValue(kb_is_1000));
  return *this;
}

bool command_option::given() const { return option_->count() > 0; }

template <class T>
command_option command::add_option(const std::string& name, T& value, const std::string& description) {
  return command_option(app_->add_option(name, value, description));
}
template command_option command::add_option(const std::string&, std::string&, const std::string&);
template command_option command::add_option(const std::string&, int&, const std::string&);
template command_option command::add_option(const std::string&, std::int64_t&, const std::string&);
template command_option command::add_option(const std::string&, std::uint64_t&, const std::string&);
template command_option command::add_option(const std::string&, double&, const std::string&);
template command_option command::add_option(const std::string&, std::vector<std::string>&, const std::string&);
template command_option command::add_option(const std::string&, std::vector<int>&, const std::string&);
template command_option command::add_option(const std::string&, std::optional<std::string>&, const std::string&);
template command_option command::add_option(const std::string&, std::optional<std::int64_t>&, const std::string&);

command_option command::add_flag(const std::string& name, bool& value, const std::string& description) {
  return command_option(app_->add_flag(name, value, description));
}

command command::add_subcommand(const std::string& name, const std::string& description) {
  return command(app_->add_subcommand(name, description));
}

void command::require_subcommand() { app_->require_subcommand(1); }
void command::accept_options_after_subcommand() { app_->fallthrough(); }
bool command::given() const { return app_->parsed(); }
bool command::given(const std::string& option) const { return app_->count(option) > 0; }

command_line::command_line(const std::string& program, const std::string& description, common_options& options)
    : owned_(std::make_unique<CLI::App>(description, program)), options_(options) {
  app_ = owned_.get();
  add_option("--config", options.config_path, "YAML configuration; the command line wins over it")
      .type_name("FILE.yaml");
  const auto check = add_flag("--check", options.check,
                              "read the configuration and all that it names as a start would, say whether it is right, "
                              "and end; opens no radio and no socket, changes no file");
  add_flag("--print-config", options.print_config,
           "print the configuration in force, with defaults and what the command line says, as YAML for --config, and "
           "end; keys are named, never shown")
      .excludes(check);
  add_option("--log-level", options.log_level, "trace, debug, info, warn, error or off; the log goes to stderr")
      .one_of(log_levels)
      .show_default();
  app_->set_version_flag("--version", program + " " + version_and_commit());
  app_->set_help_flag("-h,--help", "this text");
}

command_line::~command_line() = default;

std::optional<int> command_line::parse(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--describe-options") {
    std::puts(described(*app_).dump(1).c_str());
    return exit_ok;
  }
  for (int i = 1; i < argc; ++i)
    if (argv[i] == std::string_view("--check") || argv[i] == std::string_view("--print-config"))
      app_->require_subcommand(0);
  try {
    app_->parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help and --version
    app_->exit(e);
    return exit_ok;  // run_program checks that standard output took it
  } catch (const CLI::Error& e) {
    return report(app_->get_name(), std::string(e.what()) + " (see --help)", exit_usage);
  }
  if (options_.only_asks()) look_only();
  start_log(app_->get_name(), options_.only_asks() ? "off" : options_.log_level);
  // A reader that goes away, or a file size limit, must be a write error and not the program's death.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  install_stop_handler();
  return std::nullopt;
}

}  // namespace prose::apps
