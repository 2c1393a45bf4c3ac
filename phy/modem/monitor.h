// Receives everything in a stream of samples; the sniffer runs on it. A UE, which knows its pools and its timing, runs
// on reception/ alone. Samples go in; decoded MIBs, SCIs, transport blocks and discovery messages come out, each with
// the place of its subframe in the stream.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "common/result.h"
#include "phy/modem/events.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"
#include "phy/types/pool.h"

namespace prose::phy {

/// How the start of subframes is found.
enum class sync_mode : std::uint8_t {
  slss,     ///< search PSSS and SSSS, then track
  aligned,  ///< given: every subframe starts where `aligned_timing` says
  blind,    ///< nothing given and no SLSS needed: cyclic prefixes, energy and DMRS
};

/// Timing for sync_mode::aligned. Samples are ticks as given to process().
struct aligned_timing {
  std::int64_t first_subframe_sample = 0;
  /// 10 * DFN + subframe (0..10239) of each stored subframe, not necessarily consecutive. Past its end the numbers go
  /// on one by one. Empty: not known, then n_ssf is hypothesised for every subframe.
  std::vector<int> absolute_subframes;
};

/// A resource pool. Its n_prb and tm are the carrier's, whatever it says. comm_pool_config with `known` false: PSCCH on
/// any PRB of any subframe. A v2x_pool_config without its subframes: n_ssf is hypothesised.
using monitor_pool = std::variant<v2x_pool_config, comm_pool_config, discovery_pool_config>;

/// SL-CommRxPoolList and SL-DiscRxPoolList hold 16 each (TS 36.331 6.3.8).
inline constexpr std::size_t max_monitor_pools = 32;

struct monitor_config {
  carrier_config carrier;
  int n_antennas = 1;  ///< 1..4
  sync_mode sync = sync_mode::slss;
  aligned_timing timing;  ///< sync_mode::aligned only
  /// At most max_monitor_pools; each is searched in every subframe that belongs to it. Communication and discovery may
  /// share a carrier. Empty: nothing is known. Then in TM3/4 the sub-channel layout is found from the signal, and in
  /// TM1/2 PSCCH is searched on any PRB and PSDCH on any PRB pair.
  std::vector<monitor_pool> pools;
  double max_cfo_hz = 6000.0;      ///< largest frequency offset of a transmitter, below half a subcarrier
  bool report_failed_tbs = false;  ///< also give tb events whose CRC failed (crc_ok = false)
  /// TM1/2 with a known pool: also look for PSSCH whose SCI was not received, of groups and with an MCS heard before
  /// (NOT 3GPP: for a receiver that wants everything, not for a UE).
  bool unannounced = false;
  /// Also searches the resource blocks that carry power and belong to nothing received in the pools, as if no pool were
  /// known, and counts them in the statistics (NOT 3GPP: likewise).
  bool search_beside = false;
};

/// Allocates in make(); afterwards only the event buffers grow, up to the largest number of events of one call.
///
/// Events come in the order of their subframes' first samples, however long the calls are: an event is held back, for
/// two subframes at most, while a transmitter with an earlier start might still precede it. A transmission that lies in
/// several pools is reported once.
class monitor {
public:
  static result<monitor> make(const monitor_config& config);
  monitor(monitor&&) noexcept;
  monitor& operator=(monitor&&) noexcept;
  ~monitor();

  /// samples[a] are those of antenna a, all of the same length (any length); first_tick numbers the first of them. A
  /// jump of the tick ends the current subframe (what is missing is taken as zero). Events, and what they point to,
  /// stay valid until the next call of process() or finish().
  std::span<const monitor_event> process(std::span<const std::span<const cf32>> samples, std::int64_t first_tick);
  /// One antenna.
  std::span<const monitor_event> process(std::span<const cf32> samples, std::int64_t first_tick);
  /// The end of the stream: a partial last subframe is filled with zeros.
  std::span<const monitor_event> finish();

  /// The samples that follow have another timing, nobody knows by how much: everything that was learnt is forgotten, as
  /// if the monitor were new; the statistics go on. Call finish() before. Allocates nothing. first_subframe_sample: as
  /// in aligned_timing, of the samples that follow.
  void restart(std::int64_t first_subframe_sample);

  const monitor_statistics& statistics() const;

private:
  struct impl;
  explicit monitor(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

}  // namespace prose::phy
