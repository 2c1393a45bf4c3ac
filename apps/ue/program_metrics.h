// The metrics of the MAC, the modem and the radio of a running UE.
#pragma once

#include "apps/lib/common/metrics.h"
#include "apps/ue/frame_modem.h"
#include "apps/ue/ue_status.h"
#include "mac/ue.h"
#include "phy/radio/radio.h"

namespace prose::apps {

void add_radio_metrics(metrics_page& page, const mac::ue_counters& mac, const frame_modem_counters& modem,
                       const phy::radio_counters& radio);

/// Of all links together. The page is open to every user of the host, who has no business with how far away a peer is
/// or when it was last heard: what is new here names nobody, and --show tells it to the own user alone.
void add_link_metrics(metrics_page& page, const ue_status& s);

}  // namespace prose::apps
