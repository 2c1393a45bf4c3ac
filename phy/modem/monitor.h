// Everything that a stream of samples says: the engine under the sniffer. A UE, which knows its pools and its timing,
// runs on reception/ alone. Samples go in, decoded MIBs, SCIs, transport blocks and discovery messages come out, each
// with the place of its subframe in the stream.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "common/result.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"
#include "phy/types/channels.h"
#include "phy/types/mib_sl.h"
#include "phy/types/pool.h"
#include "phy/types/sci.h"

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
  /// Each is searched in every subframe that belongs to it, at the most max_monitor_pools. Communication and discovery
  /// may share a carrier. Empty, nothing is known: in TM3/4 the sub-channel layout is found from the signal; in TM1/2
  /// PSCCH is looked for on any PRB, and PSDCH on any PRB pair.
  std::vector<monitor_pool> pools;
  double max_cfo_hz = 6000.0;      ///< largest frequency offset of a transmitter, below half a subcarrier
  bool report_failed_tbs = false;  ///< also give tb events whose CRC failed (crc_ok = false)
  /// TM1/2 with a known pool: also look for PSSCH whose SCI was not received, of groups and with an MCS heard before
  /// (NOT 3GPP: for a receiver that wants everything, not for a UE).
  bool unannounced = false;
  /// Beside the pools, searches what carries power and is explained by nothing received in them, as if no pool were
  /// known; and tells in the statistics how many resource blocks that is (NOT 3GPP: likewise).
  bool search_beside = false;
};

// --- events
// ---------------------------------------------------------------------------------------------------------------

/// What every event says about its transmission.
struct reception {
  std::int64_t sample = 0;     ///< tick of the first sample of its subframe
  int absolute_subframe = -1;  ///< 0..10239, -1 where it is not known
  float snr_db = 0;            ///< per resource element
  float power_db = 0;          ///< per resource element, relative to full scale
  float cfo_hz = 0;
  float timing_offset_samples = 0;  ///< of this transmitter, relative to `sample`
  constellation_sample symbols{};
};

struct mib_sl_event {
  reception rx;
  int n_sl_id = 0;
  mib_sl mib;                          ///< all zero where the bits are no valid MIB-SL
  std::span<const std::uint8_t> bits;  ///< 40 or 48, unpacked
};

struct sci_event {
  reception rx;
  int format = 0;                      ///< 0 or 1
  int prb = 0;                         ///< first PRB of the PSCCH
  int cyclic_shift = 0;                ///< format 1: 0, 3, 6 or 9
  std::span<const std::uint8_t> bits;  ///< unpacked
  std::variant<sci_format0, sci_format1> fields;
  /// Format 1: number of sub-channels the fields were read with; 0 where the layout is not known (yet), then
  /// frequency_location and what follows it are a guess.
  int n_subchannels = 0;
};

struct tb_event {
  reception rx;
  int prb_start = 0;
  int n_prb = 0;
  int tbs = 0;
  int mcs = 0;
  int modulation_order = 2;
  int rv = 0;               ///< of the transmission that completed the block
  int n_transmissions = 1;  ///< combined
  std::uint32_t n_x_id = 0;
  int n_ssf = 0;
  bool crc_ok = false;
  bool repetition = false;             ///< another transmission of a block that was reported before
  std::span<const std::uint8_t> bits;  ///< tbs bits, unpacked, without CRC; empty unless crc_ok
};

struct discovery_event {
  reception rx;
  int prb = 0;
  int rv = 0;
  int n_transmissions = 1;
  bool crc_ok = false;
  bool repetition = false;
  std::span<const std::uint8_t> bits;  ///< 232, unpacked
};

using monitor_event = std::variant<mib_sl_event, sci_event, tb_event, discovery_event>;

/// Counts since construction.
struct monitor_statistics {
  std::uint64_t samples = 0;
  std::uint64_t non_finite_samples = 0;  ///< NaN, Inf or absurdly large; replaced by zero
  std::uint64_t subframes = 0;           ///< examined
  std::uint64_t gaps = 0;                ///< jumps of the tick
  std::uint64_t pscch_candidates = 0;    ///< places searched for a PSCCH
  std::uint64_t sci = 0;
  std::uint64_t tb_ok = 0;
  std::uint64_t tb_failed = 0;
  std::uint64_t mib = 0;
  std::uint64_t discovery = 0;
  std::uint64_t soft_buffers_evicted = 0;  ///< combining given up for want of room
  /// Transport blocks that SCIs announced: where TM1/2 leaves occasions of a grant unused they are `absent` and not
  /// announced.
  std::uint64_t blocks_announced = 0, blocks_decoded = 0, blocks_absent = 0;
  /// Resources of known discovery pools with a signal, and those whose message was decoded.
  std::uint64_t discovery_occupied = 0, discovery_decoded = 0;
  /// With search_beside: resource blocks times subframes that carried power, and those that nothing received explains.
  std::uint64_t prbs_occupied = 0, prbs_unexplained = 0;
};

/// Allocates in make(); afterwards only the event buffers grow, up to the largest number of events of one call.
///
/// Events come in the order of their subframes' first samples, whatever the lengths of the calls: one that a
/// transmitter with an earlier start might still precede is held back, for two subframes at the most. A transmission
/// that lies in several pools is told of once.
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

  const monitor_statistics& statistics() const;

private:
  struct impl;
  explicit monitor(std::unique_ptr<impl> p);
  std::unique_ptr<impl> impl_;
};

}  // namespace prose::phy
