#include "apps/ue/program_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

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
  page.counter("prose_radio_sequence_errors_total", "Packets lost between the host and the radio",
               radio.sequence_errors);
  page.counter("prose_radio_samples_lost_total", "Samples that the radio did not deliver", radio.samples_lost);
}

void add_link_metrics(metrics_page& page, const ue_status& s) {
  double links = 0, discovered = 0, handshake_s = 0, epoch_s = 0, offset_hz = 0, timing_s = 0;
  double snr_db = std::numeric_limits<double>::infinity();
  for (const auto& p : s.peers) {
    discovered += p.heard_age_s.has_value();
    if (!p.link) continue;
    ++links;
    handshake_s = std::max(handshake_s, static_cast<double>(p.link->key_age_ms) / 1000);
    epoch_s = std::max(epoch_s, p.epoch_age_s);
    if (!p.signal) continue;
    const auto& m = p.signal->signal;
    snr_db = std::min(snr_db, static_cast<double>(m.snr_db));
    offset_hz = std::max(offset_hz, static_cast<double>(std::abs(m.cfo_hz)));
    timing_s = std::max(timing_s, std::abs(m.timing_offset_samples) / s.running->sample_rate_hz);
  }
  page.gauge("prose_links", "Live links", links);
  page.gauge("prose_peers_permitted", "Peers that are permitted now", static_cast<double>(s.peers.size()));
  page.gauge("prose_peers_discovered", "Permitted peers that were discovered and not lost since", discovered);
  page.gauge("prose_handshake_age_seconds", "Time since the latest handshake of the link where it is longest ago",
             handshake_s);
  page.gauge("prose_epoch_age_seconds", "Time since the last change of epoch of the link where it is longest ago",
             epoch_s);
  if (std::isfinite(snr_db)) page.gauge("prose_link_snr_db", "Signal-to-noise ratio of the weakest link", snr_db);
  page.gauge("prose_link_frequency_offset_hertz", "Largest carrier offset of a linked peer, without its sign",
             offset_hz);
  page.gauge("prose_link_timing_offset_seconds", "Largest timing offset of a linked peer, without its sign", timing_s);
}

}  // namespace prose::apps
