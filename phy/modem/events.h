// What is received from a stream of samples, as events, and counts of it.
#pragma once

#include <cstdint>
#include <span>
#include <variant>

#include "phy/types/cf32.h"
#include "phy/types/mib_sl.h"
#include "phy/types/sci.h"

namespace prose::phy {

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
  int open_bits = 0;  ///< not decoded, and nobody could: so many bits this transmission alone leaves open (open_bits.h)
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
  std::uint64_t soft_buffers_evicted = 0;  ///< combining given up because all buffers were in use
  /// Transport blocks that SCIs announced. Occasions of a TM1/2 grant that are not used are `absent`, not announced.
  std::uint64_t blocks_announced = 0, blocks_decoded = 0, blocks_absent = 0;
  /// Resources of known discovery pools with a signal, and those whose message was decoded.
  std::uint64_t discovery_occupied = 0, discovery_decoded = 0;
  /// With search_beside: resource blocks times subframes that carried power, and those of them that belong to nothing
  /// received.
  std::uint64_t prbs_occupied = 0, prbs_unexplained = 0;
};

}  // namespace prose::phy
