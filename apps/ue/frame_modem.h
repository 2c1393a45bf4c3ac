// Between the MAC's view of a subframe and samples: what goes out becomes one burst, what came in becomes frames. Knows
// the pools, so it looks only where something of use may be, and combines the transmissions of a block (HARQ).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "common/result.h"
#include "mac/ue.h"
#include "phy/modem/monitor.h"
#include "phy/modem/subframe_receiver.h"
#include "phy/modem/transmitter.h"
#include "phy/types/carrier.h"

namespace prose::apps {

struct frame_modem_config {
  mac::ue_config ue;
  double sample_rate_hz = 7.68e6;
  int n_antennas = 1;
  float tx_power_db = -12.0F;   ///< mean power of a burst relative to full scale
  float rsrp_offset_db = 0.0F;  ///< dBm of a resource element at 0 dB full scale, for thresholds
  phy::cyclic_prefix cp = phy::cyclic_prefix::normal;
  /// Besides those of `ue`: others send there, this UE listens only. Of the carrier's transmission mode or discovery,
  /// and no two of all pools share a PRB of a subframe.
  std::vector<phy::monitor_pool> other_pools{};
};

struct frame_modem_counters {
  std::uint64_t sci = 0, blocks_ok = 0, blocks_failed = 0, discovery_ok = 0, discovery_combined = 0;
};

class frame_modem {
public:
  static result<std::unique_ptr<frame_modem>> make(const frame_modem_config& config);
  ~frame_modem();
  const phy::carrier_config& carrier() const;

  /// Writes one subframe; out.size() is carrier().samples_per_subframe().
  result<void> transmit(const mac::subframe_transmission& t, std::span<phy::cf32> out);

  struct subframe_info {
    std::int64_t local = 0;
    int absolute = -1;              ///< -1: no timing yet, nothing but SLSS can be read
    bool slss = false;              ///< look for SLSS and PSBCH
    bool own_transmission = false;  ///< nothing is received then
  };
  /// addressed(lsb): is a group destination ID of SCI format 0 one of ours; others are not decoded. Frames point into
  /// the modem and stay valid until the next call.
  std::span<const mac::received_frame> receive(const subframe_info& info,
                                               std::span<const std::span<const phy::cf32>> antennas,
                                               const std::function<bool(std::uint8_t)>& addressed);
  /// S-RSSI of each sub-channel of the last subframe, dBm; TM4 only.
  std::span<const double> subchannel_rssi_dbm() const;
  /// Forget half-received blocks: the timing jumped.
  void reset();
  const frame_modem_counters& counters() const;

private:
  struct state;
  explicit frame_modem(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::apps
