// Resource pools of V2X, TM3 and TM4 (TS 36.213 14.1.5, 14.1.1.4C, 14.2.4). All arithmetic, no signal.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "phy/types/channels.h"
#include "phy/types/sci.h"
#include "phy/types/subframe_set.h"

namespace prose::phy {

/// TS 36.331 SL-CommResourcePoolV2X.
struct v2x_pool_config {
  int n_prb = 50;                 ///< of the carrier
  int size_subchannel = 10;       ///< sizeSubchannel, PRB
  int n_subchannels = 5;          ///< numSubchannel
  int start_prb = 0;              ///< startRB-Subchannel
  bool adjacent = true;           ///< adjacencyPSCCH-PSSCH
  int start_prb_pscch = 0;        ///< startRB-PSCCH-Pool, only where not adjacent
  std::string subframe_bitmap{};  ///< sl-Subframe; empty: which subframes belong to the pool is not known
  int tdd_config = 0;             ///< 0 FDD, 1..7 sa0..sa6
  int slss_period = 0;            ///< subframes; 0: none is taken out for SLSS
  int slss_offset = 0;
  /// sl-OffsetIndicator: the set starts at this subframe. Only 0 is confirmed by recordings.
  int offset_indicator = 0;
};

/// Largest 2^a 3^b 5^c <= n (n >= 1).
int largest_235(int n);

class v2x_pool {
public:
  /// The error names the key and what is accepted.
  static result<v2x_pool> make(const v2x_pool_config& config);
  const v2x_pool_config& config() const { return config_; }

  // --- subframes ---------------------------------------------------------------------------------------------------
  bool knows_subframes() const { return !config_.subframe_bitmap.empty(); }
  /// k of t_k^SL, -1 where the subframe is not in the set (SLSS, not uplink, reserved) or the set is unknown.
  int index_of(int absolute_subframe) const;
  /// The subframe t_k^SL; k is taken modulo the size of the set.
  int subframe_of(int k) const;
  int set_size() const { return static_cast<int>(subframes_.size()); }
  int n_reserved() const { return n_reserved_; }
  /// The bitmap admits it. True for every subframe where the set is unknown.
  bool contains(int absolute_subframe) const;
  /// k mod 10, -1 where not in the pool or unknown.
  int n_ssf(int absolute_subframe) const;

  // --- sub-channels ------------------------------------------------------------------------------------------------
  /// First PRB of each PSCCH resource; index is the sub-channel.
  std::span<const int> pscch_prbs() const { return pscch_prbs_; }
  /// PSCCH resources of this subframe (all, or none). Pass -1 for an unknown subframe.
  std::span<const int> pscch_candidates(int absolute_subframe) const;
  /// Sub-channel whose PSCCH starts at this PRB.
  std::optional<int> subchannel_of_pscch(int prb) const;
  /// PSSCH PRBs of sub-channels first..first + count - 1; empty where that is no allocation.
  std::optional<riv_range> pssch_prbs(int first, int count) const;

  // --- SCI ---------------------------------------------------------------------------------------------------------
  /// The two transmissions that an SCI 1 announces.
  struct allocation {
    int first_subchannel;  ///< of the transmission that came with this SCI
    int n_subchannels;
    bool has_other;  ///< SF_gap is not 0
    int other_first_subchannel;
    int other_distance;  ///< in t_k^SL, negative where the other one was earlier
  };
  /// The transmission's own start is its PSCCH's sub-channel; the RIV start is that of the other one, if there is any.
  std::optional<allocation> allocation_of(const sci_format1& sci, int pscch_prb) const;
  /// PSSCH of the same subframe as this SCI. crc: the PSCCH's 16 CRC bits, n_ID^X. Empty where the SCI is not valid
  /// here.
  std::optional<pssch_config> pssch(const sci_format1& sci, int pscch_prb, std::uint16_t crc, int n_ssf) const;
  /// Absolute subframe of the other transmission; empty where there is none or the set is unknown.
  std::optional<int> other_subframe(const allocation& a, int absolute_subframe) const;
  /// frequency_location for `count` sub-channels of which the other transmission starts at `other_first` (or, where
  /// there is none, of which this one does).
  std::uint8_t frequency_location(int other_first, int count) const;

private:
  v2x_pool_config config_;
  std::vector<int> pscch_prbs_;
  std::vector<int> subframes_;       ///< t_k^SL
  std::vector<std::int16_t> index_;  ///< k of every absolute subframe
  std::vector<std::uint8_t> bitmap_;
  int n_reserved_ = 0;
};

}  // namespace prose::phy
