#include "apps/ue/program_metrics.h"

namespace prose::apps {

void add_radio_metrics(metrics_page& page, const mac::ue_counters& mac, const frame_modem_counters& modem,
                       const phy::radio_counters& radio) {
  page.counter("prose_subframes_sent_total", "Subframes with an own transmission", mac.subframes_sent);
  page.counter("prose_discovery_sent_total", "PSDCH messages sent", mac.discovery_sent);
  page.counter("prose_discovery_heard_total", "PSDCH messages received", mac.discovery_heard);
  page.counter("prose_blocks_received_total", "PSSCH blocks with a right CRC", modem.blocks_ok);
  page.counter("prose_blocks_failed_total", "PSSCH decodings with a wrong CRC", modem.blocks_failed);
  page.counter("prose_blocks_sent_total", "Transport blocks sent", mac.scheduler.blocks);
  const auto dropped = [&](std::uint64_t n, const char* reason) {
    page.counter("prose_dropped_total", "What was dropped", n, reason);
  };
  dropped(mac.rx.malformed_sl_sch, "reason=\"malformed_sl_sch\"");
  dropped(mac.rx.rlc.malformed, "reason=\"malformed_rlc\"");
  dropped(mac.rx.malformed_pdcp, "reason=\"malformed_pdcp\"");
  dropped(mac.rx.security_dropped, "reason=\"security\"");
  dropped(mac.rx.other_destination, "reason=\"other_destination\"");
  dropped(mac.rx.unknown_source, "reason=\"unknown_source\"");
  dropped(mac.rx.rlc.trials_refused, "reason=\"trial_budget\"");
  dropped(mac.tx.sdus_refused, "reason=\"queue_full\"");
  dropped(mac.tx.sdus_expired, "reason=\"no_link\"");
  page.counter("prose_radio_overflows_total", "Overflows", radio.overflows);
  page.counter("prose_radio_underflows_total", "Underflows", radio.underflows);
  page.counter("prose_radio_lates_total", "Late bursts", radio.lates);
  page.counter("prose_radio_withheld_total", "Bursts that the duty cycle did not allow", radio.withheld);
  page.counter("prose_radio_restarts_total", "Receptions that had stopped and began again", radio.restarts);
}

}  // namespace prose::apps
