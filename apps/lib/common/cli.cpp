#include "apps/lib/common/cli.h"

#include <charconv>
#include <cstdio>

#include "common/printable.h"

// Only programs have it (cmake/prose_targets.cmake).
[[gnu::weak]] extern const char* const prose_commit;

namespace prose::apps {

std::string_view version() { return PROSE_VERSION; }

std::string version_and_commit() {
  const std::string commit = &prose_commit != nullptr ? prose_commit : "";
  return std::string(version()) + " (commit " + (commit.empty() ? "unknown" : commit) + ")";
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

// run_program() tells whether standard output took it.
int report_right(std::string_view program, const std::string& config_path) {
  const std::string what = config_path.empty() ? "what the command line says is right" : config_path + " is right";
  std::printf("%s: %s\n", std::string(program).c_str(), printable(what, ' ').c_str());
  return exit_ok;
}

int print_config(const std::string& yaml) {
  std::fputs(yaml.c_str(), stdout);
  return exit_ok;
}

}  // namespace prose::apps
