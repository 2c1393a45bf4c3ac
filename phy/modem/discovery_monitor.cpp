#include "phy/modem/discovery_monitor.h"

#include <utility>

#include "phy/modem/reception/thresholds.h"

namespace prose::phy {

discovery_monitor::discovery_monitor(const carrier_config& carrier, std::optional<discovery_pool> pool)
    : carrier_(carrier) {
  if (pool) known_.emplace(std::move(*pool));
}

void discovery_monitor::restart() {
  if (known_) {
    known_->forget();
    known_->recent() = {};
  }
  recent_ = {};
}

int discovery_monitor::examine(const subframe_view& sf) {
  if (known_ && sf.absolute >= 0) return known_->examine(sf);
  int n = 0;
  if (known_) {  // its place in time is not known (yet)
    const auto& pool = known_->pool();
    for (int a = 0; a < pool.n_frequency(); ++a)
      if (pool.pair_second(a) == pool.pair_first(a) + 1 && receive_anywhere(sf, pool.pair_first(a))) ++n;
    return n;
  }
  for (int prb = 0; prb + 2 <= carrier_.n_prb; ++prb) {
    if (!receive_anywhere(sf, prb)) continue;
    ++n;
    ++prb;  // the next pair cannot begin inside this one
  }
  return n;
}

int discovery_monitor::examine_unexplained(const subframe_view& sf, std::span<const int> prbs) {
  int n = 0;
  for (std::size_t i = 0; i + 1 < prbs.size(); ++i) {
    if (prbs[i + 1] != prbs[i] + 1 || !receive_anywhere(sf, prbs[i])) continue;
    ++n;
    ++i;  // the next pair cannot begin inside this one
  }
  return n;
}

bool discovery_monitor::receive_anywhere(const subframe_view& sf, int prb) {
  if (!sf.rx.psdch_plausible(prb) || sf.rx.psdch_dmrs_metric(prb) < least_psdch_metric) return false;
  for (const int rv : rv_order) {
    const psdch_config config{prb, rv};
    scratch_.reset(discovery_message_bits);
    const auto r = sf.rx.decode_psdch(config, scratch_, payload_);
    if (!r.crc_ok || !sf.credible(r.signal)) continue;
    report_discovery(sf, config, r.signal, 1, payload_, known_ ? known_->recent() : recent_);
    return true;
  }
  return false;
}

}  // namespace prose::phy
