// The metrics of the MAC, the modem and the radio of a running UE.
#pragma once

#include "apps/ue/frame_modem.h"
#include "apps/ue/metrics.h"
#include "mac/ue.h"
#include "phy/radio/radio.h"

namespace prose::apps {

void add_radio_metrics(metrics_page& page, const mac::ue_counters& mac, const frame_modem_counters& modem,
                       const phy::radio_counters& radio);

}  // namespace prose::apps
