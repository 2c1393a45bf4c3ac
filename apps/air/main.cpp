// prose-air: makes an emulated air and looks after it.
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "apps/air/config_text.h"
#include "apps/air/start_time.h"
#include "apps/lib/common/command_line.h"
#include "apps/lib/common/events.h"
#include "apps/lib/common/file_roles.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/metrics.h"
#include "apps/lib/common/program.h"
#include "apps/lib/common/stop.h"
#include "phy/air/air_config.h"
#include "phy/air/hub.h"
#include "phy/io/json_text.h"

namespace {

using namespace prose::apps;
using prose::result;
namespace air = prose::phy::air;

constexpr const char* program = "prose-air";
constexpr std::chrono::milliseconds step_time{20};
constexpr std::size_t most_config_bytes = 4U << 20U;

struct texts {
  const char* event;
  const char* log;
};

texts texts_of(air::hub_event::kind k) {
  switch (k) {
    case air::hub_event::kind::joined:
      return {"node_joined", "joined"};
    case air::hub_event::kind::left:
      return {"node_left", "left"};
    case air::hub_event::kind::died:
      return {"node_died", "died"};
    case air::hub_event::kind::rx_stalled:
      return {"rx_stalled", "does not read: the air goes on without its receiver"};
    case air::hub_event::kind::tx_stalled:
      return {"tx_stalled", "left a burst unfinished: underflow"};
  }
  return {"", ""};
}

void tell(const air::hub_event& e, double start_s, event_writer& events) {
  const auto [name, text] = texts_of(e.what);
  const bool notable = e.what != air::hub_event::kind::joined && e.what != air::hub_event::kind::left;
  log_at(notable ? severity::warning : severity::info, "{:.3f} s: {} {}", start_s + e.air_time_s, e.node, text);
  event line(name, start_s + e.air_time_s);
  line.add("node", e.node);
  events.write(line);
}

/// What the air tells Prometheus. Nodes are counted, not named.
class air_metrics {
public:
  static result<air_metrics> open(int port) {
    air_metrics m;
    auto server = metrics_server::open(port);
    if (!server) return tl::unexpected(server.error());
    m.server_ = std::move(*server);
    return m;
  }
  void count(const air::hub_event& e) { ++counts_[static_cast<std::size_t>(e.what)]; }
  /// Publishes once a second.
  void tick(double air_s, int nodes) {
    const auto now = std::chrono::steady_clock::now();
    if (!server_ || now < next_) return;
    next_ = now + std::chrono::seconds(1);
    metrics_page page;
    page.gauge("prose_device_time_seconds", "Device time", air_s);
    page.gauge("prose_air_nodes", "Devices on the air now", nodes);
    constexpr std::array words{"joined", "left", "died", "rx_stalled", "tx_stalled"};
    for (std::size_t i = 0; i < words.size(); ++i)
      page.counter("prose_air_events_total", "What happened to devices", counts_[i],
                   std::string("event=\"") + words[i] + "\"");
    server_->publish(page.text());
  }

private:
  std::unique_ptr<metrics_server> server_;
  std::array<std::uint64_t, 5> counts_{};  // by hub_event::kind
  std::chrono::steady_clock::time_point next_{};
};

std::int64_t host_utc_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// `history`: none where the start was given.
int run(const air::air_config& config, double duration_s, const std::string& events_path,
        std::optional<air_history> history, int metrics_port) {
  auto events = event_writer::open(events_path);
  if (!events) return usage_error(program, events.error());
  auto metrics = air_metrics::open(metrics_port);
  if (!metrics) return usage_error(program, metrics.error());
  auto link = air::air_link::create(config.air, config.settings);
  if (!link) return usage_error(program, link.error());
  air::hub hub(std::move(*link));
  const auto start_s = static_cast<double>(config.settings.start_s);
  events->write(event("ready", start_s).add("air", config.air));
  if (events_path != "-") {
    std::printf("prose-air: ready, air '%s'\n", config.air.c_str());
    std::fflush(stdout);
  }
  const auto now_s = [&hub] {
    return static_cast<double>(hub.memory().now.load()) / static_cast<double>(air::ticks_per_second);
  };
  while (!stop_requested() && (duration_s <= 0.0 || now_s() < duration_s)) {
    for (const air::hub_event& e : hub.step()) {
      tell(e, start_s, *events);
      metrics->count(e);
    }
    metrics->tick(start_s + now_s(), hub.n_nodes());
    if (history)
      if (const auto ok = history->at(config.settings.start_s + static_cast<std::int64_t>(now_s()), host_utc_s());
          !ok) {
        log_warning("the end of this run cannot be noted, so a next one may begin before it: {}", ok.error().message);
        history.reset();
      }
    if (config.kill_hub_after_s >= 0.0 && now_s() >= config.kill_hub_after_s) kill(getpid(), SIGKILL);
    if (!events->ok()) return run_error(program, events->trouble());
    std::this_thread::sleep_for(step_time);
  }
  events->write(event("ended", start_s + now_s()));
  if (history)
    if (const auto ok = history->end(config.settings.start_s + static_cast<std::int64_t>(now_s()), host_utc_s()); !ok)
      log_warning("the end of this run cannot be noted, so a next one may begin before it: {}", ok.error().message);
  log_info("air '{}' ends", config.air);
  return exit_ok;
}

}  // namespace

