#include "apps/sniffer/program_metrics.h"

#include "apps/lib/common/log.h"

namespace prose::apps {
namespace {

void add_received(metrics_page& page, const phy::monitor_statistics& n) {
  const auto received = [&](std::uint64_t count, const char* kind) {
    page.counter("prose_sniffer_received_total", "What was decoded", count, kind);
  };
  received(n.mib, "kind=\"mib_sl\"");
  received(n.sci, "kind=\"sci\"");
  received(n.tb_ok, "kind=\"block\"");
  received(n.discovery, "kind=\"discovery\"");
  page.counter("prose_sniffer_blocks_failed_total", "Transport blocks whose CRC failed", n.tb_failed);
  page.counter("prose_sniffer_blocks_announced_total", "Transport blocks that SCIs announced", n.blocks_announced);
  page.counter("prose_sniffer_subframes_total", "Subframes examined", n.subframes);
  page.counter("prose_sniffer_gaps_total", "Gaps in the stream of samples", n.gaps);
  page.counter("prose_sniffer_samples_invalid_total", "Samples that were no numbers", n.non_finite_samples);
}

void add_radio(metrics_page& page, const phy::radio_counters& c, const queued_source* queue) {
  page.counter("prose_radio_overflows_total", "Overflows", c.overflows);
  page.counter("prose_radio_sequence_errors_total", "Packets lost between the host and the radio", c.sequence_errors);
  page.counter("prose_radio_samples_lost_total", "Samples that the radio did not deliver", c.samples_lost);
  page.counter("prose_radio_restarts_total", "Receptions that had stopped and began again", c.restarts);
  if (queue != nullptr)
    page.counter("prose_sniffer_queue_full_total", "Times that the device had to wait for processing",
                 queue->statistics().full);
}

}  // namespace

result<sniffer_metrics> sniffer_metrics::open(int port) {
  sniffer_metrics m;
  auto server = metrics_server::open(port);
  if (!server) return tl::unexpected(server.error());
  m.server_ = std::move(*server);
  return m;
}

void sniffer_metrics::tick(const capture& run, double device_s, const phy::radio* radio, const queued_source* queue) {
  if (!server_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::seconds(1);
  metrics_page page;
  page.gauge("prose_device_time_seconds", "Device time", device_s);
  add_received(page, run.totals().statistics);
  if (radio != nullptr) add_radio(page, radio->counters(), queue);
  server_->publish(page.text());
}

}  // namespace prose::apps
