// The metrics of a running sniffer: what it decodes, what it loses.
#pragma once

#include <chrono>
#include <memory>

#include "apps/lib/common/metrics.h"
#include "apps/lib/listen/capture.h"
#include "apps/sniffer/queued_source.h"
#include "common/result.h"
#include "phy/radio/radio.h"

namespace prose::apps {

class sniffer_metrics {
public:
  /// port -1: nothing is served.
  static result<sniffer_metrics> open(int port);
  /// After each block; publishes once a second of the host's clock. `radio` and `queue` are null for a recording.
  void tick(const capture& run, double device_s, const phy::radio* radio, const queued_source* queue);

private:
  std::unique_ptr<metrics_server> server_;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace prose::apps