static int run_main(int argc, char** argv) {
  common_options common;
  std::optional<std::string> air_name, speed;
  std::string events;
  std::optional<std::int64_t> start_s;
  double duration_s = 0.0;
  int metrics_port = -1;
  command_line app(
      program,
      "Emulated air: makes UHD devices of type=virtual hear each other. Devices: type=virtual,name=NAME[,air=AIR],\n"
      "found by UHD when UHD_MODULE_PATH names the folder uhd_modules of the build. The configuration gives paths, "
      "noise,\n"
      "clocks and faults (configs/air.yaml); without one every path is perfect.",
      common);

  app.add_option("--air", air_name, "name of this air, as in the devices' air=NAME (default: default)");
  app.add_option("--speed", speed, "air seconds per wall second: 1, N, or max (as fast as the receivers read)");
  app.add_option("--start", start_s,
                 "device time at the start, seconds; without it such that the UEs' UTC (device time + epoch_s 1.7e9) "
                 "is the host's, but never before\n"
                 "the end of this air's last run")
      .range(std::int64_t{0}, std::int64_t{2'500'000'000});
  app.add_option("--duration", duration_s, "end after so many seconds of air time; 0: never").check(number_in(0, 1e9));
  app.add_option("--events", events, "JSON Lines, one object an event; - is standard output").type_name("FILE|-");
  app.add_option("--metrics-port", metrics_port, "serve Prometheus metrics on 127.0.0.1; 0: any free port")
      .range(0, 65535);
  if (const auto code = app.parse(argc, argv)) return *code;

  file_roles files;
  files.reads("--config", common.config_path);
  files.writes("--events", events);
  if (const auto ok = files.check(); !ok) return usage_error(program, ok.error());
  air::air_config config;
  if (!common.config_path.empty()) {
    const auto text = prose::phy::read_text_file(common.config_path, most_config_bytes);
    if (!text) return usage_error(program, text.error());
    auto c = air::parse_air_config(*text, common.config_path);
    if (!c) return usage_error(program, c.error());
    config = std::move(*c);
  }
  if (air_name) config.air = *air_name;
  if (!air::is_valid_name(config.air))
    return report(program, "--air " + config.air + ": accepted are 1 to 31 letters, digits, '_', '-', '.'", exit_usage);
  if (speed) {
    const auto v = air::parse_speed(*speed);
    if (!v) return report(program, "--" + v.error().message, exit_usage);
    config.settings.speed = *v;
  }
  if (common.print_config) return print_config(to_yaml(config));
  if (common.check) {
    const auto opened = event_writer::open(events);
    return opened ? report_right(program, common.config_path) : usage_error(program, opened.error());
  }
  std::optional<air_history> history;
  if (!start_s) start_s = history.emplace(config.air, host_utc_s()).start_s();
  config.settings.start_s = *start_s;
  return run(config, duration_s, events, std::move(history), metrics_port);
}

int main(int argc, char** argv) { return prose::apps::run_program(program, run_main, argc, argv); }
