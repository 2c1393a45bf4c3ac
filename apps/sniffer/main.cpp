// prose-sniffer: decodes what a recording holds of an LTE sidelink carrier and tells it as JSON Lines.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>

#include "apps/common/cli.h"
#include "apps/common/config.h"
#include "apps/common/events.h"
#include "apps/common/stop.h"
#include "apps/sniffer/capture.h"
#include "apps/sniffer/scene.h"

namespace {
using namespace prose;
using namespace prose::apps;
constexpr const char* program = "prose-sniffer";
const std::vector<std::string> sync_words{"slss", "aligned", "blind"};

struct options {
  common_options common;
  std::string iq, scene_path, carrier, pool, sync = "slss", events;
  bool report_failed = false;
};

/// The file gives defaults, the command line wins.
result<void> read_config(const std::string& path, options& o) {
  auto file = config_section::load(path);
  if (!file) return tl::unexpected(file.error());
  file->read("iq", o.iq);
  file->read("scene", o.scene_path);
  file->read("carrier", o.carrier);
  file->read("pool", o.pool);
  file->read_choice("sync", o.sync, sync_words);
  file->read("events", o.events);
  file->read("report_failed", o.report_failed);
  return file->check();
}

phy::sync_mode sync_of(const std::string& word) {
  return word == "slss" ? phy::sync_mode::slss : word == "aligned" ? phy::sync_mode::aligned : phy::sync_mode::blind;
}

result<scene> scene_of(const options& o) {
  scene s;
  if (!o.scene_path.empty()) {
    auto loaded = load_scene(o.scene_path);
    if (!loaded) return loaded;
    s = std::move(*loaded);
  }
  if (!o.carrier.empty())
    if (auto ok = apply_carrier_text(o.carrier, "--carrier", s); !ok) return tl::unexpected(ok.error());
  if (!o.pool.empty())
    if (auto ok = apply_pool_text(o.pool, "--pool", s); !ok) return tl::unexpected(ok.error());
  return s;
}
}  // namespace

int main(int argc, char** argv) {
  options o;
  if (const auto path = find_config_path(argc, argv); !path.empty())
    if (auto ok = read_config(path, o); !ok) return usage_error(program, ok.error());

  CLI::App app{"Decodes an LTE sidelink carrier: MIB-SL, SCI, transport blocks, discovery messages.", program};
  add_common_options(app, o.common);
  app.add_option("--iq", o.iq, "a SigMF recording (cf32_le or ci16_le; its channels are antennas)")->type_name("FILE.sigmf-meta");
  app.add_option("--scene", o.scene_path, "what is known of it: carrier, pool and timing")->type_name("FILE.json");
  app.add_option("--carrier", o.carrier, "e.g. prb=50,tm=4,cp=normal; wins over the scene");
  app.add_option("--pool", o.pool, "e.g. kind=v2x,size=10,count=5,start_prb=0; wins over the scene");
  app.add_option("--sync", o.sync, "how subframes are found: slss (search, then track), aligned (the scene's timing), blind")
      ->check(CLI::IsMember(sync_words))
      ->capture_default_str();
  app.add_option("--events", o.events, "JSON Lines, one object an event; - is standard output")->type_name("FILE|-");
  app.add_flag("--report-failed", o.report_failed, "also tell of transport blocks whose CRC failed");
  if (const auto code = parse_command_line(app, argc, argv, o.common)) return *code;

  if (o.iq.empty()) return report(program, "nothing to listen to; accepted: --iq FILE.sigmf-meta", exit_usage);
  const auto s = scene_of(o);
  if (!s) return usage_error(program, s.error());
  auto reader = phy::sigmf_reader::open(o.iq);
  if (!reader) return usage_error(program, reader.error());
  const auto partial_bytes = (*reader)->partial_bytes();
  std::string assumed;
  auto capture = file_capture::make(std::move(*reader), *s, {sync_of(o.sync), o.report_failed, &stop_requested}, assumed);
  if (!capture) return usage_error(program, capture.error());
  auto events = event_writer::open(o.events);
  if (!events) return usage_error(program, events.error());
  // Remarks only now: a mistake is one line.
  if (partial_bytes > 0) spdlog::warn("{}: the last {} bytes are no whole sample and are ignored", o.iq, partial_bytes);
  if (!assumed.empty()) spdlog::info("not told, so assumed: {}", assumed);

  const auto done = capture->run(*events);
  if (!done) return run_error(program, done.error());
  const auto& n = done->statistics;
  if (n.non_finite_samples > 0) spdlog::warn("{}: {} samples were not finite and count as zero", o.iq, n.non_finite_samples);
  spdlog::info("{} subframes: {} MIB-SL, {} SCI, {} transport blocks, {} discovery messages", n.subframes, n.mib, n.sci, n.tb_ok,
               n.discovery);
  return exit_ok;
}
