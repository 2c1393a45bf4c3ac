// prose-air: makes an emulated air and looks after it.
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "phy/air/air_config.h"
#include "phy/air/hub.h"

namespace {

namespace air = prose::phy::air;

constexpr int exit_failure = 1;
constexpr int exit_usage = 2;
constexpr int step_ms = 20;

int usage_error(const std::string& message) {
  std::fprintf(stderr, "prose-air: %s\n", message.c_str());
  return exit_usage;
}

const char* text_of(air::hub_event::kind k) {
  switch (k) {
    case air::hub_event::kind::joined: return "joined";
    case air::hub_event::kind::left: return "left";
    case air::hub_event::kind::died: return "died";
    case air::hub_event::kind::rx_stalled: return "does not read: the air goes on without its receiver";
    case air::hub_event::kind::tx_stalled: return "left a burst unfinished: underflow";
  }
  return "";
}

int run(const air::air_config& config, double duration_s, int signals) {
  auto link = air::air_link::create(config.air, config.settings);
  if (!link) return usage_error(link.error().message);
  air::hub hub(std::move(*link));
  std::printf("prose-air: ready, air '%s'\n", config.air.c_str());
  std::fflush(stdout);
  for (;;) {
    for (const air::hub_event& e : hub.step()) {
      const bool notable = e.what != air::hub_event::kind::joined && e.what != air::hub_event::kind::left;
      spdlog::log(notable ? spdlog::level::warn : spdlog::level::info, "{:.3f} s: {} {}", e.air_time_s, e.node, text_of(e.what));
    }
    const double now_s = static_cast<double>(hub.memory().now.load()) / static_cast<double>(air::ticks_per_second);
    if (config.kill_hub_after_s >= 0.0 && now_s >= config.kill_hub_after_s) kill(getpid(), SIGKILL);
    if (duration_s > 0.0 && now_s >= duration_s) break;
    pollfd p{signals, POLLIN, 0};
    if (poll(&p, 1, step_ms) > 0) break;
  }
  spdlog::info("air '{}' ends", config.air);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Emulated air: makes UHD devices of type=virtual hear each other. Devices: type=virtual,name=NAME[,air=AIR],\n"
               "found by UHD when UHD_MODULE_PATH names the folder uhd_modules of the build."};
  std::string config_path;
  std::string air_name;
  std::string speed;
  std::string level = "info";
  double duration_s = 0.0;
  bool check = false;
  app.add_option("--config", config_path, "paths, noise, clocks and faults (configs/air.yaml); none: every path is perfect");
  app.add_option("--air", air_name, "name of this air, as in the devices' air=NAME (default: default)");
  app.add_option("--speed", speed, "air seconds per wall second: 1, N, or max (as fast as the receivers read)");
  app.add_option("--duration", duration_s, "end after so many seconds of air time")->check(CLI::PositiveNumber);
  app.add_option("--log-level", level, "trace, debug, info, warn, error, off");
  app.add_flag("--check", check, "check the configuration and exit");
  app.set_version_flag("--version", "prose-air " PROSE_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    return usage_error(e.what());
  }
  // Before any thread starts, so that Ctrl-C arrives as data and the air is taken down in order.
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, s);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  const int signals = signalfd(-1, &set, SFD_CLOEXEC);

  const auto log_level = spdlog::level::from_str(level);
  if (log_level == spdlog::level::off && level != "off")
    return usage_error("--log-level " + level + ": accepted are trace, debug, info, warn, error, off");
  spdlog::set_level(log_level);
  spdlog::flush_on(spdlog::level::info);

  air::air_config config;
  if (!config_path.empty()) {
    auto c = air::load_air_config(config_path);
    if (!c) return usage_error(c.error().message);
    config = std::move(*c);
  }
  if (!air_name.empty()) config.air = air_name;
  if (!air::is_valid_name(config.air)) return usage_error("--air " + config.air + ": accepted are 1 to 31 letters, digits, '_', '-', '.'");
  if (!speed.empty()) {
    const auto v = air::parse_speed(speed);
    if (!v) return usage_error("--" + v.error().message);
    config.settings.speed = *v;
  }
  if (check) return 0;
  if (signals < 0) {
    std::fprintf(stderr, "prose-air: no signalfd\n");
    return exit_failure;
  }
  return run(config, duration_s, signals);
}
